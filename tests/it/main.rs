//! The one integration binary.

mod agents;
