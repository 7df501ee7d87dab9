"""A driver that does everything that a driver can do."""

import asyncio
import time

from eutectic import Choice, Fault, Flag, Int, Out, Q, Sample, Series, Text, Value, capability, serve


class Everything:
    id, name, vendor, model, serial, version = "everything", "Everything", "Tests", "E1", "7", "1.2.3"
    concurrency = 2

    @capability(outputs={"sum": Out("Cel", 0, 1000), "sample": Sample("vial"), "trace": Series(t="s", y="1")}, effect="repeatable")
    def add(
        self,
        run,
        a: Q("Cel", 0, 100),
        n: Int(0, 9) = 2,
        kind: Choice("x", "y") = "x",
        loud: Flag() = False,
        note: Text(20) = "",
    ):
        """Adds."""
        print("what is printed is no message")
        return {"sum": a + n, "sample": f"vial-{kind}{loud}{note}", "trace": {"t": [0, 1], "y": [1.5, None]}}

    @capability(outputs={"mass": Out("g", 0, 10, uncertain=True)})
    async def weigh(self, run):
        await asyncio.sleep(0.01)
        return Value(1.5, sd=0.1)

    @capability(abortable=True)
    def wait(self, run):
        run.sleep(60)

    @capability(abortable=True)
    async def wait_async(self, run):
        await asyncio.sleep(60)

    @capability()
    def clog(self, run):
        raise Fault("CLOGGED", "the needle is clogged", category="process", sample="consumed")

    @capability()
    def trip(self, run):
        raise ValueError("a mistake")

    @capability()
    def commit(self, run):
        run.point_of_no_return()
        return {}

    @capability(outputs={"x": Out("1", 0, 1)})
    def nonsense(self, run):
        return float("nan")

    def status(self):
        time.sleep(0.05)
        return {"readiness": "local", "message": "somebody is at it"}

    def safe_state(self, why):
        self.why = why


if __name__ == "__main__":
    serve(Everything())
