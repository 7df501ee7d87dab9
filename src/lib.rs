//! Eutectic as a library: what the binary `eutectic` is made of. See ARCHITECTURE.md for the map.

pub mod cli;
pub mod closest;
pub mod control;
pub mod doctor;
pub mod engine;
pub mod files;
pub mod gateway;
pub mod host;
pub mod journal;
pub mod lab;
pub mod paging;
pub mod planning;
pub mod projections;
pub mod units;
