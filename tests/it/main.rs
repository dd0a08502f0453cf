//! The one integration binary.

mod crash;
mod isolation;
mod journey;
mod many;
mod permission;
mod stop;
mod uploads;
