//! The ring: requests in, events out, and a state that the events alone rebuild.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::wildcard_enum_match_arm,
    reason = "a test fails by panicking"
)]

mod interventions;
mod lifecycle;
mod limits;
mod support;
mod walk;
