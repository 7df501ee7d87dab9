//! A simulated instrument: the hardware behind a model, and the driver in front of it.

use super::world::{Activity, World, WorldError};
use crate::machine::{Arguments, Manifest, ManifestError, Outcome, Probe, StopReason};
use crate::sdk::{self, Call, Driver, InstrumentBuilder, async_trait};
use crate::wire::fault::{Category, Retry};
use crate::wire::instrument::TimeMode;
use crate::wire::{ConformanceLevel, Context, Fault, Measurement, Operation, SampleEffect};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// How often progress is told.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(100);

/// What is special about one kind of instrument.
pub(super) trait Model: Send + Sync + 'static {
    fn manifest(&self, name: &str) -> Result<Manifest, ManifestError>;

    fn check(&self, _arguments: &Arguments) -> Result<(), Fault> {
        Ok(())
    }

    /// What the hardware is about to do. Deterministic in operation, context and bench.
    fn prepare(&self, operation: &Operation, context: &Context, world: &World) -> Result<Prepared, Fault>;
}

/// An operation, worked out before the hardware begins.
pub(super) struct Prepared {
    /// s of the instrument's own time.
    pub(super) seconds: f64,
    pub(super) measurements: Vec<Measurement>,
    /// The same without noise.
    pub(super) truth: Vec<Measurement>,
    pub(super) effect: SampleEffect,
    /// Shown one after the other while it goes on.
    pub(super) stages: &'static [&'static str],
}

/// What is wrong with it, on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Defect {
    /// Now and then the driver starts the hardware twice for one operation.
    StartTwice,
}

pub(super) struct Simulated<M> {
    pub(super) model: M,
    pub(super) manifest: Manifest,
    pub(super) world: World,
    pub(super) speed: f64,
    pub(super) defect: Option<Defect>,
}

/// What every simulated instrument says of itself.
pub(super) fn described(name: &str, display_name: &str, model: &str) -> InstrumentBuilder {
    sdk::instrument(name, display_name).made_by("Eutectic", model, "").driver_version(env!("CARGO_PKG_VERSION")).with(
        |instrument| {
            instrument.conformance_level = ConformanceLevel::Data.into();
            instrument.time_mode = TimeMode::Simulated.into();
        },
    )
}

fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

impl<M: Model> Simulated<M> {
    /// Orders the hardware: first it is told what to do, then it begins. A crash between the two is seen by its count.
    fn begin(&self, call: &Call) -> Result<(Activity, Prepared), Fault> {
        let operation = call.operation();
        let prepared = self.model.prepare(operation, call.context(), &self.world)?;
        let begins = now_ms();
        #[expect(clippy::cast_possible_truncation, reason = "an operation takes minutes")]
        let lasts = (prepared.seconds / self.speed * 1000.0) as i64;
        let times = (begins, begins + lasts);
        let activity = Activity::new(&operation.id, self.world.starts(), times, &prepared.measurements);
        let order = || {
            self.world.keep_truth(&operation.id, &prepared.truth)?;
            self.world.set_activity(&activity)?;
            self.world.count_start(begins)?;
            if self.defect == Some(Defect::StartTwice) && call.context().experiment % 3 == 0 {
                self.world.count_start(begins)?;
            }
            Ok(())
        };
        order().map_err(|error: WorldError| hardware(&error.to_string()))?;
        Ok((activity, prepared))
    }
}

#[async_trait]
impl<M: Model> Driver for Simulated<M> {
    fn manifest(&self) -> Result<Manifest, ManifestError> {
        Ok(self.manifest.clone())
    }

    fn check(&self, _capability: &str, arguments: &Arguments) -> Result<(), Fault> {
        self.model.check(arguments)
    }

    async fn run(&self, mut call: Call) -> Result<Outcome, Fault> {
        let (activity, prepared) = self.begin(&call)?;
        loop {
            let left = activity.ends_ms - now_ms();
            if left <= 0 {
                break;
            }
            let lasts = (activity.ends_ms - activity.begins_ms).max(1);
            #[expect(clippy::cast_precision_loss, reason = "milliseconds of one operation")]
            let fraction = 1.0 - left as f64 / lasts as f64;
            call.progress(fraction, stage(prepared.stages, fraction));
            let pause = PROGRESS_INTERVAL.min(Duration::from_millis(left.unsigned_abs()));
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                _ = call.cancelled() => {
                    self.world.clear_activity();
                    return Err(call.cut_short(prepared.effect));
                }
            }
        }
        Ok(Outcome { measurements: prepared.measurements, sample_effect: prepared.effect, ..Outcome::default() })
    }

    async fn safe_state(&self, _why: StopReason) {
        self.world.clear_activity();
    }

    async fn probe(&self, operation: &Operation) -> Probe {
        let Some(activity) = self.world.activity().filter(|it| it.operation == operation.id) else {
            // Ordered before it begins, and told of no other since: it never heard of this one.
            return Probe::NeverStarted;
        };
        if self.world.starts() <= activity.starts_before {
            return Probe::NeverStarted;
        }
        if activity.ends_ms > now_ms() {
            return Probe::Running;
        }
        let effect = match self.manifest.capability(&operation.capability).map(crate::wire::Capability::effect) {
            Some(crate::wire::capability::Effect::Repeatable) => SampleEffect::None,
            _ => SampleEffect::Modified,
        };
        Probe::Ended(Ok(Outcome { measurements: activity.measurements(), sample_effect: effect, ..Outcome::default() }))
    }
}

fn stage(stages: &'static [&'static str], fraction: f64) -> &'static str {
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
        ..Fault::default()
    }
}

/// What a driver's second service needs of it.
pub(super) trait Truth: Send + Sync + 'static {
    /// What a succeeded operation would have measured without noise.
    fn truth(&self, operation: &str) -> Option<Vec<Measurement>>;
}

impl<M: Model> Truth for Simulated<M> {
    fn truth(&self, operation: &str) -> Option<Vec<Measurement>> {
        self.world.read_truth(operation)
    }
}

/// The same driver, as its second service sees it.
pub(super) type SharedTruth = Arc<dyn Truth>;
