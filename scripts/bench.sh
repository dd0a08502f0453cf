#!/usr/bin/env bash
# Measures the release build. Arguments are names of measures (lsp codex request list new stop open events sandbox rest repositories reconnect fleet ssh); none = all.
# Figures of each run go to target/bench/; the table says how they stand to the run before.
set -euo pipefail
cd "$(dirname "$0")/.."

# Not incremental: what is measured is what is installed.
export CARGO_INCREMENTAL=0
cargo build --workspace --bins --release --quiet
cargo bench --workspace --bench bench --quiet -- "$@"
