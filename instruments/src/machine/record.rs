//! What the driver's journal keeps, as plain data.
//!
//! A record replaces the one before it under the same key, so that a journal grows with the number of operations and
//! not with their changes. The encoding is protobuf: fields are added, never renumbered.

use crate::wire::{Context, Operation, Quantity};

/// One fact of the driver's journal.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Record {
    /// Always set in a record written by this version.
    #[prost(oneof = "Kind", tags = "1, 2, 3, 4, 5, 6")]
    pub kind: Option<Kind>,
}

/// The kinds of [`Record`].
#[derive(Clone, PartialEq, prost::Oneof)]
pub enum Kind {
    /// Written first, when the journal is created.
    #[prost(message, tag = "1")]
    Identity(IdentityRecord),
    /// The newest lease of one holder.
    #[prost(message, tag = "2")]
    Lease(LeaseRecord),
    /// Event sequence numbers up to this one may have been told.
    #[prost(int64, tag = "3")]
    SequencesReserved(i64),
    /// The newest halt, in force or cleared.
    #[prost(message, tag = "4")]
    Halt(HaltRecord),
    /// An operation after its newest change.
    #[prost(message, boxed, tag = "5")]
    Operation(Box<OperationRecord>),
    /// What is counted of a consumable, and what people said of it.
    #[prost(message, tag = "6")]
    Consumable(ConsumableRecord),
}

/// Whose journal this is.
#[derive(Clone, PartialEq, prost::Message)]
pub struct IdentityRecord {
    /// New whenever a journal is created.
    #[prost(string, tag = "1")]
    pub journal_id: String,
    /// The instrument it belongs to.
    #[prost(string, tag = "2")]
    pub instrument: String,
}

/// A lease as it was issued; what was renewed later isn't journaled, since no lease outlives a restart.
#[derive(Clone, PartialEq, prost::Message)]
pub struct LeaseRecord {
    /// Whom.
    #[prost(string, tag = "1")]
    pub holder: String,
    /// The highest epoch seen of this holder.
    #[prost(int64, tag = "2")]
    pub holder_epoch: i64,
    /// The token issued with it.
    #[prost(int64, tag = "3")]
    pub fencing_token: i64,
}

/// A halt.
#[derive(Clone, PartialEq, prost::Message)]
pub struct HaltRecord {
    /// How many halts there have been; makes their ids.
    #[prost(int64, tag = "1")]
    pub count: i64,
    /// The halt in force; empty once cleared.
    #[prost(string, tag = "2")]
    pub halt_id: String,
    /// Why it was asked for.
    #[prost(string, tag = "3")]
    pub reason: String,
    /// Who cleared it.
    #[prost(string, tag = "4")]
    pub cleared_by: String,
    /// What that person checked.
    #[prost(string, tag = "5")]
    pub statement: String,
}

/// A consumable, as it is counted here.
#[derive(Clone, PartialEq, prost::Message)]
pub struct ConsumableRecord {
    /// Which.
    #[prost(string, tag = "1")]
    pub id: String,
    /// What is left.
    #[prost(message, optional, tag = "2")]
    pub remaining: Option<Quantity>,
    /// As a person said it.
    #[prost(string, tag = "3")]
    pub lot: String,
    /// As a person said it.
    #[prost(message, optional, tag = "4")]
    pub expire_time: Option<prost_types::Timestamp>,
    /// The newest requests that changed it.
    #[prost(string, repeated, tag = "5")]
    pub requests: Vec<String>,
}

/// An operation and what the driver needs to go on with it.
#[derive(Clone, PartialEq, prost::Message)]
pub struct OperationRecord {
    /// As told to clients.
    #[prost(message, required, tag = "1")]
    pub operation: Operation,
    /// Rises with every operation of this journal: the order of acceptance.
    #[prost(int64, tag = "2")]
    pub ordinal: i64,
    /// As sent with Execute.
    #[prost(enumeration = "crate::wire::execute_request::LeaseLossPolicy", tag = "3")]
    pub lease_loss_policy: i32,
    /// As sent with Execute.
    #[prost(message, optional, tag = "4")]
    pub context: Option<Context>,
    /// Journaled as an abort of an id never accepted: any Execute of it attaches, whatever its hash.
    #[prost(bool, tag = "5")]
    pub tombstone: bool,
    /// The driver's code has said what it is about to do to the sample; until then a crash proves NONE.
    #[prost(enumeration = "crate::wire::SampleEffect", tag = "6")]
    pub effect_reached: i32,
}

impl Kind {
    /// The key under which a newer record replaces an older one.
    #[must_use]
    pub fn key(&self) -> String {
        match self {
            Kind::Identity(_) => "identity".to_owned(),
            Kind::Lease(lease) => format!("lease/{}", lease.holder),
            Kind::SequencesReserved(_) => "sequences".to_owned(),
            Kind::Halt(_) => "halt".to_owned(),
            Kind::Operation(record) => format!("operation/{}", record.operation.id),
            Kind::Consumable(record) => format!("consumable/{}", record.id),
        }
    }
}

impl From<Kind> for Record {
    fn from(kind: Kind) -> Record {
        Record { kind: Some(kind) }
    }
}
