//! Drives the guest as the cloud does: the real program, a real inherited listener, a real gRPC client.
//!
//! It runs outside a sandbox here, so it may only ever touch what it started itself.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "the helpers of tests are tests too")]

#[path = "guest/files.rs"]
mod files;
#[path = "guest/harness.rs"]
mod harness;
#[path = "guest/kill.rs"]
mod kill;
#[path = "guest/life.rs"]
mod life;
#[path = "guest/network.rs"]
mod network;
#[path = "guest/process.rs"]
mod process;
#[path = "guest/sandbox.rs"]
mod sandbox;
