//! Time that moves only when it is told to.

use super::bench::{Bench, accepted};
use super::time::DAY;
use super::{Outcome, Stop, left_out, wrong};
use std::time::{Duration, Instant};

/// Within this a day has to pass.
const LIMIT: Duration = Duration::from_secs(5);
/// How far the day is overshot, for operations that take all of it.
const SPARE: Duration = Duration::from_secs(6 * 3600);

/// Runs the longest operation. Result: how long it took by the driver's clock.
async fn day(bench: &mut Bench) -> Result<(i64, i32), Stop> {
    let token = bench.lease_for(DAY).await?.fencing_token;
    let request = bench.request_at_top(token).await?;
    accepted(bench.client.execute(request.clone()).await, "Execute")?;
    bench.running(&request.operation_id).await?;
    let begun = Instant::now();
    bench.pass(DAY + SPARE).await?;
    let took = begun.elapsed();
    let operation = accepted(bench.get(&request.operation_id).await, "GetOperation")?;
    if !crate::machine::has_ended(operation.state()) {
        let mend = "AdvanceTime answers once everything that is due by then has been done";
        return Err(wrong("ended after a day and six hours", format!("{:?}", operation.state()), mend));
    }
    if took > LIMIT {
        let came = format!("{} ms", took.as_millis());
        return Err(wrong("a day passes within 5 s", came, "wait for nothing real while virtual time passes"));
    }
    let (begun, ended) = (operation.start_time.unwrap_or_default(), operation.end_time.unwrap_or_default());
    Ok((ended.seconds - begun.seconds, ended.nanos - begun.nanos))
}

pub(super) async fn a_day_in_moments(bench: &mut Bench) -> Outcome {
    if !bench.is_virtual() {
        return Err(left_out("its time_mode is not VIRTUAL"));
    }
    let first = day(bench).await?;
    let second = day(bench).await?;
    if first == second {
        return Ok(());
    }
    let mend = "let nothing real (threads, timers, the system's clock) decide when something happens";
    Err(wrong("the same operation takes the same virtual time", format!("{first:?}, then {second:?} (s, ns)"), mend))
}
