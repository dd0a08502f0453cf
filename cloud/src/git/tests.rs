//! The behaviour of mirrors, snapshots, diffs and workspace steps, shown with real git in passing folders.

mod diffs;
mod fixture;
mod mirrors;
mod rewinds;
mod snapshots;
mod workspaces;
