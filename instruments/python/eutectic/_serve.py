"""The child's side of `eutectic driver host`: one JSON object a line."""

import asyncio
import inspect
import json
import os
import shutil
import sys
import threading
import traceback
from typing import Any

from ._describe import describe, methods
from ._run import Fault, Run, Stopped, told

CHILD = "EUTECTIC_DRIVER_CHILD"


def serve(driver: Any) -> None:
    """Serves the driver until it is told to end.

    Started by hand, this program becomes `eutectic driver host`, with itself as the child; the command line goes to the
    host: `--listen 0.0.0.0:50051`, `--folder DIR` (by default a folder named after the instrument, beside you).
    """
    if os.environ.get(CHILD):
        _Child(driver).listen()
        return
    describe(driver)  # a mistake in it is told here, with its place in your code
    program = shutil.which("eutectic", path=os.pathsep.join([os.path.dirname(sys.executable), os.environ.get("PATH", "")]))
    if program is None:
        raise SystemExit("the program 'eutectic' is not on the path: `pip install eutectic` brings it")
    arguments = sys.argv[1:]
    if not any(each == "--folder" or each.startswith("--folder=") for each in arguments):
        arguments += ["--folder", f"{driver.id}-journal"]
    child = [sys.executable, os.path.abspath(sys.argv[0])]
    os.environ[CHILD] = "1"
    command = [program, "driver", "host", *arguments, "--", *child]
    if os.name == "nt":  # exec there returns to the shell at once
        import subprocess

        raise SystemExit(subprocess.call(command))
    os.execv(program, command)


class _Child:
    def __init__(self, driver: Any):
        self.driver = driver
        self.methods = methods(driver)
        self.runs: dict[int, Run] = {}
        self.tasks: dict[int, asyncio.Task] = {}
        self.lock = threading.Lock()
        self.loop: asyncio.AbstractEventLoop | None = None
        # What the driver's code prints goes to the log: standard output is the way to the host.
        self.out, sys.stdout = sys.stdout, sys.stderr

    def say(self, message: dict) -> None:
        line = json.dumps(message, allow_nan=False)
        with self.lock:
            print(line, file=self.out, flush=True)

    def listen(self) -> None:
        for line in sys.stdin:
            order = json.loads(line)
            match order["do"]:
                case "describe":
                    self.say({"id": order["id"], "result": describe(self.driver)})
                case "run":
                    self.begin(order)
                case "stop":
                    self.stop(order["run"])
                case "hold":
                    if run := self.runs.get(order["run"]):
                        run._may_go_on.clear()
                case "resume":
                    if run := self.runs.get(order["run"]):
                        run._may_go_on.set()
                case "proceed":
                    if run := self.runs.get(order["id"]):
                        run._proceed.set()
                case _:
                    # In a thread: hardware that is slow to answer must not keep a stop from being heard.
                    threading.Thread(target=self.answer, args=(order,), daemon=True).start()

    def answer(self, order: dict) -> None:
        """status, safe_state and probe: where the driver has such a method."""
        try:
            method = getattr(self.driver, order["do"], None)
            match order["do"]:
                case _ if method is None:
                    result: Any = "unknown" if order["do"] == "probe" else {}
                case "safe_state":
                    method(order["why"])
                    result = {}
                case "probe":
                    found = method(order["operation"], order["capability"], order["arguments"])
                    result = found if isinstance(found, str) else self.outcome(order["capability"], found)
                case _:
                    result = method() or {}
            self.say({"id": order["id"], "result": result})
        except Exception as error:
            traceback.print_exc()
            self.say({"id": order["id"], "fault": _bug(error)})

    def begin(self, order: dict) -> None:
        run = Run(order["id"], order["operation"], order["context"], self.say)
        self.runs[order["id"]] = run
        method = self.methods[order["capability"]]
        if inspect.iscoroutinefunction(method):
            asyncio.run_coroutine_threadsafe(self.drive(method, run, order), self.event_loop())
        else:
            threading.Thread(target=self.do, args=(method, run, order), daemon=True).start()

    def event_loop(self) -> asyncio.AbstractEventLoop:
        if self.loop is None:
            self.loop = asyncio.new_event_loop()
            threading.Thread(target=self.loop.run_forever, daemon=True).start()
        return self.loop

    async def drive(self, method: Any, run: Run, order: dict) -> None:
        self.tasks[order["id"]] = task = asyncio.ensure_future(method(run, **order["arguments"]))
        if run.stopped:  # it was told to stop before there was a task to cancel
            task.cancel()
        try:
            await asyncio.wait([task])
            self.end(order, task.result)
        finally:
            self.tasks.pop(order["id"], None)

    def do(self, method: Any, run: Run, order: dict) -> None:
        self.end(order, lambda: method(run, **order["arguments"]))

    def end(self, order: dict, result: Any) -> None:
        try:
            answer = {"result": self.outcome(order["capability"], result())}
            json.dumps(answer, allow_nan=False)
        except (Stopped, asyncio.CancelledError):
            told_so = {"reason": "CANCELLED", "message": "stopped before it was done", "category": "safety"}
            answer = {"fault": {**told_so, "retry": "new_id", "sample": self.sample(order["capability"])}}
        except Fault as fault:
            answer = {"fault": fault.told}
        except Exception as error:
            traceback.print_exc()
            answer = {"fault": _bug(error)}
        self.runs.pop(order["id"], None)
        self.say({"id": order["id"], **answer})

    def stop(self, id: int) -> None:
        if run := self.runs.get(id):
            run._stop.set()
        if self.loop:
            self.loop.call_soon_threadsafe(lambda: id in self.tasks and self.tasks[id].cancel())

    def sample(self, capability: str) -> str:
        repeatable = self.methods[capability].eutectic_capability.effect == "repeatable"
        return "none" if repeatable else "modified"

    def outcome(self, capability: str, result: Any) -> dict:
        """A dictionary by output, or the bare value where there is one output."""
        outputs = self.methods[capability].eutectic_capability.outputs
        if not isinstance(result, dict) or (len(outputs) == 1 and not set(result) <= set(outputs)):
            result = dict(zip(outputs, [result])) if outputs else {}
        return {"outputs": told(result), "sample": self.sample(capability)}


def _bug(error: Exception) -> dict:
    words = f"{type(error).__name__}: {error}"
    return {"reason": "DRIVER_BUG", "message": words, "category": "driver", "retry": "after_person", "sample": "unknown"}
