//! The JSON shapes of the public interface: the same in the CLI, in JSON-RPC and in the exported schema.
//!
//! Reading is tolerant: unknown fields are ignored and unknown enum values become `Unknown`. Conversions from and to the
//! gRPC records live in [`from_proto`] and [`to_proto`]; what an error looks like on each way out is in [`error`].
//! [`method`] lists every request and notification; [`schema`] writes all of it down for other languages.

pub mod diff;
pub mod error;
pub mod event;
pub mod from_proto;
pub mod input;
pub mod item;
pub mod kept;
pub mod method;
pub mod notice;
pub mod notification;
pub mod request;
pub mod schema;
pub mod thread;
pub mod time;
pub mod to_proto;

/// Version of the JSON-RPC protocol, told in the answer to `initialize`.
pub const VERSION: u32 = 1;
