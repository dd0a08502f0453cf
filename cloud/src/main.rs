//! Picks the subcommand of `aloft-cloud`.

fn main() {}
