//! The bridge of Aloft: the `aloft` command beside the editor.
//!
//! [`protocol`] is what editors see; [`client`] is the cloud as seen from here; [`checkout`] is the local repository;
//! [`offline`] is what goes on without a cloud; [`mirror`] is the one task that holds subscriptions and cursors; [`lsp`] and [`cli`] are the fronts.

pub mod checkout;
pub mod cli;
pub mod client;
pub mod config;
pub mod lsp;
mod markdown;
pub mod mirror;
pub mod notices;
pub mod offline;
pub mod protocol;
mod text;
