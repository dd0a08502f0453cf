//! The cloud of Aloft: it drives threads, runs their agents in sandboxes and keeps everything they did.
//!
//! The rows of `ARCHITECTURE.md`, from the bottom: [`model`] is pure and knows no I/O, [`addresses`] tells those of the internet; [`store`], [`sandbox`], [`git`], [`acp`]
//! and [`trust`] each own one part of the outside world; [`accounts`] stands on the store; [`runner`] drives
//! threads; [`ssh`] leads into their sandboxes; [`api`] and [`host`] are the faces to bridges and to sandboxes; [`gateway`] is the door for plain OpenSSH;
//! [`heir`] ends what a killed cloud left; [`server`] builds all of it. [`dev_forge`] is no part of a cloud: a small forge for tests. [`guest`] and [`agent`]
//! are islands: they run inside a sandbox and know none of the rest.

// Objects of the forge have many fields, and each is a step of the macro that writes them.
#![recursion_limit = "512"]

pub mod accounts;
pub mod acp;
pub mod addresses;
pub mod agent;
pub mod api;
pub mod cli;
pub mod clock;
pub mod config;
pub mod dev_forge;
pub mod forge;
pub mod gateway;
pub mod git;
pub mod guest;
pub mod heir;
pub mod host;
pub mod model;
pub mod notices;
pub mod runner;
pub mod sandbox;
pub mod server;
pub mod ssh;
pub mod store;
pub mod trust;
