//! A driver for NAME. Try it: `cargo run`, and in another terminal `eutectic driver check http://127.0.0.1:50051`.
use eutectic_instruments::sdk::{
    Call, Driver, Fault, Manifest, ManifestError, Options, Outcome, SampleEffect, ServeError, StopReason, async_trait,
    capability, instrument, serve,
};
use std::time::Duration;

struct CLASS;

#[async_trait]
impl Driver for CLASS {
    /// What it is and what it can do. Units are UCUM codes: Cel, mL/min, mol/L, 1.
    fn manifest(&self) -> Result<Manifest, ManifestError> {
        let heat = capability("NAME.heat")
            .described("Brings the sample to a temperature and holds it.")
            .quantity("temperature", "Cel", 20.0..=150.0)
            .choice("stirring", &["slow", "fast"])
            .by_default("slow")
            .brings_uncertain("reached", "Cel", 0.0..=200.0)
            .abortable()
            .takes(Duration::from_secs(2), Duration::from_secs(60));
        instrument("NAME", "NAME").made_by("your company", "your model", "serial number").can(heat).build()
    }

    /// Does it: called once for one operation, for ever, with arguments that are checked already.
    async fn run(&self, mut call: Call) -> Result<Outcome, Fault> {
        let wanted = call.quantity("temperature")?;
        for step in 0..20_u32 {
            // Here you would talk to the hardware. A wait by `call.sleep` ends as soon as the operation is to stop.
            call.progress(f64::from(step) / 20.0, "heating");
            if call.sleep(Duration::from_millis(100)).await.is_err() {
                return Err(call.cut_short(SampleEffect::Modified));
            }
        }
        Ok(Outcome::new(SampleEffect::Modified).uncertain("reached", wanted, 0.2, "Cel"))
    }

    /// Called when it is aborted or halted: quick, and harmless however often.
    async fn safe_state(&self, _why: StopReason) {
        // Here you would switch the heater off.
    }
}

#[tokio::main]
async fn main() -> Result<(), ServeError> {
    serve(CLASS, Options::from_args("NAME-journal")).await
}
