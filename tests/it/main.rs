//! The one integration binary.

mod crash;
mod journey;
mod permission;
mod stop;
