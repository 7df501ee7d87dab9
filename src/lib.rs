//! Eutectic as a library: what the binary `eutectic` is made of. See ARCHITECTURE.md for the map.

pub mod engine;
pub mod gateway;
pub mod journal;
pub mod planning;
pub mod projections;
