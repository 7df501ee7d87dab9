//! What each verb does in each phase, in words; and the way of one experiment.

use crate::support::{add, ask, lease, outputs, setting, spec, tell, workcell};
use eutectic_core::model::{
    FailureKind, GainVerdict, Origin, Proposal, RemainingGain, RepeatEffect, SampleEffect, StopReason, Why, WhyKind,
};
use eutectic_core::{
    CampaignName, Command, Effect, EffectKey, Ended, ExperimentPhase, Fault, FaultCategory, Phase, PlanAnswer, Purpose,
    Report, Workcell,
};

/// A campaign of one own point that is under way.
pub(super) fn running(in_flight: u32) -> Workcell {
    let mut workcell = workcell();
    let mut spec = spec("c", 5, in_flight);
    spec.experiments = vec![setting(0.5), setting(0.25)];
    assert_eq!(add(&mut workcell, spec).reply.rejection, None);
    workcell
}

pub(super) fn open(workcell: &Workcell) -> Vec<(eutectic_core::OperationId, String)> {
    workcell.operations.iter().map(|(id, it)| (id.clone(), it.dispatch.step.to_string())).collect()
}

pub(super) fn end(workcell: &mut Workcell, ended: impl Fn(&str) -> Ended) {
    let (operation, step) = open(workcell).remove(0);
    let report = Report::Ended(ended(&step));
    tell(workcell, 10, Command::ReportOperation { operation, report });
}

pub(super) fn succeed(workcell: &mut Workcell) {
    end(workcell, |step| Ended::Succeeded { outputs: outputs(step, 42.0) });
}

pub(super) fn fault(category: FaultCategory, retry: bool) -> Fault {
    Fault { reason: "PUMP".into(), message: "no flow".into(), category, retry, person: false }
}

fn phase(workcell: &Workcell) -> &'static str {
    workcell.campaigns[&CampaignName::new("c")].phase.word()
}

pub(super) fn experiment(workcell: &Workcell, number: usize) -> &ExperimentPhase {
    &workcell.campaigns[&CampaignName::new("c")].experiments[number - 1].phase
}

#[test]
fn a_step_waits_for_the_ones_before_it_and_outcomes_follow_the_last() {
    let mut workcell = running(1);
    assert_eq!(open(&workcell).iter().map(|it| it.1.as_str()).collect::<Vec<_>>(), ["make"]);
    succeed(&mut workcell);
    assert_eq!(open(&workcell).iter().map(|it| it.1.as_str()).collect::<Vec<_>>(), ["read"]);
    succeed(&mut workcell);
    let ExperimentPhase::Observed(observation) = experiment(&workcell, 1) else { panic!("not observed") };
    assert!((observation.outcomes["yield"].value - 42.0).abs() < f64::EPSILON);
    assert_eq!(observation.outcomes["yield"].sd, Some(0.1));
    assert_eq!(experiment(&workcell, 2), &ExperimentPhase::Running, "the next one follows by itself");
}

#[test]
fn every_verb_makes_sense_or_says_why_not() {
    type Verb = fn(CampaignName) -> Command;
    let verbs: [(&str, Verb); 4] = [
        ("pause", |campaign| Command::PauseCampaign { campaign, by: "ada".into() }),
        ("resume", |campaign| Command::ResumeCampaign { campaign, by: "ada".into() }),
        ("stop", |campaign| Command::StopCampaign { campaign, by: "ada".into() }),
        ("abort", |campaign| Command::AbortCampaign { campaign, by: "ada".into() }),
    ];
    // By phase: what each verb leads to, or the words of its rejection.
    let table: [(&[&str], [&str; 4]); 4] = [
        (&[], ["paused", "is not paused", "stopping", "aborting"]),
        (&["pause"], ["is paused already, by ada", "running", "stopping", "aborting"]),
        (&["stop"], ["can't be paused", "can't be resumed", "is stopping already", "aborting"]),
        (&["abort"], ["can't be paused", "can't be resumed", "can't be stopped", "is aborting already"]),
    ];
    for (before, expected) in table {
        for ((verb, command), expected) in verbs.iter().zip(expected) {
            let mut workcell = running(1);
            for first in before {
                let (_, command) = verbs.iter().find(|(name, _)| name == first).unwrap();
                assert_eq!(ask(&mut workcell, 3, "first", command("c".into())).reply.rejection, None);
            }
            let reply = ask(&mut workcell, 4, "second", command("c".into())).reply;
            match reply.rejection {
                None => assert_eq!(phase(&workcell), expected, "{verb} after {before:?}"),
                Some(rejection) => {
                    assert!(rejection.message.contains(expected), "{verb} after {before:?}: {}", rejection.message);
                    assert!(!rejection.hint.is_empty(), "{}", rejection.message);
                }
            }
        }
    }
    let mut workcell = running(1);
    let unknown = ask(&mut workcell, 3, "x", Command::PauseCampaign { campaign: "d".into(), by: "ada".into() });
    assert!(unknown.reply.rejection.unwrap().message.contains("there is no campaign 'd'"));
}

