//! The journal checked, flipped, copied, put back, and taken for the truth.

use crate::bench::{Bench, events};
use crate::raw;
use eutectic::doctor::{self, DoctorError, journal_of};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

const EXPERIMENTS: u32 = 6;
/// On every push; `EUTECTIC_FLIPS` for more of them.
const FLIPS: u64 = 80;

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for item in fs::read_dir(folder).unwrap() {
        let path = item.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found.sort();
    found
}

fn copy(from: &Path, to: &Path) {
    for path in files(from) {
        let place = to.join(path.strip_prefix(from).unwrap());
        fs::create_dir_all(place.parent().unwrap()).unwrap();
        fs::copy(&path, place).unwrap();
    }
}

fn payloads(journal: &Path) -> Result<Vec<Vec<u8>>, DoctorError> {
    let mut all = Vec::new();
    let found = doctor::look(journal, |entry| all.push(entry.payload))?;
    assert!(found.broken.is_none(), "{found:?}");
    Ok(all)
}

/// Waits for so many results, then kills the campaign.
fn interrupted(bench: &Bench, file: &str, results: usize) {
    let mut running = bench.start(&["--json", "run", file]);
    for _ in 0..results {
        assert!(running.line().is_some());
    }
    running.kill();
}

#[test]
fn a_log_put_back_to_a_backup_dispatches_nothing_until_a_person_adopts_it_and_then_starts_nothing_twice() {
    let bench = Bench::new();
    let file = bench.snar(EXPERIMENTS, 1).display().to_string();
    interrupted(&bench, &file, 2);
    let backup = bench.path("backup").display().to_string();
    bench.run(&["doctor", "backup", &backup]).ok();
    assert_ne!(bench.run(&["doctor", "backup", &backup]).code, 0, "a backup replaces nothing");
    interrupted(&bench, &file, 2);
    let lost = raw::events(&bench.path("data/journal/log")).len();
    bench.run(&["doctor", "restore", &backup]).ok();
    assert!(bench.path("data/journal.bad.1").exists(), "what stood there is kept");

    let mut running = bench.start(&["--json", "run", &file]);
    std::thread::sleep(Duration::from_secs(2));
    let before = bench.starts();
    let status = bench.run(&["--json", "status"]).ok().last();
    assert!(status["doubt"].as_str().unwrap().contains("doctor adopt"), "{status}");
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(bench.starts(), before, "something was dispatched from a log that had lost its end");
    bench.run(&["doctor", "adopt"]).ok();
    running.wait();
    assert_eq!(bench.run(&["--json", "result"]).ok().last()["experiments"], EXPERIMENTS);
    // What the log had lost came back by the same ids, and the drivers attached.
    let log = bench.log();
    assert!(log.len() > lost);
    assert_eq!(bench.starts(), events(&log, "operation_dispatched").count());
    assert_eq!(events(&log, "journal_adopted").count(), 1);
    assert!(bench.run(&["doctor", "verify"]).ok().out.contains("closed in good order"));
    let replayed = bench.run(&["--json", "doctor", "replay"]).ok().last();
    assert!(replayed["plans"].as_u64().unwrap() > 0 && replayed["other"].as_array().unwrap().is_empty(), "{replayed}");
    assert_ne!(bench.run(&["doctor", "adopt"]).code, 0, "there is nothing to adopt any more");
}

#[test]
fn a_flipped_byte_is_healed_or_refused_and_never_silently_wrong() {
    let bench = Bench::new();
    let file = bench.snar(EXPERIMENTS, 1).display().to_string();
    bench.run(&["run", &file]).ok();
    let journal = journal_of(&bench.path("data"));
    let truth = payloads(&journal).unwrap();
    let used = files(&journal.join("log")).into_iter().find(|it| it.ends_with("00000000000000000001.segment")).unwrap();
    let length = fs::read(&used).unwrap().iter().rposition(|byte| *byte != 0).unwrap() as u64 + 1;
    let flips = std::env::var("EUTECTIC_FLIPS").map_or(FLIPS, |text| text.parse().unwrap());
    let judge = |worker: u64| {
        let mut counts = [0; 3];
        for flip in (worker..flips).step_by(2) {
            counts[flipped(&journal, &used, length, &truth, flip) as usize] += 1;
        }
        counts
    };
    let counts = std::thread::scope(|scope| {
        let judge = &judge;
        let workers = [0, 1].map(|worker| scope.spawn(move || judge(worker)));
        workers.map(|it| it.join().unwrap())
    });
    let of = |fate: Fate| counts.iter().map(|it| it[fate as usize]).sum::<u32>();
    let (healed, refused) = (of(Fate::Healed), of(Fate::Refused));
    eprintln!("{healed} healed and told, {refused} refused, {} where nothing stood", of(Fate::Untouched));
    assert!(healed >= 10 && refused >= 10, "{healed} healed, {refused} refused");
}

/// What came of a flipped bit.
#[derive(Clone, Copy)]
enum Fate {
    Healed,
    Refused,
    Untouched,
}

/// Half of them where the log is, half of those with the copies gone as well; the rest anywhere.
fn flipped(journal: &Path, used: &Path, length: u64, truth: &[Vec<u8>], flip: u64) -> Fate {
    let mut rng = ChaCha8Rng::seed_from_u64(flip);
    let folder = tempfile::tempdir().unwrap();
    let damaged = folder.path().join("journal");
    copy(journal, &damaged);
    let mut all = files(&damaged);
    all.retain(|path| fs::metadata(path).unwrap().len() > 0);
    let victim = match flip / 2 % 4 {
        0 | 1 => damaged.join("log").join(used.file_name().unwrap()),
        _ => all[(rng.next_u64() % all.len() as u64) as usize].clone(),
    };
    let mut bytes = fs::read(&victim).unwrap();
    let within = if flip / 2 % 4 < 2 { length } else { bytes.len() as u64 };
    let at = (rng.next_u64() % within) as usize;
    bytes[at] ^= 1 << (rng.next_u64() % 8);
    fs::write(&victim, bytes).unwrap();
    if flip / 2 % 4 == 1 {
        fs::remove_dir_all(damaged.join("sled")).unwrap();
    }
    match doctor::repair(&damaged) {
        Ok(found) => {
            assert_eq!(payloads(&damaged).unwrap(), truth, "flip {flip} in {}", victim.display());
            if found.alarms.is_empty() { Fate::Untouched } else { Fate::Healed }
        }
        Err(error) => {
            let words = error.to_string();
            assert!(words.contains("entry") || words.contains("damaged"), "{words}");
            Fate::Refused
        }
    }
}
