//! The program as people use it: real processes, real sockets, simulated hardware that counts its own starts.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::wildcard_enum_match_arm,
    reason = "a test fails by panicking"
)]

mod bench;
mod crash;
mod doctor;
mod explain;
mod front;
mod interventions;
mod link;
mod night;
mod planner;
mod priors;
mod raw;
mod run;
mod spaces;
mod storm;
mod verbs;
mod windows;
