//! The gRPC contracts of Aloft, generated from `proto/aloft`: no logic lives here.
//!
//! [`v1`] is what a bridge asks of a cloud; its records are also what the cloud stores. [`guest`] is what a cloud asks
//! of the daemon inside a sandbox.

/// Bridge to cloud: package `aloft.v1`.
#[allow(missing_docs, clippy::all, clippy::pedantic, unreachable_pub, reason = "generated")]
pub mod v1 {
    tonic::include_proto!("aloft.v1");
}

/// Cloud to guest: package `aloft.guest.v1`.
#[allow(missing_docs, clippy::all, clippy::pedantic, unreachable_pub, reason = "generated")]
pub mod guest {
    tonic::include_proto!("aloft.guest.v1");
}

/// The compiled descriptors of both packages, for gRPC reflection.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptor.bin"));
