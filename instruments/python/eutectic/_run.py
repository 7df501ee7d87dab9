"""One operation, as a driver's code sees it."""

import os
import threading
from typing import Any, Callable


class Stopped(Exception):
    """Raised by `Run.sleep` when the operation is to stop. Let it pass, or clean up and raise it again."""


class Fault(Exception):
    """Why something did not happen, and what became of the sample.

    category: request, precondition, safety, hardware, communication, measurement (it ran, no usable result), process (the
    recipe itself fails here: the planner learns it), driver. retry: new_id, never, after_person. sample: none, modified,
    consumed, unknown. `person`: what somebody has to do.
    """

    def __init__(
        self,
        reason: str,
        message: str,
        *,
        category: str = "hardware",
        retry: str = "after_person",
        sample: str = "unknown",
        person: str = "",
    ):
        super().__init__(message)
        self.told = {
            "reason": reason,
            "message": message,
            "category": category,
            "retry": retry,
            "sample": sample,
            "person": person,
        }


class Value:
    """A number with its standard uncertainty, and how good it is: good, suspect, below_limit, above_limit, bad."""

    def __init__(self, value: float, sd: float = 0.0, quality: str = ""):
        self.told = {"value": value, "sd": sd, "quality": quality}


class File:
    """A file that an operation brings. It is copied before the operation ends."""

    def __init__(self, path: Any, media_type: str = ""):
        self.told = {"file": os.path.abspath(path), **({"media_type": media_type} if media_type else {})}


class Run:
    """The operation: its id, for whom it is (`context`), and the way to tell how far it is."""

    def __init__(self, id: int, operation: str, context: dict, say: Callable[[dict], None]):
        self.operation = operation
        self.context = context
        self._id = id
        self._say = say
        self._stop = threading.Event()
        self._proceed = threading.Event()
        self._may_go_on = threading.Event()
        self._may_go_on.set()

    @property
    def stopped(self) -> bool:
        """Whether it is to stop."""
        return self._stop.is_set()

    def sleep(self, seconds: float) -> None:
        """Waits; raises `Stopped` as soon as the operation is to stop."""
        if self._stop.wait(seconds):
            raise Stopped()

    def safe_point(self) -> None:
        """A place where the operation may wait: returns at once unless it is held; raises `Stopped` if it is to stop.
        (In an async method: `await asyncio.to_thread(run.safe_point)`.)"""
        if not self._may_go_on.is_set():
            self._say({"id": self._id, "held": True})
            while not self._may_go_on.wait(0.1):
                if self._stop.is_set():
                    raise Stopped()
            self._say({"id": self._id, "held": False})
        if self._stop.is_set():
            raise Stopped()

    def progress(self, fraction: float, stage: str = "") -> None:
        """How far it is, 0 to 1, and a word for people."""
        self._say({"id": self._id, "progress": fraction, "stage": stage})

    def point_of_no_return(self, sample: str = "modified") -> None:
        """From here on the sample is affected so. Returns once that is on the disk: a crash before it proves that the sample
        is untouched. (In an async method: `await asyncio.to_thread(run.point_of_no_return)`.)"""
        self._say({"id": self._id, "point_of_no_return": sample})
        while not self._proceed.wait(0.1):
            if self._stop.is_set():
                raise Stopped()


def told(value: Any) -> Any:
    """A value as JSON has it."""
    if isinstance(value, (Value, File)):
        return value.told
    if isinstance(value, dict):
        return {name: told(each) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [told(each) for each in value]
    return value.item() if hasattr(value, "item") else value  # numpy's scalars
