"""A bench supply over SCPI. Without hardware: `python supply.py` speaks to PyVISA's own simulator."""

import os

from eutectic import Out, Q, capability, serve
from eutectic.adapters.scpi import Scpi


class Supply(Scpi):
    id, name, safe_command = "supply", "Bench supply", "OUTP OFF"

    @capability(outputs={"voltage": Out("V", 0, 60)}, effect="repeatable", abortable=True, max_seconds=60)
    def source(self, run, voltage: Q("V", 0, 30)):
        """Sets the voltage, switches it on, and reads it back once it has settled."""
        self.write(f"VOLT {voltage:.3f}")
        self.write("OUTP ON")
        run.sleep(1)
        return self.number("VOLT?")


simulator = os.path.join(os.path.dirname(os.path.abspath(__file__)), "supply.yaml")
resource = os.environ.get("SUPPLY", "ASRL1::INSTR")
backend = "" if "SUPPLY" in os.environ else f"{simulator}@sim"
serve(Supply(resource, backend, read_termination="\n", write_termination="\n"))
