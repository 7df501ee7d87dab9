//! What waits for a person, what a person may decide, and what is done where nobody is there.

use crate::lifecycle::{end, experiment, fault, open, running, succeed};
use crate::support::{ask, description, outputs, tell};
use eutectic_core::model::{Decision, FailureKind, Policy, SampleEffect};
use eutectic_core::{
    Command, Effect, EffectKey, Ended, ExperimentPhase, Fault, FaultCategory, OperationId, Report, Standing, Verdict,
    Workcell,
};

fn resolve(workcell: &mut Workcell, revision: u32, decision: Decision) -> Verdict {
    let seen = workcell.interventions[&1].revision;
    let id = format!("resolve {revision} of {seen} {decision}");
    let command = Command::ResolveIntervention { intervention: 1, revision, decision, by: "ada".into() };
    ask(workcell, 20, &id, command)
}

fn standing(workcell: &Workcell, number: u32) -> Standing {
    workcell.standing(&workcell.interventions[&number])
}

fn out_of_service(workcell: &Workcell) -> bool {
    workcell.instruments[&"maker".into()].quarantined.is_some()
}

/// A campaign whose first operation nobody knows the end of, and that operation.
fn unknown() -> (Workcell, OperationId) {
    let mut workcell = running(1);
    let operation = open(&workcell).remove(0).0;
    end(&mut workcell, |_| Ended::Interrupted);
    assert!(out_of_service(&workcell) && open(&workcell).is_empty());
    assert_eq!(experiment(&workcell, 1), &ExperimentPhase::Running, "it waits for a person");
    assert_eq!(standing(&workcell, 1), Standing::Waits);
    (workcell, operation)
}

fn late(workcell: &mut Workcell, operation: &OperationId, ended: Ended) -> Verdict {
    tell(workcell, 15, Command::ReportOperation { operation: operation.clone(), report: Report::Ended(ended) })
}

fn made() -> Ended {
    Ended::Succeeded { outputs: outputs("make", 1.0) }
}

#[test]
fn a_discarded_sample_ends_its_experiment_and_the_instrument_is_back_in_service() {
    let (mut workcell, _) = unknown();
    assert_eq!(resolve(&mut workcell, 0, Decision::Discard).reply.rejection, None);
    let ExperimentPhase::Failed(failure) = experiment(&workcell, 1) else { panic!("not failed") };
    assert_eq!(failure.kind, FailureKind::Unknown);
    assert!(!out_of_service(&workcell));
    assert_eq!(open(&workcell).len(), 1, "the next experiment begins");
    let again =
        ask(&mut workcell, 21, "again", Command::ReleaseInstrument { instrument: "maker".into(), by: "b".into() });
    assert!(again.reply.rejection.is_some());
}

#[test]
fn a_step_is_repeated_only_once_its_old_operation_can_not_begin_any_more() {
    let (mut workcell, old) = unknown();
    assert_eq!(resolve(&mut workcell, 0, Decision::Repeat).reply.rejection, None);
    let owed = workcell.owed().get(&EffectKey::Attend(old.clone()));
    let Some(Effect::Attend(attend)) = owed else { panic!("it is not told to the driver") };
    assert!(attend.abort.is_some() && !attend.inquire);
    assert_eq!(open(&workcell).iter().map(|it| &it.0).collect::<Vec<_>>(), [&old], "nothing else is dispatched");
    assert_eq!(standing(&workcell, 1), Standing::Burying);
    assert!(out_of_service(&workcell));
    late(&mut workcell, &old, Ended::Interrupted);
    let (new, step) = open(&workcell).remove(0);
    assert_eq!((step.as_str(), new == old), ("make", false));
    assert!(!out_of_service(&workcell));
    succeed(&mut workcell);
    succeed(&mut workcell);
    assert!(matches!(experiment(&workcell, 1), ExperimentPhase::Observed(_)));
}

#[test]
fn what_ran_after_all_is_not_repeated_but_asked_about_again() {
    let (mut workcell, old) = unknown();
    resolve(&mut workcell, 0, Decision::Repeat);
    late(&mut workcell, &old, made());
    assert_eq!(standing(&workcell, 1), Standing::Waits);
    assert!(out_of_service(&workcell) && open(&workcell).is_empty());
    assert!(resolve(&mut workcell, 0, Decision::Repeat).reply.rejection.is_some(), "there is news");
    assert_eq!(resolve(&mut workcell, 1, Decision::Accept).reply.rejection, None);
    assert_eq!(open(&workcell).remove(0).1, "read", "the step is done");
}

#[test]
fn what_a_driver_says_too_late_is_kept_and_refuses_an_answer_that_did_not_know_it() {
    let (mut workcell, old) = unknown();
    assert!(resolve(&mut workcell, 0, Decision::Accept).reply.rejection.is_some(), "nothing was said");
    assert_eq!(late(&mut workcell, &old, made()).events.len(), 1);
    assert!(late(&mut workcell, &old, made()).events.is_empty(), "once is enough");
    for decision in [Decision::Discard, Decision::Repeat] {
        let refused = resolve(&mut workcell, 0, decision).reply.rejection;
        assert!(refused.is_some_and(|it| it.message.contains("news")));
    }
    let command = Command::ReleaseInstrument { instrument: "maker".into(), by: "b".into() };
    assert!(ask(&mut workcell, 21, "release", command).reply.rejection.is_some());
    assert_eq!(resolve(&mut workcell, 1, Decision::Discard).reply.rejection, None);
    assert!(late(&mut workcell, &old, made()).reply.rejection.is_some(), "nobody waits for it any more");
}

