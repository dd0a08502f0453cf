//! The local repository of a person: what it is, upload of what the cloud lacks, apply, checkout.
//!
//! It belongs to its owner. Reading and uploading leave every byte of it alone: no lock, no index refresh, no ref, no
//! object. What has to be written while looking (the index and the objects of uncommitted work) goes into a scratch
//! repository in a temporary folder that borrows the checkout's objects. Only [`Local::apply`] changes the working tree,
//! and only [`Local::branch`] adds objects and a branch. Talking to the cloud beyond the upload is the caller's.

mod apply;
mod branch;
mod error;
mod git;
mod local;
mod patch;
mod plan;
mod remote;
mod scratch;
#[cfg(test)]
pub(crate) mod testing;
mod times;
mod upload;

pub use apply::Applied;
pub use error::Error;
pub use local::Local;
pub use patch::whole_patch;
pub use plan::{Dirty, Plan};
pub use upload::{Progress, upload};

/// What this module's functions return.
pub type Result<T> = std::result::Result<T, Error>;