#[test]
fn stopping_waits_for_what_runs_and_aborting_asks_for_its_end() {
    let mut workcell = running(1);
    ask(&mut workcell, 3, "stop", Command::StopCampaign { campaign: "c".into(), by: "ada".into() });
    succeed(&mut workcell);
    assert_eq!(phase(&workcell), "stopping", "the second step still follows");
    succeed(&mut workcell);
    assert!(matches!(experiment(&workcell, 1), ExperimentPhase::Observed(_)));
    assert!(workcell.operations.is_empty(), "the second point is not begun any more");

    let mut workcell = running(1);
    ask(&mut workcell, 3, "abort", Command::AbortCampaign { campaign: "c".into(), by: "ada".into() });
    assert!(workcell.operations.values().all(|it| it.abort.is_some()));
    end(&mut workcell, |_| Ended::Aborted { sample: SampleEffect::None });
    assert_eq!(phase(&workcell), "ended");
}

#[test]
fn a_failure_without_consequences_is_tried_again_and_any_other_is_not() {
    let mut workcell = running(1);
    let first = open(&workcell).remove(0).0;
    end(&mut workcell, |_| Ended::Failed { fault: fault(FaultCategory::Equipment, true), sample: SampleEffect::None });
    let (second, step) = open(&workcell).remove(0);
    assert_eq!(step, "make");
    assert_ne!(first, second, "a new attempt is a new operation");

    let mut workcell = running(1);
    end(&mut workcell, |_| Ended::Failed {
        fault: fault(FaultCategory::Process, false),
        sample: SampleEffect::Consumed,
    });
    let ExperimentPhase::Failed(failure) = experiment(&workcell, 1) else { panic!("not failed") };
    assert_eq!(failure.kind, FailureKind::Recipe);
}

#[test]
fn a_measurement_without_usable_result_is_done_again_or_else_its_point_and_not_for_ever() {
    let mut workcell = running(1);
    let unusable = || Ended::Failed { fault: fault(FaultCategory::Measurement, false), sample: SampleEffect::None };
    let mut tried = Vec::new();
    // What is done once can't be measured again: its point is tried anew, twice.
    for _ in 0..3 {
        succeed(&mut workcell);
        assert_eq!(open(&workcell).remove(0).1, "read");
        end(&mut workcell, |_| unusable());
        tried.push(workcell.campaigns[&CampaignName::new("c")].experiments.last().unwrap().origin.clone());
        // The second own point comes between.
        if tried.len() == 1 {
            succeed(&mut workcell);
            succeed(&mut workcell);
        }
    }
    assert_eq!(tried, [Origin::Again(1), Origin::Again(3), Origin::Again(3)], "the third failure is not tried again");
    assert!(matches!(experiment(&workcell, 4), ExperimentPhase::Failed(it) if it.kind == FailureKind::Measurement));

    // Where again is harmless the same sample is measured again.
    let mut workcell = running(1);
    let mut able = crate::support::description("reader.read", 1);
    able.capabilities.values_mut().for_each(|it| it.effect = RepeatEffect::Repeatable);
    tell(&mut workcell, 3, Command::DescribeInstrument { instrument: "reader".into(), description: able });
    succeed(&mut workcell);
    end(&mut workcell, |_| unusable());
    assert_eq!(open(&workcell).remove(0).1, "read");
    succeed(&mut workcell);
    assert!(matches!(experiment(&workcell, 1), ExperimentPhase::Observed(_)));
}

#[test]
fn nothing_is_dispatched_without_a_lease_of_this_epoch() {
    let mut workcell = running(2);
    tell(&mut workcell, 4, Command::TakeEpoch { owner: "next".into(), workcell: "w".into() });
    succeed(&mut workcell);
    assert!(open(&workcell).is_empty(), "both leases belong to the epoch before");
    let held: Vec<_> = workcell.owed().keys().filter(|key| matches!(key, EffectKey::Hold(_))).collect();
    assert_eq!(held.len(), 2, "they are owed anew");
    lease(&mut workcell, "reader", "journal", 2);
    assert_eq!(open(&workcell).iter().map(|it| it.1.as_str()).collect::<Vec<_>>(), ["read"]);
    lease(&mut workcell, "maker", "journal", 2);
    assert_eq!(open(&workcell).len(), 2);
}

#[test]
fn a_plan_sees_what_had_ended_when_it_was_asked_for() {
    let mut workcell = workcell();
    add(&mut workcell, spec("c", 5, 1));
    let orders: Vec<_> = workcell.owed().values().filter(|it| matches!(it, Effect::Plan(_))).cloned().collect();
    let [Effect::Plan(order)] = orders.as_slice() else { panic!("one plan is owed: {orders:?}") };
    assert_eq!((order.through, order.pending.len()), (0, 0));
    ask(&mut workcell, 3, "pause", Command::PauseCampaign { campaign: "c".into(), by: "ada".into() });
    let late = tell(
        &mut workcell,
        4,
        Command::FailPlan { campaign: "c".into(), ticket: order.ticket + 1, message: "no".into() },
    );
    assert!(late.reply.rejection.is_some(), "a ticket that was never given out");
}

