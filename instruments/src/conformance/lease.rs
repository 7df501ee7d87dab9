//! Who may order: leases, epochs and fencing tokens.

use super::bench::{Bench, LEASE, SHORT_LEASE, refused};
use super::{Outcome, left_out, wrong};
use uuid::Uuid;

pub(super) async fn second_holder(bench: &mut Bench) -> Outcome {
    bench.lease().await?;
    let request = bench.lease_request(&Uuid::now_v7().to_string(), 1_000, LEASE);
    refused(bench.client.acquire_lease(request).await, "LEASE_HELD", "one holder at a time, until its lease ends")
}

pub(super) async fn takeover(bench: &mut Bench) -> Outcome {
    let first = bench.lease().await?;
    let second = bench.lease().await?;
    if second.fencing_token <= first.fencing_token {
        return Err(wrong(
            "the same holder with a higher epoch gets a higher token at once",
            format!("{} after {}", second.fencing_token, first.fencing_token),
            "count tokens up at every grant, for ever",
        ));
    }
    let (holder, lower) = (bench.holder(), second.holder_epoch - 1);
    let request = bench.lease_request(&holder, lower, LEASE);
    refused(bench.client.acquire_lease(request).await, "STALE_EPOCH", "remember each holder's highest epoch")
}

pub(super) async fn stale_token(bench: &mut Bench) -> Outcome {
    let old = bench.lease().await?.fencing_token;
    bench.lease().await?;
    let (request, before) = (bench.request(old)?, bench.starts());
    let mend = "compare the token with the newest lease's before anything is accepted";
    refused(bench.client.execute(request).await, "STALE_TOKEN", mend)?;
    bench.started(before, 0)
}

pub(super) async fn expired(bench: &mut Bench) -> Outcome {
    let token = bench.lease_for(SHORT_LEASE).await?.fencing_token;
    bench.pass(2 * SHORT_LEASE).await?;
    let (request, before) = (bench.request(token)?, bench.starts());
    let mend = "a lease past its time orders nothing, even with the highest token";
    refused(bench.client.execute(request).await, "LEASE_EXPIRED", mend)?;
    bench.started(before, 0)
}

pub(super) async fn token_survives(bench: &mut Bench) -> Outcome {
    bench.can_restart()?;
    let before = bench.lease().await?;
    bench.restart().await?;
    let after = bench.lease().await?;
    if after.journal_id != before.journal_id {
        let mend = "keep the journal's id in the journal; only a new journal has a new one";
        return Err(wrong("the same journal_id after a restart", "another one", mend));
    }
    if after.fencing_token <= before.fencing_token {
        let came = format!("{} after {}", after.fencing_token, before.fencing_token);
        return Err(wrong("a higher token after a restart", came, "keep the last token in the journal, synced"));
    }
    let (holder, lower) = (bench.holder(), before.holder_epoch);
    let request = bench.lease_request(&holder, lower, LEASE);
    let answer = bench.client.acquire_lease(request).await;
    refused(answer, "STALE_EPOCH", "keep each holder's highest epoch in the journal, synced")
}

pub(super) async fn new_journal(bench: &mut Bench) -> Outcome {
    bench.can_restart()?;
    let journal = bench.journal()?;
    let aside = journal.with_extension("aside-for-the-conformance-kit");
    let before = bench.status().await?.journal_id;
    let cannot = |error: std::io::Error| left_out(format!("the journal can't be moved: {error}"));
    bench.kill();
    std::fs::rename(&journal, &aside).map_err(cannot)?;
    let started = bench.start().await;
    let status = bench.status().await;
    bench.kill();
    // Whatever came of it, the driver gets its memory back.
    let _ = std::fs::remove_dir_all(&journal);
    std::fs::rename(&aside, &journal).map_err(cannot)?;
    bench.start().await?;
    started?;
    let (lost, found) = (status?.journal_id, bench.status().await?.journal_id);
    if !before.is_empty() && lost != before && found == before {
        return Ok(());
    }
    let mend = "make the journal's id up when the journal is made, and keep it in the journal";
    Err(wrong(
        "another journal_id without the journal, the old one with it",
        format!("{before}, {lost}, {found}"),
        mend,
    ))
}
