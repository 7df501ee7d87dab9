//! Waiting for news: GetOperation and the stream of events.

use super::*;
use crate::wire::WatchInstrumentRequest;
use crate::wire::instrument_event::Event;

fn watch(bench: &mut Bench, last_seen_sequence: i64) -> Vec<InstrumentEvent> {
    let request = WatchInstrumentRequest { instrument: OVEN.to_owned(), last_seen_sequence };
    let Answer::Watching(events) = bench.call(Call::Watch(request)).unwrap() else { panic!("not a watch") };
    events
}

fn states(events: &[InstrumentEvent]) -> Vec<State> {
    let state = |event: &InstrumentEvent| match &event.event {
        Some(Event::Operation(operation)) => Some(operation.state()),
        _ => None,
    };
    events.iter().filter_map(state).collect()
}

#[test]
fn a_waiting_get_is_answered_by_the_news() {
    let mut bench = Bench::new();
    let token = bench.lease();
    let seen = bench.execute(ID, token).unwrap().operation.unwrap().last_sequence;
    let call = bench.send(get(ID, seen, 20));
    assert_eq!(bench.reply(call), None);
    bench.succeed(ID);
    let Some(Ok(Answer::Operation(news))) = bench.reply(call) else { panic!("no answer") };
    assert_eq!(news.state(), State::Succeeded);
    assert!(news.last_sequence > seen);
}

#[test]
fn a_waiting_get_is_answered_when_its_time_is_over_and_never_after_30_s() {
    let mut bench = Bench::new();
    let token = bench.lease();
    let seen = bench.execute(ID, token).unwrap().operation.unwrap().last_sequence;
    let (short, long) = (bench.send(get(ID, seen, 5)), bench.send(get(ID, seen, 3600)));
    assert!(bench.machine.next_wakeup() <= Duration::from_secs(5));
    bench.pass(5);
    assert!(bench.reply(short).is_some() && bench.reply(long).is_none());
    bench.pass(25);
    let Some(Ok(Answer::Operation(same))) = bench.reply(long) else { panic!("no answer") };
    assert_eq!((same.state(), same.last_sequence), (State::Running, seen));
}

#[test]
fn a_get_that_has_missed_something_does_not_wait() {
    let mut bench = Bench::new();
    let token = bench.lease();
    bench.execute(ID, token).unwrap();
    assert!(bench.call(get(ID, 0, 30)).is_ok());
}

#[test]
fn a_watch_resumes_where_it_was() {
    let mut bench = Bench::new();
    let token = bench.lease();
    bench.execute(ID, token).unwrap();
    let all = watch(&mut bench, 0);
    assert!(matches!(all[0].event, Some(Event::Status(_))));
    assert_eq!(states(&all), [State::Accepted, State::Running]);
    let seen = all.last().unwrap().sequence;
    bench.succeed(ID);
    let rest = watch(&mut bench, seen);
    assert_eq!(rest[0].sequence, seen);
    assert_eq!(states(&rest), [State::Succeeded]);
    assert!(rest[1..].iter().all(|event| event.sequence > seen));
}

#[test]
fn a_watch_over_a_restart_gets_each_operation_in_its_newest_state() {
    let mut bench = Bench::new();
    let token = bench.lease();
    bench.execute(ID, token).unwrap();
    let seen = bench.events.last().unwrap().sequence;
    bench.succeed(ID);
    bench.restart();
    assert_eq!(states(&watch(&mut bench, seen)), [State::Succeeded]);
    assert_eq!(states(&watch(&mut bench, i64::MAX)), [State::Succeeded]);
}

#[test]
fn sequences_rise_and_no_restart_repeats_one() {
    let mut bench = Bench::with(manifest(8, 0));
    for round in 0..40 {
        let token = bench.lease_as(HOLDER, round).unwrap().fencing_token;
        for place in 0..8 {
            let id = format!("operation-{round:08}-{place}");
            bench.execute(&id, token).unwrap();
            (0..10).for_each(|step| bench.report(progress(&id, f64::from(step) / 10.0)));
            bench.succeed(&id);
        }
        if round % 3 == 0 {
            bench.restart();
        }
    }
    let sequences: Vec<_> = bench.events.iter().map(|event| event.sequence).collect();
    assert!(sequences.len() > 3000);
    assert!(sequences.windows(2).all(|pair| pair[0] < pair[1]));
    assert!(sequences[0] >= 1);
}

fn progress(id: &str, fraction: f64) -> Report {
    Report::Progress { operation_id: id.to_owned(), fraction, stage: String::new() }
}

#[test]
fn progress_never_falls_and_is_never_journaled() {
    let mut bench = Bench::new();
    let token = bench.lease();
    bench.execute(ID, token).unwrap();
    let records = bench.journal.load().unwrap();
    for fraction in [0.5, 0.4, f64::NAN, 7.0] {
        bench.report(progress(ID, fraction));
    }
    let told = bench.events.iter().filter_map(|event| match &event.event {
        Some(Event::Progress(progress)) => Some(progress.fraction),
        _ => None,
    });
    assert_eq!(told.collect::<Vec<_>>(), [0.5, 1.0]);
    assert_eq!(bench.journal.load().unwrap(), records);
}

#[test]
fn a_status_is_told_at_least_every_10_s() {
    let mut bench = Bench::new();
    let before = bench.events.len();
    (0..30).for_each(|_| bench.pass(1));
    assert_eq!(bench.events.len() - before, 3);
    assert!(bench.machine.next_wakeup() <= bench.now.monotonic + Duration::from_secs(10));
}
