//! Named moments at which a test can hold a process, to kill it there, and named mistakes that it can have the code make.
//!
//! A test arms one by putting a file of its name into the folder that `EUTECTIC_FAILPOINTS` names. Whoever comes to it
//! first takes the file away, puts `NAME.reached` with its process's number in its place and waits until that one is gone. So the process is killed
//! from outside, by a real SIGKILL, exactly there. A mistake (a *mutant*) stands in the production code itself, so that
//! what catches it is shown to catch the real thing. Without the feature `armed` nothing of this is in the program.
//!
//! The crate `fail` would do, but can't tell anyone outside that a point was reached, and brings a second `rand`.

/// The folder in which failpoints are armed.
pub const FOLDER: &str = "EUTECTIC_FAILPOINTS";
/// The mistake that a process is to make on purpose.
pub const MUTANT_OF_PROCESS: &str = "EUTECTIC_MUTANT";

/// The moment `name`: waits here if a test wants it.
#[cfg(feature = "armed")]
pub fn reach(name: impl std::fmt::Display) {
    let Some(folder) = std::env::var_os(FOLDER).map(std::path::PathBuf::from) else { return };
    let (reaching, reached) = (folder.join(format!("{name}.reaching")), folder.join(format!("{name}.reached")));
    let process = std::process::id().to_string();
    let first = std::fs::rename(folder.join(name.to_string()), &reaching);
    if first
        .and_then(|()| std::fs::write(&reaching, process))
        .and_then(|()| std::fs::rename(&reaching, &reached))
        .is_ok()
    {
        while reached.exists() {
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
    }
}

/// The moment `name`; this build has no failpoints.
#[cfg(not(feature = "armed"))]
#[inline(always)]
#[expect(clippy::inline_always, reason = "nothing may be left of it")]
pub fn reach(_name: impl std::fmt::Display) {}

/// Whether `name` stands in the folder: something that is so for as long as a test wants it, a full disk for instance.
#[cfg(feature = "armed")]
#[must_use]
pub fn stands(name: &str) -> bool {
    std::env::var_os(FOLDER).is_some_and(|folder| std::path::PathBuf::from(folder).join(name).exists())
}

/// Whether `name` stands; this build has no failpoints.
#[cfg(not(feature = "armed"))]
#[inline(always)]
#[must_use]
#[expect(clippy::inline_always, reason = "nothing may be left of it")]
pub fn stands(_name: &str) -> bool {
    false
}

#[cfg(feature = "armed")]
thread_local! {
    static MUTANT: std::cell::Cell<&'static str> = const { std::cell::Cell::new("") };
}

/// Whether this thread is to make the mistake `name` on purpose, so that a test shows that it would be caught.
#[cfg(feature = "armed")]
#[must_use]
pub fn mutant(name: &str) -> bool {
    MUTANT.get() == name || of_process().is_some_and(|it| it == name)
}

/// The mistake of every thread of this process, by the environment.
#[cfg(feature = "armed")]
fn of_process() -> Option<&'static str> {
    static OF_PROCESS: std::sync::OnceLock<Option<String>> = std::sync::OnceLock::new();
    OF_PROCESS.get_or_init(|| std::env::var(MUTANT_OF_PROCESS).ok()).as_deref()
}

/// From now on this thread makes this mistake, and no other.
#[cfg(feature = "armed")]
pub fn mutate(name: &'static str) {
    MUTANT.set(name);
}

/// Whether to make the mistake `name`; this build makes none on purpose.
#[cfg(not(feature = "armed"))]
#[inline(always)]
#[must_use]
#[expect(clippy::inline_always, reason = "nothing may be left of it")]
pub fn mutant(_name: &str) -> bool {
    false
}
