//! Picks the subcommand of `aloft`.

fn main() {}
