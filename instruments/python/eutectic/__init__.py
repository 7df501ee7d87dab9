"""Write an instrument driver for Eutectic: a class, a decorator for each thing that it can do, and `serve`.

The guarantees (journal, leases, validation, exactly one start an operation) are kept by the program `eutectic driver host`,
of which this is the child; see README.md.
"""

from ._describe import Artifact, Choice, Flag, Int, Out, Q, Sample, Series, Text, capability
from ._run import Fault, File, Run, Stopped, Value
from ._serve import serve

__all__ = [
    "Artifact",
    "Choice",
    "Fault",
    "File",
    "Flag",
    "Int",
    "Out",
    "Q",
    "Run",
    "Sample",
    "Series",
    "Stopped",
    "Text",
    "Value",
    "capability",
    "serve",
]
