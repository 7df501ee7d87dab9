//! What can be wrong with a driver: each flaw breaks the promise of one check.

/// A way to be broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    NoHealth,
    NoReflection,
    UnstableDigest,
    EndlessBounds,
    NoDefault,
    AnotherList,
    ClampsToRange,
    TakesNan,
    TakesAnyUnit,
    TakesAnyChoice,
    TakesAnyName,
    IgnoresRules,
    RemembersTheRefused,
    LeasesToAll,
    TakesAnyEpoch,
    TakesAnyToken,
    ExtendsLeases,
    NeverSucceeds,
    NeverAttached,
    IgnoresTheHash,
    AlwaysAttached,
    StartsAgain,
    ForgetsWhatRuns,
    TombstoneInWordsOnly,
    WatchesFromNow,
    IgnoresAborts,
    RefusesASecondAbort,
    AbortsTheEnded,
    HaltDoesNotLatch,
    ClearsAnyHalt,
    IgnoresLeaseLoss,
    NoUncertainty,
    TimesBackwards,
    DropsForOne,
    FaultWithoutCategory,
    RunsWhatWaits,
    LimitsInSilence,
    IgnoresCalibrations,
    IgnoresConsumables,
    ReadsFromTheStart,
    UnevenTime,
    LargeOperations,
    HoldsInWords,
    AnswersAnything,
    TokensFall,
    SequencesFall,
    DrivesAgain,
    ForgetsOverRestarts,
    AlwaysTheSameJournal,
}

/// The sound driver that a flaw is put before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum On {
    /// Real time, a parameter of each kind.
    Mixer,
    /// Simulated, virtual time: a queue, consumables, and it is holdable.
    LiquidHandler,
    /// Simulated, virtual time: files.
    Spectrometer,
    /// The liquid handler as a process that the kit kills and starts again.
    Restarted,
}

/// A flaw, the check that it has to fail, and those that may fail with it because they build on the same promise.
pub(super) struct Flaw {
    pub(super) kind: Kind,
    pub(super) on: On,
    pub(super) check: u8,
    pub(super) dependents: &'static [u8],
}

const fn flaw(kind: Kind, check: u8, dependents: &'static [u8]) -> Flaw {
    Flaw { kind, on: On::Mixer, check, dependents }
}

const fn on(on: On, kind: Kind, check: u8, dependents: &'static [u8]) -> Flaw {
    Flaw { kind, on, check, dependents }
}

pub(super) const FLAWS: &[Flaw] = &[
    flaw(Kind::NoHealth, 1, &[]),
    flaw(Kind::NoReflection, 2, &[]),
    flaw(Kind::UnstableDigest, 3, &[6]),
    flaw(Kind::EndlessBounds, 4, &[3, 7, 8, 12]),
    flaw(Kind::NoDefault, 5, &[3]),
    flaw(Kind::AnotherList, 6, &[]),
    flaw(Kind::ClampsToRange, 7, &[12]),
    flaw(Kind::TakesNan, 8, &[]),
    flaw(Kind::TakesAnyUnit, 9, &[]),
    flaw(Kind::TakesAnyChoice, 10, &[]),
    flaw(Kind::TakesAnyName, 11, &[13]),
    flaw(Kind::IgnoresRules, 12, &[]),
    flaw(Kind::RemembersTheRefused, 13, &[25]),
    flaw(Kind::LeasesToAll, 14, &[]),
    flaw(Kind::TakesAnyEpoch, 15, &[]),
    flaw(Kind::TakesAnyToken, 16, &[]),
    flaw(Kind::ExtendsLeases, 17, &[38]),
    flaw(Kind::NeverSucceeds, 19, &[24, 31, 41, 45]),
    flaw(Kind::NeverAttached, 21, &[23]),
    flaw(Kind::IgnoresTheHash, 22, &[]),
    flaw(Kind::AlwaysAttached, 23, &[]),
    flaw(Kind::StartsAgain, 24, &[21, 22, 23]),
    flaw(Kind::ForgetsWhatRuns, 25, &[29, 30, 32, 38]),
    flaw(Kind::TombstoneInWordsOnly, 26, &[]),
    flaw(Kind::WatchesFromNow, 27, &[]),
    flaw(Kind::IgnoresAborts, 29, &[26, 30]),
    flaw(Kind::RefusesASecondAbort, 30, &[]),
    flaw(Kind::AbortsTheEnded, 31, &[]),
    flaw(Kind::HaltDoesNotLatch, 36, &[37]),
    flaw(Kind::ClearsAnyHalt, 37, &[]),
    flaw(Kind::IgnoresLeaseLoss, 38, &[]),
    flaw(Kind::NoUncertainty, 41, &[]),
    flaw(Kind::TimesBackwards, 45, &[]),
    flaw(Kind::AnswersAnything, 47, &[]),
    on(On::LiquidHandler, Kind::DropsForOne, 28, &[]),
    on(On::LiquidHandler, Kind::FaultWithoutCategory, 32, &[]),
    on(On::LiquidHandler, Kind::RunsWhatWaits, 39, &[]),
    on(On::LiquidHandler, Kind::LimitsInSilence, 40, &[]),
    on(On::LiquidHandler, Kind::IgnoresCalibrations, 42, &[]),
    on(On::LiquidHandler, Kind::IgnoresConsumables, 43, &[]),
    on(On::Spectrometer, Kind::ReadsFromTheStart, 44, &[]),
    on(On::LiquidHandler, Kind::UnevenTime, 46, &[]),
    on(On::Spectrometer, Kind::LargeOperations, 48, &[]),
    on(On::LiquidHandler, Kind::HoldsInWords, 50, &[]),
    on(On::Restarted, Kind::TokensFall, 18, &[]),
    on(On::Restarted, Kind::SequencesFall, 20, &[]),
    // It can't tell what had ended from what had not.
    on(On::Restarted, Kind::DrivesAgain, 33, &[34, 35]),
    on(On::Restarted, Kind::RunsWhatWaits, 34, &[]),
    on(On::Restarted, Kind::ForgetsOverRestarts, 35, &[]),
    on(On::Restarted, Kind::AlwaysTheSameJournal, 49, &[]),
];
