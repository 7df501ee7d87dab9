//! Does what is owed, and brings back what comes of it.

use super::clock::now;
use super::inbox::Handle;
use super::large::keep;
use super::performing::Change;
use crate::gateway::{Fleet, GatewayReport};
use crate::journal::Results;
use crate::planning::{self, PlanInput};
use eutectic_core::{Command, Effect, EffectKey, PlanAnswer, PlanOrder};
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::{Semaphore, mpsc};

/// A lab to perform with.
pub struct Lab {
    /// The way to its drivers.
    pub fleet: Fleet,
    /// What they report.
    pub reports: mpsc::Receiver<GatewayReport>,
}

/// Performs until the engine has ended; large results are kept in `results`. Obligations towards instruments wait until a
/// lab is given.
pub async fn perform(
    engine: Handle,
    results: Results,
    mut changes: mpsc::UnboundedReceiver<Change>,
    mut labs: mpsc::Receiver<Lab>,
) {
    let mut performer = Performer {
        engine,
        fleet: None,
        owed: BTreeMap::new(),
        // One plan at a time: each wants a core to itself.
        planner: Arc::new(Semaphore::new(1)),
    };
    loop {
        tokio::select! {
            change = changes.recv() => match change {
                None => return,
                Some(change) => performer.change(change),
            },
            Some(lab) = labs.recv() => {
                tokio::spawn(carry(performer.engine.clone(), results.clone(), lab.reports));
                performer.equip(lab.fleet);
            }
        }
    }
}

struct Performer {
    engine: Handle,
    fleet: Option<Fleet>,
    /// Obligations towards instruments.
    owed: BTreeMap<EffectKey, Effect>,
    planner: Arc<Semaphore>,
}

impl Performer {
    fn equip(&mut self, fleet: Fleet) {
        for effect in self.owed.values() {
            begin(&fleet, effect);
        }
        self.fleet = Some(fleet);
    }

    fn change(&mut self, change: Change) {
        match change {
            Change::Owed(_, Effect::Plan(order)) => {
                tokio::spawn(plan(self.engine.clone(), *order, Arc::clone(&self.planner)));
            }
            Change::Owed(key, effect) => {
                if let Some(fleet) = &self.fleet {
                    begin(fleet, &effect);
                }
                self.owed.insert(key, effect);
            }
            Change::Settled(key) => {
                let owed = self.owed.remove(&key);
                if let (Some(fleet), Some(Effect::Attend(attend))) = (&self.fleet, owed) {
                    fleet.forget(&attend.dispatch.instrument, &attend.dispatch.operation);
                }
            }
        }
    }
}

fn begin(fleet: &Fleet, effect: &Effect) {
    match effect {
        Effect::Hold { instrument, epoch, known } => fleet.hold(instrument, *epoch, known.clone()),
        Effect::Attend(attend) => fleet.attend((**attend).clone()),
        Effect::Plan(_) => {}
    }
}

async fn carry(engine: Handle, results: Results, mut reports: mpsc::Receiver<GatewayReport>) {
    while let Some(report) = reports.recv().await {
        // A verdict that it came too late is of no use to anybody.
        if engine.post(keep(&results, report).into()).await.is_err() {
            return;
        }
    }
}

async fn plan(engine: Handle, order: PlanOrder, planner: Arc<Semaphore>) {
    let Ok(_permit) = planner.acquire().await else { return };
    let (campaign, ticket) = (order.campaign.clone(), order.ticket);
    let prepared = engine.read(move |workcell| {
        let campaign = workcell.campaigns.get(&order.campaign)?;
        // Void by now: nobody waits for it any more.
        campaign.plan.as_ref().filter(|plan| plan.ticket == order.ticket)?;
        Some(planning::prepare(campaign, &order))
    });
    let command = match prepared.await {
        Err(_) | Ok(None) => return,
        Ok(Some(input)) => match timed(input).await {
            Ok(answer) => Command::AddProposals { campaign, ticket, answer },
            Err(error) => Command::FailPlan { campaign, ticket, message: error.to_string() },
        },
    };
    if let Ok(reply) = engine.report(command).await
        && let Some(rejection) = reply.rejection
    {
        tracing::debug!(%rejection, "a plan came too late");
    }
}

async fn timed(input: PlanInput) -> Result<PlanAnswer, planning::PlanningError> {
    let begun = now();
    let mut answer = planning::plan(input).await?;
    if let PlanAnswer::Proposals { took_ms, .. } = &mut answer {
        *took_ms = now().since(begun).max(0).unsigned_abs();
    }
    Ok(answer)
}