#[test]
fn a_fault_that_somebody_has_to_see_to_takes_the_instrument_out_of_service() {
    let mut workcell = running(1);
    let clogged = Fault { person: true, ..fault(FaultCategory::Equipment, false) };
    end(&mut workcell, |_| Ended::Failed { fault: clogged.clone(), sample: SampleEffect::Consumed });
    assert!(out_of_service(&workcell) && open(&workcell).is_empty());
    assert!(matches!(experiment(&workcell, 1), ExperimentPhase::Failed(_)), "the point is not to blame");
    assert!(resolve(&mut workcell, 0, Decision::Repeat).reply.rejection.is_some(), "nothing waits for it");
    assert_eq!(resolve(&mut workcell, 0, Decision::Discard).reply.rejection, None);
    assert_eq!(open(&workcell).len(), 1);
}

/// The maker may recover by `clean` and `test`.
fn attended_by(workcell: &mut Workcell, wait_ms: i64) {
    let mut able = description("maker.make", 1);
    for name in ["clean", "test"] {
        able.capabilities.insert(name.into(), able.capabilities["maker.make"].clone());
    }
    tell(workcell, 3, Command::DescribeInstrument { instrument: "maker".into(), description: able });
    let policy = Policy { recover: vec!["clean".into(), "test".into()], at_most: 2, wait_ms };
    let instruments = [("maker".into(), Some(policy)), ("reader".into(), None)].into();
    assert_eq!(tell(workcell, 3, Command::SetLab { instruments }).reply.rejection, None);
}

fn doing(workcell: &Workcell) -> Vec<String> {
    workcell.operations.values().map(|it| it.dispatch.capability.clone()).collect()
}

#[test]
fn where_nobody_is_there_the_instrument_recovers_and_a_fresh_experiment_begins_so_often_a_day() {
    let mut workcell = running(1);
    attended_by(&mut workcell, 0);
    for night in 1..=2 {
        end(&mut workcell, |_| Ended::Interrupted);
        assert_eq!((doing(&workcell), standing(&workcell, night)), (vec!["clean".into()], Standing::Recovering));
        end(&mut workcell, |_| Ended::Succeeded { outputs: [].into() });
        assert_eq!(doing(&workcell), ["test"]);
        end(&mut workcell, |_| Ended::Succeeded { outputs: [].into() });
        assert_eq!(standing(&workcell, night), Standing::Resolved);
        assert!(matches!(experiment(&workcell, night as usize), ExperimentPhase::Failed(_)), "the sample is discarded");
        if night == 1 {
            assert_eq!(doing(&workcell), ["maker.make"], "a fresh experiment");
        }
    }
    // The third time a person is waited for.
    let command = Command::EnqueueExperiments { campaign: "c".into(), settings: vec![crate::support::setting(0.1)] };
    ask(&mut workcell, 11, "more", command);
    end(&mut workcell, |_| Ended::Interrupted);
    assert_eq!((doing(&workcell), standing(&workcell, 3)), (vec![], Standing::Waits));
}

#[test]
fn an_instrument_that_can_not_recover_waits_for_a_person() {
    for ended in [Ended::Interrupted, Ended::Aborted { sample: SampleEffect::None }] {
        let mut workcell = running(1);
        attended_by(&mut workcell, 0);
        end(&mut workcell, |_| Ended::Interrupted);
        end(&mut workcell, |_| ended.clone());
        assert_eq!((doing(&workcell), standing(&workcell, 1)), (vec![], Standing::Waits));
        assert_eq!(experiment(&workcell, 1), &ExperimentPhase::Running);
        assert_eq!(workcell.interventions.len(), 1, "one question is enough");
        assert!(resolve(&mut workcell, 0, Decision::Repeat).reply.rejection.is_some(), "there is news");
        assert_eq!(resolve(&mut workcell, 1, Decision::Discard).reply.rejection, None);
    }
}

#[test]
fn a_person_is_waited_for_first_where_the_policy_says_so() {
    let mut workcell = running(1);
    attended_by(&mut workcell, 60_000);
    end(&mut workcell, |_| Ended::Interrupted);
    let Standing::Due(at) = standing(&workcell, 1) else { panic!("{:?}", standing(&workcell, 1)) };
    assert_eq!((at.0, doing(&workcell)), (60_010, vec![]));
    assert_eq!(workcell.next_wakeup(), Some(at), "somebody is told to look then");
    tell(&mut workcell, 60_009, Command::Tick);
    assert_eq!(doing(&workcell), Vec::<String>::new());
    tell(&mut workcell, 60_010, Command::Tick);
    assert_eq!(doing(&workcell), ["clean"]);
    assert!(resolve(&mut workcell, 0, Decision::Discard).reply.rejection.is_some(), "it is recovering");
}

#[test]
fn an_aborted_campaign_does_not_wait_for_what_a_person_decides() {
    let (mut workcell, old) = unknown();
    ask(&mut workcell, 12, "abort", Command::AbortCampaign { campaign: "c".into(), by: "ada".into() });
    assert!(matches!(experiment(&workcell, 1), ExperimentPhase::Failed(it) if it.kind == FailureKind::Cancelled));
    assert!(out_of_service(&workcell), "the instrument waits all the same");
    late(&mut workcell, &old, made());
    assert!(resolve(&mut workcell, 1, Decision::Accept).reply.rejection.is_some(), "no experiment waits for it");
    assert_eq!(resolve(&mut workcell, 1, Decision::Discard).reply.rejection, None);
}
