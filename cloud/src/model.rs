//! The pure core: records, the thread machine, and what turns an agent's reports into items.
//!
//! Nothing here reads a clock, draws a random number or touches the world: time and randomness come in as inputs.
//! The records themselves are the messages of [`aloft_proto::v1`].

pub mod budget;
pub mod machine;
pub mod naming;
pub mod proposal;
pub mod redact;
pub mod time;
pub mod transcript;
pub mod update;
pub mod usage;
