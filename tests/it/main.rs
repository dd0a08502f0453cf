//! The one integration binary: the real programs, driven through their public faces.

#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test fails by a panic and then shows what it saw"
)]

mod agents;
mod crash;
mod journey;
mod permission;
mod stop;
