//! The smallest driver: a bath that is told a temperature. Run: `cargo run -p eutectic-instruments --example thermostat`
use eutectic_instruments::sdk::{
    Call, Driver, Fault, Manifest, ManifestError, Options, Outcome, SampleEffect, ServeError, StopReason, async_trait,
    capability, instrument, serve,
};

struct Thermostat;

#[async_trait]
impl Driver for Thermostat {
    fn manifest(&self) -> Result<Manifest, ManifestError> {
        let hold = capability("thermostat.hold").quantity("temperature", "Cel", 4.0..=95.0).repeatable();
        instrument("thermostat", "Bath").can(hold.brings("reached", "Cel", 0.0..=100.0)).build()
    }
    async fn run(&self, call: Call) -> Result<Outcome, Fault> {
        let wanted = call.quantity("temperature")?; // here you would talk to the bath
        Ok(Outcome::new(SampleEffect::None).quantity("reached", wanted, "Cel"))
    }
    async fn safe_state(&self, _why: StopReason) {} // and here switch its heater off
}

#[tokio::main]
async fn main() -> Result<(), ServeError> {
    serve(Thermostat, Options::from_args("thermostat-journal")).await
}
