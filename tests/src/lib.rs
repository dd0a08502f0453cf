//! Harness of the integration tests: an own HOME, the real programs, a scripted model server.
//!
//! A [`Home`] is a person's machine: its own home folder, configuration, data and sandboxes, and the real `aloft` in it. It ends
//! everything it started and removes everything it made when it is dropped, and shows the cloud's log when the test failed.
#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a harness speaks to whoever reads a failed test, and ends it where something is not as it must be"
)]

pub mod cloud;
pub mod dev_forge;
pub mod footprint;
pub mod git;
pub mod home;
pub mod model;
pub mod poll;
pub mod random;
pub mod relay;
pub mod remote;
pub mod sender;
pub mod ssh;
