//! The one integration binary: the real programs, driven through their public faces.

#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test that cannot go on has failed, and tells its reader why"
)]

mod agents;
mod archive;
mod bad_input;
mod by_hand;
mod clean_up;
mod crash;
mod cycles;
mod dev_forge;
mod faults;
mod full_disk;
mod isolation;
mod journey;
mod many;
mod notices;
mod offline;
mod origin;
mod permission;
mod pull_request;
mod reach;
mod rest;
mod rewind;
mod served;
mod ssh;
mod stop;
mod tidy;
mod truth;
mod uploads;
mod usage;
mod vanish;
mod wrong;
