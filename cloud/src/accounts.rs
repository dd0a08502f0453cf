//! What this cloud uses in its users' names: their model keys and their accounts at forges; and the SSH keys by which they come in.
//!
//! Sealing is `trust`'s; where sealed bytes are kept is a [`keys::Vault`].

pub mod forges;
pub mod keys;
pub mod ssh_keys;
pub mod vault;
