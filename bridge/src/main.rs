//! Picks the subcommand of `aloft`.

fn main() -> std::process::ExitCode {
    aloft_bridge::cli::main()
}
