//! The way of this machine's ssh into sandboxes: our config and key, what the person's config has of us, and the bytes.
//!
//! `folder` holds everything that is ours, made from `hosts`; `install` puts one line into the person's `~/.ssh/config`, with
//! `config_file` for the text, `files` for the write and `ask` for what ssh makes of it; `spoiler` with
//! `lines` names what of the person's bends our hosts. `ready` is everything a cloud has to know and to tell before ssh
//! connects, `proxy` and `forward` carry bytes through a `tunnel`. Nothing else is touched, and nothing
//! at all before ssh is asked for.

mod ask;
mod config_file;
mod error;
mod folder;
mod forward;
mod generated;
mod hosts;
mod install;
mod key;
mod lines;
mod lock;
mod proxy;
mod quote;
mod ready;
mod spoiler;
#[cfg(test)]
mod tests;
mod tunnel;

pub use config_file::State;
pub use error::Error;
pub use folder::Folder;
pub use forward::Forward;
pub use hosts::{Cloud, Hosts, Place};
pub use install::{Change, Difference, UserConfig};
pub use key::Key;
pub use proxy::{Word, cloud_of, environment};
pub use quote::shell;
pub use ready::{Host, Ssh};
pub use spoiler::Spoiler;
pub use tunnel::Tunnel;
