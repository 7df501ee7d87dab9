//! A simulated instrument: the hardware behind a model, and the driver in front of it.

use super::conditions::{Conditions, OrderedFault};
use super::defect::{Defect, clogs};
use super::world::{Activity, World, WorldError};
use crate::machine::{Arguments, Manifest, ManifestError, Outcome, Probe, StatusReport, StopReason};
use crate::sdk::{self, Call, Clock, Driver, InstrumentBuilder, async_trait};
use crate::wire::capability::Effect;
use crate::wire::fault::{Category, Retry};
use crate::wire::instrument::TimeMode;
use crate::wire::{ConformanceLevel, Context, Fault, Measurement, Operation, SampleEffect};
use std::time::Duration;

/// How often progress is told.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(100);
/// Into how many pieces a virtual operation falls: a day of it must not take a million steps.
const VIRTUAL_PIECES: i64 = 200;

/// What is special about one kind of instrument.
pub(super) trait Model: Send + Sync + 'static {
    fn manifest(&self, name: &str) -> Result<Manifest, ManifestError>;

    fn check(&self, _capability: &str, _arguments: &Arguments) -> Result<(), Fault> {
        Ok(())
    }

    /// Its consumables, calibrations and interlocks.
    fn status(&self, _bench: &Bench) -> StatusReport {
        StatusReport::default()
    }

    /// What the hardware is about to do. Deterministic in operation, context and bench.
    fn prepare(&self, operation: &Operation, context: &Context, bench: &Bench) -> Result<Prepared, Fault>;
}

/// What a model finds around it.
pub(super) struct Bench {
    pub(super) world: World,
    pub(super) clock: Clock,
}

impl Bench {
    pub(super) fn now_ms(&self) -> i64 {
        i64::try_from(self.clock.since_1970().as_millis()).unwrap_or(i64::MAX)
    }
}

/// An operation, worked out before the hardware begins.
#[derive(Default)]
pub(super) struct Prepared {
    /// s of the instrument's own time.
    pub(super) seconds: f64,
    pub(super) measurements: Vec<Measurement>,
    /// The same without noise.
    pub(super) truth: Vec<Measurement>,
    pub(super) effect: SampleEffect,
    /// Shown one after the other while it goes on.
    pub(super) stages: &'static [&'static str],
    /// What is another thing on the bench once it has begun.
    pub(super) changes: Vec<super::world::Change>,
    /// A file that it brings.
    pub(super) artifact: Option<Artifact>,
}

/// A file, made when the operation has come to its end.
pub(super) struct Artifact {
    pub(super) output: &'static str,
    pub(super) media_type: &'static str,
    pub(super) make: Box<dyn FnOnce() -> Vec<u8> + Send>,
}

pub(super) struct Simulated<M> {
    pub(super) model: M,
    pub(super) manifest: Manifest,
    pub(super) bench: Bench,
    pub(super) conditions: Conditions,
    pub(super) speed: f64,
    pub(super) defect: Option<Defect>,
}

/// What every simulated instrument says of itself.
pub(super) fn described(name: &str, display_name: &str, model: &str) -> InstrumentBuilder {
    let described = sdk::instrument(name, display_name).made_by("Eutectic", model, "");
    described.driver_version(env!("CARGO_PKG_VERSION")).concurrency(1, 1).with(|instrument| {
        instrument.conformance_level = ConformanceLevel::Simulation.into();
        instrument.time_mode = TimeMode::Simulated.into();
    })
}

impl<M: Model> Simulated<M> {
    /// Orders the hardware: first it is told what to do, then it begins. A crash between the two is seen by its count.
    fn begin(&self, call: &Call) -> Result<(Activity, Prepared, Option<OrderedFault>), Fault> {
        let (operation, world) = (call.operation(), &self.bench.world);
        let breaks = match self.defect {
            Some(Defect::Clogs) => clogs(&self.bench, self.repeats(&operation.capability)).map_err(|fault| *fault)?,
            Some(Defect::StartTwice | Defect::NoProbe) | None => None,
        };
        let prepared = self.model.prepare(operation, call.context(), &self.bench)?;
        let begins = self.bench.now_ms();
        #[expect(clippy::cast_possible_truncation, reason = "an operation takes days at most")]
        let lasts = (prepared.seconds / self.speed * 1000.0) as i64;
        let times = (begins, begins + lasts);
        let activity = Activity::new(&operation.id, world.starts(), times, &prepared.measurements);
        let order = || {
            world.keep_truth(&operation.id, &prepared.truth)?;
            world.set_activity(&activity)?;
            world.count_start(begins)?;
            if self.defect == Some(Defect::StartTwice) && call.context().experiment % 3 == 0 {
                world.count_start(begins)?;
            }
            prepared.changes.iter().try_for_each(|change| world.apply(change))
        };
        order().map_err(|error: WorldError| hardware(&error.to_string()))?;
        Ok((activity, prepared, breaks.or_else(|| self.conditions.take_fault())))
    }

    fn repeats(&self, capability: &str) -> Effect {
        self.manifest.capability(capability).map_or(Effect::Once, crate::wire::Capability::effect)
    }

    fn effect(&self, capability: &str) -> SampleEffect {
        match self.repeats(capability) {
            Effect::Repeatable => SampleEffect::None,
            Effect::Once | Effect::Unspecified => SampleEffect::Modified,
        }
    }

