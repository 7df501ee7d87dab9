"""Instruments that speak SCPI, over PyVISA: `pip install pyvisa pyvisa-py`.

    class Supply(Scpi):
        id, name, safe_command = "supply", "Bench supply", "OUTP OFF"

        @capability(outputs={"voltage": Out("V", 0, 60)}, effect="repeatable")
        def source(self, run, voltage: Q("V", 0, 30)):
            self.write(f"VOLT {voltage}")
            return self.number("VOLT?")

    serve(Supply("TCPIP::10.0.0.9::INSTR", backend="@py"))
"""

import threading
from typing import Any

import pyvisa

from .. import Fault

NO_ERROR = ("0", "+0")


class Scpi:
    """One instrument at one VISA address; its driver is a subclass with capabilities.

    safe_command: what brings it to its safe state. error_query: asked after every command, "" where the instrument has no
    error queue.
    """

    safe_command = ""
    error_query = "SYST:ERR?"

    def __init__(self, resource: str, backend: str = "", timeout_ms: int = 5000, **options: Any):
        self.resource = resource
        self._open_with = (backend, {"timeout": timeout_ms, **options})
        self._session: Any = None
        # A stop comes in a thread of its own, in the middle of whatever is said.
        self._lock = threading.RLock()

    def _visa(self) -> Any:
        if self._session is None:
            backend, options = self._open_with
            self._session = pyvisa.ResourceManager(backend).open_resource(self.resource, **options)
        return self._session

    def _say(self, what: Any) -> Any:
        with self._lock:
            try:
                return what(self._visa())
            except (pyvisa.Error, OSError) as error:
                # Opened anew at the next word: a cable that was pulled may be back.
                self._session = None
                words = f"{self.resource} does not answer: {error}"
                raise Fault("NO_ANSWER", words, category="communication", retry="after_person") from error

    def query(self, command: str) -> str:
        """Asks, and returns the answer without blanks around it."""
        return self._say(lambda visa: visa.query(command)).strip()

    def number(self, command: str) -> float:
        """Asks for a number."""
        answer = self.query(command)
        try:
            return float(answer)
        except ValueError as error:
            words = f"{command} was answered by {answer!r}, which is no number"
            raise Fault("NOT_A_NUMBER", words, category="communication", retry="after_person") from error

    def write(self, command: str) -> None:
        """Says something, and asks whether it was understood."""
        with self._lock:
            self._say(lambda visa: visa.write(command))
            if self.error_query:
                error = self.query(self.error_query)
                if error.split(",")[0].strip() not in NO_ERROR:
                    raise Fault("SCPI_ERROR", f"{command}: {error}", category="hardware", retry="after_person")

    def status(self) -> dict:
        """Offline where nobody answers."""
        try:
            self.query("*IDN?")
        except Fault as fault:
            return {"readiness": "offline", "message": str(fault)}
        return {"readiness": "ready"}

    def safe_state(self, why: str) -> None:
        """Says the safe command, errors or not."""
        if self.safe_command:
            self._say(lambda visa: visa.write(self.safe_command))
