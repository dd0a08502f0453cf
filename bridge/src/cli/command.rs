//! The commands, one file each or a few small ones of a kind.

pub(crate) mod agent;
pub(crate) mod answer;
pub(crate) mod apply;
pub(crate) mod archive;
pub(crate) mod cloud;
pub(crate) mod completions;
pub(crate) mod delete;
pub(crate) mod diff;
pub(crate) mod doctor;
pub(crate) mod follow;
pub(crate) mod forward;
pub(crate) mod key;
pub(crate) mod life;
pub(crate) mod list;
pub(crate) mod new;
pub(crate) mod notice;
pub(crate) mod queue;
pub(crate) mod rewind;
pub(crate) mod send;
pub(crate) mod setup;
pub(crate) mod show;
pub(crate) mod ssh;
pub(crate) mod ssh_proxy;
pub(crate) mod stop;
pub(crate) mod uninstall;
pub(crate) mod update;
