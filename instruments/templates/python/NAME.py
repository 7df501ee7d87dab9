"""A driver for NAME. Try it: `python NAME.py`, and in another terminal `eutectic driver check http://127.0.0.1:50051`."""

from eutectic import Choice, Out, Q, Value, capability, serve


class CLASS:
    id = "NAME"
    name = "NAME"
    vendor, model, serial = "your company", "your model", "serial number"

    @capability(outputs={"reached": Out("Cel", 0, 200, uncertain=True)}, abortable=True, typical_seconds=2, max_seconds=60)
    def heat(self, run, temperature: Q("Cel", 20, 150), stirring: Choice("slow", "fast") = "slow"):
        """Brings the sample to a temperature and holds it. Called once for one operation, with arguments that are checked."""
        for step in range(20):
            # Here you would talk to the hardware. A wait by `run.sleep` ends as soon as the operation is to stop.
            run.progress(step / 20, "heating")
            run.sleep(0.1)
        return Value(temperature, sd=0.2)

    def safe_state(self, why):
        """Called when it is aborted or halted: quick, and harmless however often."""
        # Here you would switch the heater off.


if __name__ == "__main__":
    serve(CLASS())