    /// Until the hardware has done, or a fault that was ordered comes.
    async fn go_on(
        &self,
        call: &mut Call,
        activity: &Activity,
        stages: &[&str],
        mut ordered: Option<OrderedFault>,
    ) -> Result<(), Broken> {
        let lasts = (activity.ends_ms - activity.begins_ms).max(1);
        let mut held = Duration::ZERO;
        loop {
            let now = call.clock().since_1970().saturating_sub(held);
            let left = activity.ends_ms - i64::try_from(now.as_millis()).unwrap_or(i64::MAX);
            #[expect(clippy::cast_precision_loss, reason = "milliseconds of one operation")]
            let fraction = 1.0 - left.max(0) as f64 / lasts as f64;
            if let Some(fault) = ordered.take_if(|fault| fraction >= fault.at) {
                fault.strike(call).await?;
            }
            if left <= 0 {
                return Ok(());
            }
            call.progress(fraction, stage(stages, fraction));
            let least = match call.clock().is_virtual() {
                true => Duration::from_millis((lasts / VIRTUAL_PIECES).unsigned_abs()),
                false => Duration::ZERO,
            };
            let pause = PROGRESS_INTERVAL.max(least).min(Duration::from_millis(left.unsigned_abs()));
            call.sleep(pause).await?;
            let before = call.clock().since_1970();
            call.safe_point().await?;
            held += call.clock().since_1970().saturating_sub(before);
        }
    }
}

/// Why it did not come to its end.
pub(super) enum Broken {
    Stopped,
    Fault(Box<Fault>),
}

impl From<StopReason> for Broken {
    fn from(_: StopReason) -> Self {
        Self::Stopped
    }
}

#[async_trait]
impl<M: Model> Driver for Simulated<M> {
    fn manifest(&self) -> Result<Manifest, ManifestError> {
        Ok(self.manifest.clone())
    }

    async fn status(&self) -> StatusReport {
        self.conditions.change(self.model.status(&self.bench))
    }

    fn check(&self, capability: &str, arguments: &Arguments) -> Result<(), Fault> {
        self.model.check(capability, arguments)
    }

    async fn run(&self, mut call: Call) -> Result<Outcome, Fault> {
        let (activity, prepared, ordered) = self.begin(&call)?;
        if let Err(broken) = self.go_on(&mut call, &activity, prepared.stages, ordered).await {
            self.bench.world.clear_activity();
            return Err(match broken {
                Broken::Stopped => call.cut_short(prepared.effect),
                Broken::Fault(fault) => *fault,
            });
        }
        let outcome =
            Outcome { measurements: prepared.measurements, sample_effect: prepared.effect, ..Outcome::default() };
        match prepared.artifact {
            None => Ok(outcome),
            Some(Artifact { output, media_type, make }) => {
                let made = tokio::task::spawn_blocking(make).await;
                let content = made.map_err(|error| hardware(&format!("the file was not made: {error}")))?;
                Ok(outcome.artifact(output, call.artifact(output, media_type, content).await?))
            }
        }
    }

    async fn safe_state(&self, _why: StopReason) {
        self.bench.world.clear_activity();
    }

    async fn probe(&self, operation: &Operation) -> Probe {
        if self.defect == Some(Defect::NoProbe) {
            return Probe::Unknown;
        }
        let Some(activity) = self.bench.world.activity().filter(|it| it.operation == operation.id) else {
            // Ordered before it begins, and told of no other since: it never heard of this one.
            return Probe::NeverStarted;
        };
        if self.bench.world.starts() <= activity.starts_before {
            return Probe::NeverStarted;
        }
        if activity.ends_ms > self.bench.now_ms() {
            return Probe::Running;
        }
        let sample_effect = self.effect(&operation.capability);
        Probe::Ended(Ok(Outcome { measurements: activity.measurements(), sample_effect, ..Outcome::default() }))
    }
}

fn stage<'a>(stages: &[&'a str], fraction: f64) -> &'a str {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a handful of stages"
    )]
    let at = (fraction.clamp(0.0, 1.0) * stages.len() as f64) as usize;
    stages.get(at.min(stages.len().saturating_sub(1))).copied().unwrap_or_default()
}

/// Nothing was done: these arguments can't work.
pub(super) fn bad_request(reason: &str, message: String) -> Fault {
    Fault {
        reason: reason.to_owned(),
        message,
        category: Category::BadRequest.into(),
        retry: Retry::Never.into(),
        sample_effect: SampleEffect::None.into(),
        ..Fault::default()
    }
}

fn hardware(message: &str) -> Fault {
    Fault {
        reason: "HARDWARE".to_owned(),
        message: message.to_owned(),
        category: Category::Hardware.into(),
        retry: Retry::AfterPerson.into(),
        sample_effect: SampleEffect::Unknown.into(),
        needs_person: true,
        ..Fault::default()
    }
}

/// What a driver's second service needs of it, whatever its model.
pub(super) trait Behind: Send + Sync + 'static {
    /// What a succeeded operation would have measured without noise.
    fn truth(&self, operation: &str) -> Option<Vec<Measurement>>;

    /// What was ordered to go wrong.
    fn conditions(&self) -> &Conditions;
}

impl<M: Model> Behind for Simulated<M> {
    fn truth(&self, operation: &str) -> Option<Vec<Measurement>> {
        self.bench.world.read_truth(operation)
    }

    fn conditions(&self) -> &Conditions {
        &self.conditions
    }
}
