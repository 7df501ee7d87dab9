//! Leases, epochs, fencing tokens.

use super::*;
use crate::wire::{ReleaseLeaseRequest, RenewLeaseRequest};

const OTHER_HOLDER: &str = "workcell-b";

fn renew(fencing_token: i64) -> Call {
    Call::RenewLease(RenewLeaseRequest { instrument: OVEN.to_owned(), fencing_token })
}

fn release(fencing_token: i64) -> Call {
    Call::ReleaseLease(ReleaseLeaseRequest { instrument: OVEN.to_owned(), fencing_token })
}

#[test]
fn the_same_holder_and_epoch_get_the_same_token_renewed() {
    let mut bench = Bench::new();
    let first = bench.lease_as(HOLDER, 1).unwrap();
    bench.pass(50);
    let again = bench.lease_as(HOLDER, 1).unwrap();
    assert_eq!(again.fencing_token, first.fencing_token);
    assert_eq!(again.expire_time.unwrap().seconds, first.expire_time.unwrap().seconds + 50);
}

#[test]
fn a_higher_epoch_takes_over_at_once_and_fences_the_old_token() {
    let mut bench = Bench::new();
    let old = bench.lease();
    let new = bench.lease_as(HOLDER, 2).unwrap().fencing_token;
    assert!(new > old);
    assert_eq!(bench.execute(ID, old).unwrap_err().reason, Reason::StaleToken);
    assert_eq!(bench.abort(ID, old).unwrap_err().reason, Reason::StaleToken);
    assert_eq!(bench.refused(renew(old)), Reason::StaleToken);
    assert_eq!(bench.refused(release(old)), Reason::StaleToken);
    assert!(bench.execute(ID, new).is_ok());
}

#[test]
fn a_lower_epoch_is_refused_with_the_highest_seen_even_after_a_restart() {
    let mut bench = Bench::new();
    bench.lease_as(HOLDER, 5).unwrap();
    bench.restart();
    let refusal = bench.lease_as(HOLDER, 4).unwrap_err();
    assert_eq!(refusal.reason, Reason::StaleEpoch);
    assert_eq!(refusal.metadata, [("highest_epoch".to_owned(), "5".to_owned())]);
}

#[test]
fn another_holder_waits_for_the_end_of_the_lease() {
    let mut bench = Bench::new();
    bench.lease();
    assert_eq!(bench.lease_as(OTHER_HOLDER, 1).unwrap_err().reason, Reason::LeaseHeld);
    bench.pass(61);
    assert!(bench.lease_as(OTHER_HOLDER, 1).is_ok());
}

#[test]
fn another_holder_waits_for_the_end_of_the_operations() {
    let mut bench = Bench::new();
    let token = bench.lease();
    bench.execute(ID, token).unwrap();
    bench.pass(61);
    assert_eq!(bench.lease_as(OTHER_HOLDER, 1).unwrap_err().reason, Reason::LeaseHeld);
    bench.succeed(ID);
    assert!(bench.lease_as(OTHER_HOLDER, 1).unwrap().fencing_token > token);
}

#[test]
fn an_expired_lease_refuses_even_the_highest_token() {
    let mut bench = Bench::new();
    let token = bench.lease();
    bench.pass(61);
    assert_eq!(bench.execute(ID, token).unwrap_err().reason, Reason::LeaseExpired);
    assert_eq!(bench.refused(renew(token)), Reason::LeaseExpired);
    assert_eq!(bench.refused(get(ID, 0, 0)), Reason::OperationNotFound);
}

#[test]
fn a_renewed_lease_lasts_and_a_released_one_ends() {
    let mut bench = Bench::new();
    let token = bench.lease();
    bench.pass(50);
    bench.call(renew(token)).unwrap();
    bench.pass(50);
    assert!(bench.execute(ID, token).is_ok());
    assert_eq!(bench.call(release(token)).unwrap(), Answer::Released);
    assert_eq!(bench.call(release(token)).unwrap(), Answer::Released);
    assert_eq!(bench.execute(OTHER_ID, token).unwrap_err().reason, Reason::LeaseExpired);
}

#[test]
fn tokens_rise_over_holders_and_restarts_and_no_lease_outlives_a_restart() {
    let mut bench = Bench::new();
    let first = bench.lease();
    bench.restart();
    assert_eq!(bench.execute(ID, first).unwrap_err().reason, Reason::LeaseExpired);
    let second = bench.lease_as(OTHER_HOLDER, 1).unwrap().fencing_token;
    bench.restart();
    let third = bench.lease_as(HOLDER, 1).unwrap().fencing_token;
    assert!(first < second && second < third);
}

#[test]
fn no_token_was_ever_issued_and_so_none_is_good() {
    let mut bench = Bench::new();
    for token in [-1, 0, 1] {
        assert_eq!(bench.execute(ID, token).unwrap_err().reason, Reason::StaleToken);
        assert_eq!(bench.abort(ID, token).unwrap_err().reason, Reason::StaleToken);
        assert_eq!(bench.refused(release(token)), Reason::StaleToken);
    }
}

#[test]
fn the_status_shows_the_holder_and_hides_the_token() {
    let mut bench = Bench::new();
    bench.lease();
    let Answer::Status(status) = bench.call(Call::Status).unwrap() else { panic!("not a status") };
    let lease = status.lease.unwrap();
    assert_eq!((lease.holder.as_str(), lease.fencing_token), (HOLDER, 0));
    assert_eq!(status.journal_id, "journal-0");
}

#[test]
fn a_lease_without_holder_epoch_or_time_is_refused() {
    let mut bench = Bench::new();
    assert_eq!(bench.refused(acquire("", 1)), Reason::InvalidRequest);
    assert_eq!(bench.refused(acquire(HOLDER, -1)), Reason::InvalidRequest);
    let Call::AcquireLease(timeless) = acquire(HOLDER, 1) else { panic!("not a lease") };
    assert_eq!(
        bench.refused(Call::AcquireLease(AcquireLeaseRequest { ttl: None, ..timeless })),
        Reason::InvalidRequest
    );
}
