//! `doctor`: the journal looked at, healed, copied, made again, and taken for the truth.

use super::arguments::{DoctorArguments, DoctorVerb};
use super::connect::{ask, person, request_id};
use super::output::{line, note};
use super::{Failure, Global, json};
use crate::doctor::{self, DoctorError, Opened, Verified, journal_of};
use eutectic_proto::control::v1 as wire;
use serde_json::json;
use std::fmt::Write as _;
use std::process::ExitCode;

impl From<DoctorError> for Failure {
    fn from(error: DoctorError) -> Self {
        Self::new(error.to_string(), "")
    }
}

pub(super) async fn doctor(global: &Global, arguments: DoctorArguments) -> Result<ExitCode, Failure> {
    let journal = journal_of(&global.data);
    match arguments.verb {
        DoctorVerb::Verify => Ok(tell(global, &doctor::look(&journal, |_| ())?)),
        DoctorVerb::Repair => {
            repaired(global, &doctor::repair(&journal)?);
            Ok(tell(global, &doctor::look(&journal, |_| ())?))
        }
        DoctorVerb::Export => export(&journal),
        DoctorVerb::Rebuild => {
            let entries = doctor::rebuild(&journal)?;
            say(global, &format!("the index was made again from {entries} entries"), json!({"entries": entries}));
            Ok(ExitCode::SUCCESS)
        }
        DoctorVerb::Replay => replay(global, &journal),
        DoctorVerb::Backup(it) => Ok(tell(global, &doctor::backup(&journal, &it.folder)?)),
        DoctorVerb::Restore(it) => {
            let found = doctor::restore(&it.folder, &journal, jiff::Timestamp::now().as_millisecond())?;
            note("nothing is dispatched from it yet: look at the instruments, then `eutectic doctor adopt`");
            Ok(tell(global, &found))
        }
        DoctorVerb::Adopt => adopt(global).await,
    }
}

fn say(global: &Global, words: &str, object: serde_json::Value) {
    if global.json { json::line(&object) } else { line(words) }
}

fn tell(global: &Global, it: &Verified) -> ExitCode {
    let hash: String = it.head.hash.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    let sound = it.broken.is_none();
    let place = it.broken.as_ref().map(|it| format!("entry {}: {} at byte {}", it.seq, it.path.display(), it.offset));
    let mut words = format!(
        "{} entries in {} segments, epoch {}, hash {hash}..., {}",
        it.head.seq,
        it.segments,
        it.epoch,
        if it.clean { "closed in good order" } else { "not closed: in use, or a crash" }
    );
    if let Some(place) = &place {
        words.push_str(&format!(
            "\nDAMAGED at {place}; later entries stand behind it. `eutectic doctor repair` heals what it can"
        ));
    } else if it.rest > 0 {
        words.push_str(&format!("\n{} bytes of an append that was never acknowledged; opening clears them", it.rest));
    }
    say(
        global,
        &words,
        json!({
            "workcell": it.workcell, "entries": it.head.seq, "segments": it.segments, "epoch": it.epoch, "hash": hash,
            "clean": it.clean, "sound": sound, "damaged_at": it.broken.as_ref().map(|it| it.seq), "torn_bytes": it.rest,
        }),
    );
    if sound { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn repaired(global: &Global, found: &Opened) {
    for alarm in &found.alarms {
        note(alarm);
    }
    let words = format!(
        "{} frames healed, {} bytes cleared that were never acknowledged, {} lost entries appended again",
        found.healed, found.torn, found.adopted_tail
    );
    say(global, &words, json!({"healed": found.healed, "torn_bytes": found.torn, "adopted": found.adopted_tail}));
}

fn export(journal: &std::path::Path) -> Result<ExitCode, Failure> {
    let found = doctor::look(journal, |entry| {
        let text = String::from_utf8_lossy(&entry.payload);
        line(&format!(r#"{{"seq":{},"epoch":{},"entry":{text}}}"#, entry.seq, entry.epoch));
    })?;
    match found.broken {
        None => Ok(ExitCode::SUCCESS),
        Some(broken) => {
            Err(Failure::new(format!("the journal is damaged at entry {}", broken.seq), "these are all before it"))
        }
    }
}

fn replay(global: &Global, journal: &std::path::Path) -> Result<ExitCode, Failure> {
    let replayed = doctor::replay(journal)?;
    let same = replayed.plans - replayed.other.len() as u64;
    let mut words = format!("{} entries; {same} of {} plans come out the same", replayed.entries, replayed.plans);
    if replayed.elsewhere > 0 {
        let _ = write!(words, "; {} were made by a planner elsewhere", replayed.elsewhere);
    }
    let found = json!({
        "entries": replayed.entries,
        "plans": replayed.plans,
        "elsewhere": replayed.elsewhere,
        "other": replayed.other,
    });
    say(global, &words, found);
    replayed.other.iter().for_each(|it| note(it));
    Ok(if replayed.other.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn adopt(global: &Global) -> Result<ExitCode, Failure> {
    let request = wire::AdoptJournalRequest { request_id: request_id(), by: person() };
    let lab = ask(global, async |client| client.adopt_journal(request.clone()).await).await?;
    say(global, &format!("the journal stands as it is; epoch {}", lab.epoch), json!({"epoch": lab.epoch}));
    Ok(ExitCode::SUCCESS)
}
