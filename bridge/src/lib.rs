//! The bridge of Aloft: the `aloft` command beside the editor.
//!
//! [`protocol`] is what editors see; [`client`] is the cloud as seen from here; [`checkout`] is the local repository;
//! [`ssh`] is the way of this machine's ssh into sandboxes; [`offline`] is what goes on without a cloud; [`mirror`] is the one
//! task that holds subscriptions and cursors; [`lsp`] and [`cli`] are the fronts.

pub mod checkout;
pub mod cli;
pub mod client;
pub mod config;
mod files;
pub mod lsp;
mod markdown;
pub mod mirror;
pub mod notices;
pub mod offline;
pub mod protocol;
pub mod ssh;
mod stdio;
mod text;
