//! An orchestrator without files: journal, engine, performer, fleet, on a stub.

use crate::Fault;
use crate::stub::CAPABILITY;
use eutectic::engine::perform::{Lab, perform};
use eutectic::engine::{Engine, Handle, Step};
use eutectic::gateway::{AddressSource, Fleet, Member, Options};
use eutectic::journal::{EmbeddedJournal, Results};
use eutectic_core::model::{
    Admission, Binding, Budget, CampaignSpec, Domain, Expr, Leaf, Level, Objective, Outcome, Parameter, Unit,
};
use eutectic_core::{CampaignName, Command, InstrumentId, Request, RequestId, StepName};
use std::net::SocketAddr;
use std::path::Path;
use tokio::sync::mpsc;

/// The step of every experiment.
const STEP: &str = "do";

/// Journal, engine, performer and fleet of one folder.
pub struct Rig {
    /// The engine.
    pub engine: Engine,
    /// The performer ends with it.
    _labs: mpsc::Sender<Lab>,
}

/// The names of so many instruments.
#[must_use]
pub fn names(count: u32) -> Vec<InstrumentId> {
    (0..count).map(|number| InstrumentId::new(format!("stub-{number}"))).collect()
}

impl Rig {
    /// Opens the folder; begins to hold so many instruments.
    ///
    /// # Errors
    /// Whatever the journal, the engine or the system says.
    pub async fn start(folder: &Path, address: SocketAddr, instruments: u32) -> Result<Self, Fault> {
        let (journal, _) = EmbeddedJournal::open(folder)?;
        let step = Step::open(Box::new(journal), "the benchmark")?;
        let (changes, changed) = mpsc::unbounded_channel();
        let engine = Engine::start(step, changes)?;
        let (labs, lab) = mpsc::channel(1);
        tokio::spawn(perform(engine.handle(), Results::of(folder), changed, lab));
        tokio::spawn(engine.handle().tick());
        let lab = names(instruments).into_iter().map(|name| (name, None)).collect();
        engine.handle().report(Command::SetLab { instruments: lab }).await?;
        let source = AddressSource::Fixed(format!("http://{address}"));
        let member = |instrument| Member { instrument, source: source.clone(), safe_when_alone: false };
        let members = names(instruments).into_iter().map(member).collect();
        let (fleet, reports) = Fleet::start(Options { holder: "benchmark".to_owned(), members, tls: None });
        labs.send(Lab { fleet, reports }).await?;
        Ok(Self { engine, _labs: labs })
    }

    /// The way into its engine.
    #[must_use]
    pub fn handle(&self) -> Handle {
        self.engine.handle()
    }

    /// Waits until so many instruments are held and described.
    ///
    /// # Errors
    /// Whatever the journal, the engine or the system says.
    pub async fn ready(&self, instruments: u32) -> Result<(), Fault> {
        let engine = self.handle();
        let mut seq = engine.seq();
        loop {
            let held = engine.read(|workcell| {
                let held = workcell.instruments.values();
                held.filter(|it| it.description.is_some() && workcell.held(it)).count()
            });
            if held.await? >= instruments as usize {
                return Ok(());
            }
            seq.changed().await?;
        }
    }

    /// Adds a campaign of so many points; after those it goes on with a Sobol sequence, so that no model is fitted.
    ///
    /// # Errors
    /// Whatever the journal, the engine or the system says.
    pub async fn add(&self, name: &str, experiments: u32, in_flight: u32) -> Result<(), Fault> {
        let mut spec = Box::new(campaign(name, experiments, in_flight));
        spec.budget.experiments = 2 * experiments;
        spec.planner.initial = Some(2 * experiments);
        let command = Command::AddCampaign { spec, digest: "d".to_owned(), source: String::new(), seed: 7 };
        let request = Request { id: Some(RequestId::new(format!("add {name}"))), command };
        match self.handle().submit(request).await?.rejection {
            None => Ok(()),
            Some(rejection) => Err(rejection.to_string().into()),
        }
    }
}

/// A campaign of one step on any instrument.
#[must_use]
pub fn campaign(name: &str, experiments: u32, in_flight: u32) -> CampaignSpec {
    let y = Leaf::Output { step: STEP.to_owned(), output: "y".to_owned() };
    let point = |number: u32| [("x".to_owned(), Level::Real(f64::from(number) / f64::from(experiments)))].into();
    let parameters = vec![Parameter {
        name: "x".to_owned(),
        domain: Domain::Real { low: 0.0, high: 1.0, log: false },
        unit: Unit::one(),
    }];
    let outcomes = vec![Outcome { name: "y".to_owned(), value: Some(Expr::Leaf(y)), unit: Unit::one() }];
    let budget = Budget { cost: None, experiments, in_flight, admission: Admission::AsArrived };
    CampaignSpec {
        steps: vec![eutectic_core::model::Step {
            name: StepName::new(STEP),
            capability: CAPABILITY.to_owned(),
            instrument: None,
            after: Vec::new(),
            with: [("x".to_owned(), Binding::Parameter("x".to_owned()))].into(),
        }],
        experiments: (0..experiments).map(point).collect(),
        ..CampaignSpec::new(CampaignName::new(name), parameters, outcomes, vec![Objective::maximize("y")], budget)
    }
}
