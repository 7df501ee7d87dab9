//! Gets a lab ready when a campaign needs it, and keeps it.

use super::guard;
use super::halt::{LAST_LAB, fleet_of, halt_in_order, last_lab};
use super::recovery::recoverable;
use super::simulated::Simulated;
use super::summary::summaries;
use crate::engine::Handle;
use crate::engine::perform::Lab;
use crate::files::{Capabilities, InstrumentSpec, LabSpec, load_lab};
use crate::gateway::{Fleet, GatewayReport, View};
use crate::paging::{Deliveries, Pager};
use eutectic_core::model::{Binding, CampaignSpec, Setting, Step, Value};
use eutectic_core::{Command, InstrumentId};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::mpsc;

/// How long drivers may take to say what they can do before a campaign is refused for want of them.
const DESCRIBE_TIMEOUT: Duration = Duration::from_secs(15);
/// How often they are looked at meanwhile, and simulated ones for ever after.
const LOOK_INTERVAL: Duration = Duration::from_millis(100);
/// How often a simulated driver that died is noticed.
const ENSURE_INTERVAL: Duration = Duration::from_secs(2);

/// The lab of a data folder: none until a campaign needs one.
pub struct Keeper {
    simulated: Simulated,
    last: PathBuf,
    holder: String,
    engine: Handle,
    labs: mpsc::Sender<Lab>,
    equipped: Mutex<Option<Equipped>>,
    pager: Mutex<Option<Pager>>,
    /// One call at a time gets a lab ready.
    turn: tokio::sync::Mutex<()>,
}

#[derive(Clone)]
struct Equipped {
    path: PathBuf,
    spec: LabSpec,
    fleet: Fleet,
}

/// A lab that is looked at without holding it.
pub struct Visit {
    /// The way to its drivers.
    pub fleet: Fleet,
    /// What they can do.
    pub capabilities: Capabilities,
    /// Reports go nowhere, but their channel stays open.
    _reports: mpsc::Receiver<GatewayReport>,
}

impl Keeper {
    /// A keeper of the lab of this data folder. `holder` is the workcell's name towards drivers.
    #[must_use]
    pub fn new(data: &Path, program: PathBuf, holder: String, engine: Handle, labs: mpsc::Sender<Lab>) -> Self {
        Self {
            simulated: Simulated::new(data, program),
            last: data.join(LAST_LAB),
            holder,
            engine,
            labs,
            equipped: Mutex::new(None),
            pager: Mutex::new(None),
            turn: tokio::sync::Mutex::new(()),
        }
    }

    /// Makes this the lab: starts what is simulated, takes the leases, waits until every driver has said what it can do.
    ///
    /// # Errors
    /// In words: the file's diagnostics, another lab already in use, a driver that doesn't answer.
    pub async fn equip(&self, path: &Path) -> Result<Capabilities, Vec<String>> {
        let _turn = self.turn.lock().await;
        let file = load_lab(path).map_err(|report| vec![report.to_string()])?;
        let current = self.current();
        if let Some(current) = &current
            && current.spec != file.spec
        {
            return Err(vec![format!(
                "error: this process works with the lab of {}\nhelp: one data folder has one lab; use another `--data` folder for {}",
                current.path.display(),
                path.display()
            )]);
        }
        let fleet = match current {
            Some(current) => current.fleet,
            None => self.first(path, &file.spec).await?,
        };
        described(&fleet, &file.spec).await
    }

    async fn first(&self, path: &Path, spec: &LabSpec) -> Result<Fleet, Vec<String>> {
        self.ensure(spec)?;
        let instruments = spec.instruments.iter().map(|it| (it.name.clone(), it.policy.clone())).collect();
        let reply = self.engine.report(Command::SetLab { instruments }).await;
        let rejection = reply.map_err(|error| vec![format!("error: {error}")])?.rejection;
        if let Some(rejection) = rejection {
            return Err(vec![format!("error: {}\nhelp: {}", rejection.message, rejection.hint)]);
        }
        guard::begin(spec, &self.engine).await.map_err(|error| vec![format!("error: {error}")])?;
        let (fleet, reports) = self.fleet_of(spec).map_err(|words| vec![words])?;
        guard::watch(spec, &fleet, &self.engine);
        // Only for `halt` later on; a campaign runs without.
        let _ = std::fs::write(&self.last, path.display().to_string());
        let lab = Lab { fleet: fleet.clone(), reports };
        self.labs.send(lab).await.map_err(|_| vec!["error: the engine has stopped".to_owned()])?;
        let equipped = Equipped { path: path.to_owned(), spec: spec.clone(), fleet: fleet.clone() };
        *self.equipped.lock().unwrap_or_else(PoisonError::into_inner) = Some(equipped);
        let pager = spec.paging.clone().map(|paging| Pager::start(paging, self.engine.clone()));
        *self.pager.lock().unwrap_or_else(PoisonError::into_inner) = pager;
        tokio::spawn(watch_over(self.simulated.clone(), spec.clone(), self.engine.clone()));
        Ok(fleet)
    }

    fn ensure(&self, spec: &LabSpec) -> Result<(), Vec<String>> {
        let failed = |(it, error): (&InstrumentSpec, std::io::Error)| {
            format!("error: the simulated instrument '{}' can't be started: {error}", it.name)
        };
        let failures: Vec<_> = spec
            .instruments
            .iter()
            .filter_map(|it| self.simulated.ensure(it).err().map(|error| failed((it, error))))
            .collect();
        if failures.is_empty() { Ok(()) } else { Err(failures) }
    }

    fn fleet_of(&self, spec: &LabSpec) -> Result<(Fleet, mpsc::Receiver<GatewayReport>), String> {
        fleet_of(spec, &self.simulated, self.holder.clone())
    }

