//! The commands of `aloft`.
