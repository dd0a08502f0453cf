//! The one integration binary: the real programs, driven through their public faces.

mod agents;
mod crash;
mod journey;
mod permission;
mod stop;
