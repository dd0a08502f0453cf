#!/usr/bin/env bash
# Every suite, in the order that finds mistakes soonest. Ends with each suite's own closing line.
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/setup.sh tests
step() { printf '\n== %s\n' "$*"; }

step formatting
cargo fmt --all --check

step lints
cargo clippy --workspace --all-targets --quiet -- -D warnings

step build
cargo build --workspace --all-targets --quiet

step 'agents from npm'
scripts/install-agents.sh target/agents

step 'Rust: unit tests, integration tests, real agents'
ALOFT_TEST_AGENTS="$PWD/target/agents" cargo test --workspace --quiet

step 'JSON-RPC: a client that is not ours'
(cd tests/jsonrpc && npm ci --silent --no-audit --no-fund && node --test --test-reporter=spec)

step done
