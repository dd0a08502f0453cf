//! Sandboxes by bubblewrap with their real guest: what they hold back, what they keep, and that nothing of them is left.

#![expect(clippy::unwrap_used, reason = "a test fails by it")]

#[path = "sandbox/calls.rs"]
mod calls;
#[path = "sandbox/hindered.rs"]
mod hindered;
#[path = "sandbox/host.rs"]
mod host;
#[path = "sandbox/inside.rs"]
mod inside;
#[path = "sandbox/isolation.rs"]
mod isolation;
#[path = "sandbox/life.rs"]
mod life;
#[path = "sandbox/limits.rs"]
mod limits;
