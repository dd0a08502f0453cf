//! Command line of `aloft-cloud`.