    /// Looks at a lab without holding its instruments.
    ///
    /// # Errors
    /// As [`Keeper::equip`].
    pub async fn visit(&self, path: &Path) -> Result<Visit, Vec<String>> {
        let _turn = self.turn.lock().await;
        let file = load_lab(path).map_err(|report| vec![report.to_string()])?;
        self.ensure(&file.spec)?;
        let (fleet, reports) = self.fleet_of(&file.spec).map_err(|words| vec![words])?;
        let capabilities = described(&fleet, &file.spec).await?;
        Ok(Visit { fleet, capabilities, _reports: reports })
    }

    fn current(&self) -> Option<Equipped> {
        self.equipped.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The way to the drivers, once there is a lab.
    #[must_use]
    pub fn fleet(&self) -> Option<Fleet> {
        self.current().map(|it| it.fleet)
    }

    /// The fleet as it looks now; empty without one.
    #[must_use]
    pub fn view(&self) -> View {
        self.fleet().map(|fleet| fleet.view()).unwrap_or_default()
    }

    /// What became of the pages that this process sent.
    #[must_use]
    pub fn deliveries(&self) -> Deliveries {
        self.pager.lock().unwrap_or_else(PoisonError::into_inner).as_ref().map(Pager::deliveries).unwrap_or_default()
    }

    /// Sends the pages that are still to be sent; nobody is called any more afterwards.
    pub async fn settle(&self) {
        let pager = self.pager.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(pager) = pager {
            pager.settle().await;
        }
    }

    /// Physical starts by the simulated hardware's own count; `None` where nothing is simulated.
    #[must_use]
    pub fn starts(&self) -> Option<u64> {
        self.simulated.starts().ok()
    }

    /// Lets an instrument go on after a halt. Returns whether it was halted.
    ///
    /// # Errors
    /// In words, where no lab is known, or the driver can't be reached or refuses.
    pub async fn clear_halt(&self, instrument: &InstrumentId, person: &str) -> Result<bool, String> {
        let (_, fleet, _reports) = self.known_lab()?;
        fleet.clear_halt(instrument, person).await
    }

    /// The lab in use, or else the one that was used last; and what its fleet reports, where that is a new one.
    fn known_lab(&self) -> Result<(LabSpec, Fleet, Option<mpsc::Receiver<GatewayReport>>), String> {
        Ok(match self.current() {
            Some(current) => (current.spec, current.fleet, None),
            None => {
                let spec = last_lab(&self.last)?;
                let (fleet, reports) = self.fleet_of(&spec)?;
                (spec, fleet, Some(reports))
            }
        })
    }

    /// Halts these instruments, or all of the lab: straight to the drivers, without engine, lease or journal.
    ///
    /// # Errors
    /// In words, where no lab is known or an instrument isn't in it.
    pub async fn halt(
        &self,
        wanted: &[InstrumentId],
        reason: &str,
    ) -> Result<Vec<(InstrumentId, Result<String, String>)>, String> {
        let (spec, fleet, _reports) = self.known_lab()?;
        halt_in_order(&spec, &fleet, wanted, reason).await
    }
}

/// Starts a simulated driver again when it died. Ends with the engine.
async fn watch_over(simulated: Simulated, spec: LabSpec, engine: Handle) {
    while engine.read(|_| ()).await.is_ok() {
        tokio::time::sleep(ENSURE_INTERVAL).await;
        let (simulated, spec) = (simulated.clone(), spec.clone());
        let ensured = tokio::task::spawn_blocking(move || {
            spec.instruments.iter().try_for_each(|instrument| simulated.ensure(instrument))
        });
        if let Ok(Err(error)) = ensured.await {
            tracing::warn!(%error, "a simulated instrument can't be started");
        }
    }
}

/// Waits until every driver has said what it can do.
async fn described(fleet: &Fleet, spec: &LabSpec) -> Result<Capabilities, Vec<String>> {
    let deadline = tokio::time::Instant::now() + DESCRIBE_TIMEOUT;
    loop {
        let capabilities = summaries(&fleet.view().instruments);
        let silent: Vec<_> =
            spec.instruments.iter().map(|it| &it.name).filter(|name| !capabilities.contains_key(*name)).collect();
        if silent.is_empty() {
            recoverable(spec, &capabilities)?;
            return Ok(capabilities);
        }
        if tokio::time::Instant::now() >= deadline {
            let words = silent.iter().map(|name| {
                format!("error: the driver of '{name}' doesn't answer\nhelp: is it running, and is its address in lab.toml right?")
            });
            return Err(words.collect());
        }
        tokio::time::sleep(LOOK_INTERVAL).await;
    }
}

impl Visit {
    /// Who would do this step at this point, and with what; `None` where it needs an earlier step's output.
    #[must_use]
    pub fn arguments(
        &self,
        spec: &CampaignSpec,
        step: &Step,
        setting: &Setting,
    ) -> Option<(InstrumentId, BTreeMap<String, Value>)> {
        let able = self.capabilities.iter().find(|(name, it)| {
            it.capabilities.contains_key(&step.capability) && step.instrument.as_ref().is_none_or(|it| it == *name)
        });
        let bound = |binding: &Binding| match binding {
            Binding::Literal(value) => Some(value.clone()),
            Binding::Parameter(name) => {
                let parameter = spec.parameter(name)?;
                Some(parameter.argument(setting.get(name)?))
            }
            Binding::Output { .. } => None,
        };
        let arguments = step.with.iter().map(|(name, binding)| Some((name.clone(), bound(binding)?)));
        Some((able?.0.clone(), arguments.collect::<Option<_>>()?))
    }
}
