//! Mirrors, snapshots and diffs: the git CLI on clean bare repositories of the cloud's own, and on nothing else.
//!
//! [`mirror`] keeps one bare copy of each repository; [`snapshot`] keeps one bare repository for each thread, which borrows
//! the mirror's objects and is mounted in no sandbox; every diff is computed there. What must run inside a sandbox is
//! given by [`workspace`] as argv and environment, pure data: the cloud never runs git on a tree an agent can write.
//!
//! A bundle from outside is first unpacked beside the repository, checked whole, and only then taken over ([`bundle`]).

mod bundle;
mod command;
mod diff;
mod error;
mod leftover;
pub mod mirror;
mod names;
mod remote;
pub mod snapshot;
#[cfg(test)]
mod tests;
pub mod workspace;

pub use bundle::BUNDLE_LIMIT;
pub(crate) use command::Git;
pub use command::{Progress, version};
pub use diff::DiffOptions;
pub(crate) use diff::{stat, stream};
pub use error::Error;
pub use remote::{Branches, Remote};

/// What a git operation gives.
pub type Result<T, E = Error> = std::result::Result<T, E>;