#[test]
fn an_operation_has_the_same_id_whoever_derives_it() {
    let (one, two) = (running(1), running(1));
    assert_eq!(open(&one), open(&two));
}

#[test]
fn a_journal_that_a_driver_has_outrun_dispatches_nothing_until_a_person_adopts_it() {
    let mut workcell = running(2);
    let doubt = |epoch, operation| Command::DoubtJournal { instrument: "reader".into(), epoch, operation };
    let own = workcell.operations.keys().next().unwrap().clone();
    succeed(&mut workcell);
    // Its end has left the state, but an operation that the journal has had is no news.
    assert!(tell(&mut workcell, 5, doubt(0, Some(own))).events.is_empty());
    let before = open(&workcell).len();
    assert_eq!(tell(&mut workcell, 5, doubt(7, Some("never-heard-of".into()))).events.len(), 1);
    assert!(tell(&mut workcell, 5, doubt(7, Some("never-heard-of".into()))).events.is_empty(), "once is enough");
    succeed(&mut workcell);
    assert!(open(&workcell).len() < before.max(1), "nothing new is dispatched");
    let adopted = ask(&mut workcell, 6, "a", Command::AdoptJournal { by: "ada".into() });
    assert_eq!((adopted.reply.rejection, workcell.epoch), (None, 8));
    assert!(tell(&mut workcell, 6, doubt(7, Some("never-heard-of".into()))).events.is_empty(), "it is known now");
    lease(&mut workcell, "maker", "journal", 8);
    lease(&mut workcell, "reader", "journal", 8);
    assert!(!open(&workcell).is_empty());
    assert!(ask(&mut workcell, 7, "b", Command::AdoptJournal { by: "ada".into() }).reply.rejection.is_some());
}

#[test]
fn what_is_suspended_goes_on_by_itself() {
    let mut workcell = running(1);
    let (cause, reason) = ("disk".to_owned(), "it is full".to_owned());
    tell(&mut workcell, 3, Command::SuspendDispatch { cause: cause.clone(), reason });
    succeed(&mut workcell);
    assert!(open(&workcell).is_empty());
    tell(&mut workcell, 4, Command::ResumeDispatch { cause });
    assert_eq!(open(&workcell).len(), 1);
}

#[test]
fn an_instrument_out_of_service_can_not_leave_the_lab_and_come_back_as_if_nothing_were() {
    let mut workcell = running(1);
    end(&mut workcell, |_| Ended::Interrupted);
    let refused = tell(&mut workcell, 5, Command::SetLab { instruments: [("reader".into(), None)].into() });
    assert!(refused.reply.rejection.is_some_and(|it| it.message.contains("out of service")));
}

#[test]
fn what_is_left_to_gain_is_kept_and_ends_the_campaign_once_it_is_little_enough() {
    let gain = |verdict, tested| RemainingGain {
        experiment: Some(1),
        tolerance: 0.5,
        confidence: 0.9,
        paths: 256,
        within: 250,
        expected: 0.1,
        quantiles: [0.0, 0.1, 0.4],
        at_least: 0.93,
        wanted: 0.91,
        coverage: 1.0,
        tested,
        verdict,
    };
    let ticket = |workcell: &Workcell| workcell.campaigns[&CampaignName::new("c")].plan.as_ref().unwrap().ticket;
    let mut workcell = workcell();
    add(&mut workcell, spec("c", 5, 1));
    let why = Why {
        kind: WhyKind::Improve,
        text: "why".into(),
        predicted: Default::default(),
        p_feasible: None,
        from_mean: None,
        nearest: None,
    };
    let proposals = vec![Proposal { setting: setting(0.5), why }];
    let (memo, planner) = ("{}".into(), "p".into());
    let left = Some(Box::new(gain(GainVerdict::MoreToGain, true)));
    let answer = PlanAnswer::Proposals { proposals, memo, planner, took_ms: 1, gain: left };
    let command = Command::AddProposals { campaign: "c".into(), ticket: ticket(&workcell), answer };
    assert_eq!(tell(&mut workcell, 4, command).reply.rejection, None);
    assert_eq!((phase(&workcell), workcell.campaigns[&CampaignName::new("c")].gain_tests), ("running", 1));
    succeed(&mut workcell);
    succeed(&mut workcell);
    let answer = PlanAnswer::Enough(Box::new(gain(GainVerdict::Enough, true)));
    let command = Command::AddProposals { campaign: "c".into(), ticket: ticket(&workcell), answer };
    assert_eq!(tell(&mut workcell, 20, command).reply.rejection, None);
    let campaign = &workcell.campaigns[&CampaignName::new("c")];
    assert_eq!(campaign.phase, Phase::Stopping(StopReason::Evidence { tolerance: 0.5, confidence: 0.9 }));
    assert_eq!((campaign.experiments.len(), campaign.gain_tests), (1, 2), "no further point");
    assert!(workcell.owed().values().any(|it| matches!(it, Effect::Plan(order) if order.purpose == Purpose::Answer)));
}
