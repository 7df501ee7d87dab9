//! An orchestrator's process: the production step and sessions, and what a crash of it loses.

use eutectic::engine::{Change, Performing, Step};
use eutectic::gateway::Session;
use eutectic::journal::MemoryJournal;
use eutectic::planning;
use eutectic_core::{Command, Effect, EffectKey, InstrumentId, PlanAnswer, Reply, Request, RequestId, Time};
use std::collections::BTreeMap;

pub(crate) struct Process {
    pub(crate) step: Step,
    performing: Performing,
    pub(crate) sessions: BTreeMap<InstrumentId, Session>,
}

/// The process has ended: its journal did not say whether it stored what was appended.
pub(crate) struct Died;

impl Process {
    pub(crate) fn start(journal: &MemoryJournal, instruments: &[&str]) -> Self {
        let step = Step::open(Box::new(journal.clone()), "simulated").unwrap();
        let session = |name: &&str| {
            let instrument = InstrumentId::new(*name);
            (instrument.clone(), Session::new(instrument, step.journal_workcell().to_owned()))
        };
        let sessions = instruments.iter().map(session).collect();
        Self { step, performing: Performing::default(), sessions }
    }

    /// By the engine's one door. Returns the plans that are owed now, as commands that answer them.
    pub(crate) fn take(
        &mut self,
        wall_ms: i64,
        id: Option<&str>,
        command: Command,
    ) -> Result<(Reply, Vec<Command>), Died> {
        let now = Time(wall_ms);
        let request = Request { id: id.map(RequestId::new), command };
        let batch = self.step.take(now, vec![request]).map_err(|_| Died)?;
        let mut plans = Vec::new();
        if self.step.owns() {
            for change in self.performing.changes(self.step.workcell().owed()) {
                plans.extend(self.change(change));
            }
        }
        Ok((batch.replies.into_iter().next().unwrap_or_default(), plans))
    }

    fn change(&mut self, change: Change) -> Option<Command> {
        match change {
            Change::Owed(_, Effect::Hold { instrument, epoch, known }) => {
                self.sessions.get_mut(&instrument).unwrap().hold(epoch, known);
            }
            Change::Owed(_, Effect::Attend(attend)) => {
                self.sessions.get_mut(&attend.dispatch.instrument).unwrap().attend(*attend);
            }
            Change::Owed(_, Effect::Plan(order)) => {
                let campaign = &self.step.workcell().campaigns[&order.campaign];
                let mut answer = planning::plan_here(&planning::prepare(campaign, &order)).unwrap();
                if let PlanAnswer::Proposals { took_ms, .. } = &mut answer {
                    *took_ms = 0;
                }
                return Some(Command::AddProposals { campaign: order.campaign, ticket: order.ticket, answer });
            }
            Change::Settled(EffectKey::Attend(operation)) => {
                for session in self.sessions.values_mut() {
                    session.forget(&operation);
                }
            }
            Change::Settled(EffectKey::Hold(_) | EffectKey::Plan(..)) => {}
        }
        None
    }
}
