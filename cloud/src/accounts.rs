//! What this cloud uses in its users' names: their model keys.
//!
//! Sealing is `trust`'s; where sealed bytes are kept is a [`keys::Vault`].

pub mod keys;
pub mod vault;
