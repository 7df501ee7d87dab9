//! One function a command: what it means in this state, or why it makes no sense.

mod campaign;
mod experiment;
mod instrument;
mod intervention;
mod journal;
mod operation;
mod plan;

use crate::command::Command;
use crate::event::Event;
use crate::rejection::Rejection;
use crate::state::Workcell;

/// Decides a command. Changes nothing.
pub(crate) fn decide(workcell: &Workcell, command: Command) -> Result<Vec<Event>, Rejection> {
    match command {
        Command::TakeEpoch { owner, workcell: id } => Ok(instrument::take_epoch(workcell, owner, id)),
        Command::SetLab { instruments } => instrument::set_lab(workcell, instruments),
        Command::DescribeInstrument { instrument, description } => {
            instrument::describe(workcell, instrument, description)
        }
        Command::TakeLease { instrument, epoch, journal_id, token } => {
            instrument::take_lease(workcell, instrument, epoch, journal_id, token)
        }
        Command::ReportSilence { instrument, reason } => instrument::silent(workcell, instrument, reason),
        Command::ReportHeard { instrument } => instrument::heard(workcell, instrument),
        Command::ReleaseInstrument { instrument, by } => intervention::release(workcell, instrument, by),
        Command::ResolveIntervention { intervention, revision, decision, by } => {
            intervention::resolve(workcell, intervention, revision, decision, by)
        }
        Command::AcknowledgePages { pages, by } => Ok(intervention::acknowledge(pages, &by)),
        Command::DoubtJournal { instrument, epoch, operation } => {
            Ok(journal::doubt(workcell, instrument, epoch, operation))
        }
        Command::SuspendDispatch { cause, reason } => Ok(journal::suspend(workcell, cause, reason)),
        Command::ResumeDispatch { cause } => Ok(journal::resume(workcell, cause)),
        Command::AdoptJournal { by } => journal::adopt(workcell, by),
        Command::ReportOperation { operation, report } => operation::report(workcell, operation, report),
        Command::AddCampaign { spec, digest, source, seed } => campaign::add(workcell, *spec, digest, source, seed),
        Command::PauseCampaign { campaign, by } => campaign::pause(workcell, campaign, by),
        Command::ResumeCampaign { campaign, by } => campaign::resume(workcell, campaign, by),
        Command::StopCampaign { campaign, by } => campaign::stop(workcell, campaign, by),
        Command::AbortCampaign { campaign, by } => campaign::abort(workcell, campaign, by),
        Command::EnqueueExperiments { campaign, settings } => experiment::enqueue(workcell, &campaign, settings),
        Command::SuggestExperiments { campaign, count } => experiment::suggest(workcell, campaign, count),
        Command::RecordObservations { campaign, rows } => experiment::record(workcell, &campaign, rows),
        Command::AddProposals { campaign, ticket, answer } => plan::answered(workcell, campaign, ticket, answer),
        Command::FailPlan { campaign, ticket, message } => plan::failed(workcell, campaign, ticket, message),
        Command::Tick => Ok(Vec::new()),
    }
}
