#!/usr/bin/env bash
# Writes the generated pages of docs/ anew: the command line, the protocol's JSON Schema and TypeScript declarations.
set -euo pipefail
cd "$(dirname "$0")/.."

cargo build --workspace --quiet
cargo run --quiet -p aloft-bridge --example export-protocol
ALOFT_TEST_WRITE_DOCS=1 cargo test --quiet -p aloft-tests --test it tidy::pages::the_page_of_commands
