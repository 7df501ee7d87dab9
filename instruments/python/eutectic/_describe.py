"""What an instrument can do, from decorators and type hints."""

import inspect
from dataclasses import dataclass, field
from typing import Any, Callable


@dataclass(frozen=True)
class Field:
    """A parameter or an output. Units are UCUM codes: Cel, mL/min, mol/L, 1."""

    spec: dict = field(default_factory=dict)


def Q(unit: str, minimum: float, maximum: float) -> Field:
    """A number with a unit, within bounds; it arrives as a float in that unit."""
    return Field({"kind": "quantity", "unit": unit, "min": minimum, "max": maximum})


def Int(minimum: int, maximum: int) -> Field:
    """A whole number within bounds."""
    return Field({"kind": "integer", "min": minimum, "max": maximum})


def Choice(*choices: str) -> Field:
    """One of these texts."""
    return Field({"kind": "choice", "choices": list(choices)})


def Flag() -> Field:
    """True or false."""
    return Field({"kind": "flag"})


def Text(max_length: int = 1000) -> Field:
    """A text of at most so many characters."""
    return Field({"kind": "text", "max_length": max_length})


def Sample(labware: str = "") -> Field:
    """A sample's id, in such a vessel."""
    return Field({"kind": "sample", "labware": labware})


def Out(unit: str, minimum: float, maximum: float, uncertain: bool = False) -> Field:
    """A number that an operation brings; with `uncertain`, always with its standard uncertainty: `Value(79.8, sd=0.2)`."""
    return Field({**Q(unit, minimum, maximum).spec, "uncertain": uncertain})


def Series(**columns: str) -> Field:
    """Columns of equally many numbers, each with its unit: `Series(time="min", signal="1")`."""
    return Field({"kind": "series", "columns": columns})


def Artifact(*media_types: str) -> Field:
    """A file that an operation brings: the method returns `File(path)`."""
    return Field({"kind": "artifact", "media_types": list(media_types)})


@dataclass(frozen=True)
class Capability:
    """What `@capability` leaves on a method."""

    effect: str
    abortable: bool
    outputs: dict[str, Field]
    version: str
    seconds: tuple[float | None, float | None]
    probe: bool
    holdable: bool
    uses: dict[str, tuple[float, str]]


def capability(
    *,
    outputs: dict[str, Field] | None = None,
    effect: str = "once",
    abortable: bool = False,
    version: str = "1.0.0",
    typical_seconds: float | None = None,
    max_seconds: float | None = None,
    probe: bool = False,
    holdable: bool = False,
    uses: dict[str, tuple[float, str]] | None = None,
) -> Callable:
    """Declares that an instrument can do this.

    The method takes `self`, the `Run`, and one argument a parameter, each with a type hint such as `Q("Cel", 20, 150)`;
    an argument with a default may be left out. It may be a plain function or `async`. `effect` is "once" unless doing it
    again would do no harm: "repeatable". With `abortable`, use `run.sleep` or ask `run.stopped`; with
    `holdable`, call `run.safe_point()` wherever it may wait. `uses` says how much of a consumable one execution takes:
    `{"tips": (1, "1")}`; `status` tells what there is.
    """
    if effect not in ("once", "repeatable"):
        raise ValueError(f"effect is 'once' or 'repeatable', not {effect!r}")
    seconds = (typical_seconds, max_seconds)
    found = Capability(effect, abortable, dict(outputs or {}), version, seconds, probe, holdable, dict(uses or {}))

    def mark(function: Callable) -> Callable:
        function.eutectic_capability = found
        return function

    return mark


def methods(driver: Any) -> dict[str, Callable]:
    """The capabilities of a driver: id to bound method."""
    found = {}
    for name, method in inspect.getmembers(driver, callable):
        if hasattr(method, "eutectic_capability"):
            found[f"{driver.id}.{name}"] = method
    if not found:
        raise TypeError(f"{type(driver).__name__} has no method with @capability")
    return found


def describe(driver: Any) -> dict:
    """The description that the host asks for."""
    text = lambda name: str(getattr(driver, name, ""))  # noqa: E731
    return {
        "id": driver.id,
        "name": text("name"),
        "vendor": text("vendor"),
        "model": text("model"),
        "serial": text("serial"),
        "version": text("version") or "0.1.0",
        "concurrency": getattr(driver, "concurrency", 1),
        "queue": getattr(driver, "queue", 0),
        "capabilities": [_capability(id, method) for id, method in methods(driver).items()],
    }


def _capability(id: str, method: Callable) -> dict:
    marked: Capability = method.eutectic_capability
    parameters = list(inspect.signature(method, eval_str=True).parameters.values())[1:]  # the first one is the run
    described = {
        "id": id,
        "version": marked.version,
        "description": inspect.getdoc(method) or "",
        "parameters": [_parameter(id, parameter) for parameter in parameters],
        "outputs": [{"id": name, **out.spec} for name, out in marked.outputs.items()],
        "effect": marked.effect,
        "abortable": marked.abortable,
        "probe": marked.probe,
        "holdable": marked.holdable,
        "uses": [{"consumable": id, "amount": much, "unit": unit} for id, (much, unit) in marked.uses.items()],
    }
    for key, seconds in zip(("typical_seconds", "max_seconds"), marked.seconds):
        if seconds is not None:
            described[key] = seconds
    return described


def _parameter(id: str, parameter: inspect.Parameter) -> dict:
    if not isinstance(parameter.annotation, Field):
        raise TypeError(f"{id}: parameter '{parameter.name}' needs a type hint such as Q(\"Cel\", 20, 150)")
    spec = {"id": parameter.name, **parameter.annotation.spec}
    if parameter.default is not inspect.Parameter.empty:
        spec["default"] = parameter.default
    return spec
