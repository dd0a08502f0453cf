//! The one integration binary: the real programs, driven through their public faces.

mod agents;
mod crash;
mod isolation;
mod journey;
mod many;
mod permission;
mod stop;
mod tidy;
mod uploads;
mod wrong;
