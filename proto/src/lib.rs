//! Generated types of the Eutectic protocols, and nothing else.
//!
//! The `.proto` files beside this crate are the documentation; this crate only names their packages.

/// What a vendor implements: `eutectic.instrument.v1`.
pub mod instrument {
    /// Version 1 of the instrument driver contract.
    #[allow(clippy::all, clippy::pedantic, missing_docs)]
    pub mod v1 {
        tonic::include_proto!("eutectic.instrument.v1");
    }
}

/// What the command line, a web page or another program calls: `eutectic.control.v1`.
pub mod control {
    /// Version 1 of the control service.
    #[allow(clippy::all, clippy::pedantic, missing_docs)]
    pub mod v1 {
        tonic::include_proto!("eutectic.control.v1");
    }
}

/// What a planner of one's own implements: `eutectic.planner.v1`.
pub mod planner {
    /// Version 1 of the planner service.
    #[allow(clippy::all, clippy::pedantic, missing_docs)]
    pub mod v1 {
        tonic::include_proto!("eutectic.planner.v1");
    }
}

/// Every file of this crate as an encoded `FileDescriptorSet`, for gRPC reflection.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));

/// The domain of every `google.rpc.ErrorInfo` by which a driver refuses a call.
pub const ERROR_DOMAIN: &str = "instrument.eutectic";
