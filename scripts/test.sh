#!/usr/bin/env bash
# Every suite, in the order that finds mistakes soonest, each to its end; then a closing line for each.
# With CI=true a skipped test is a failure.
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/setup.sh tests
log=$(mktemp)
trap 'rm -f "$log"' EXIT
summary=()
code=0

step() { printf '\n== %s\n' "$1"; }
# Remembers how a suite ended; its counts, where it has some, are passed, failed, skipped.
close() {
  local name=$1 status=$2 line=ok
  if [ $# -gt 2 ]; then
    line="$3 passed, $4 failed, $5 skipped"
    if [ "$3" -eq 0 ]; then line="$line: nothing ran" status=1; fi
    if [ "$5" -gt 0 ] && [ "${CI:-}" = true ]; then line="$line: no skips in CI" status=1; fi
  elif [ "$status" -ne 0 ]; then
    line=failed
  fi
  [ "$status" -eq 0 ] || code=1
  summary+=("$(printf '%-12s %s' "$name" "$line")")
}
# Runs a command, shows what it says and keeps it.
run() { "$@" 2>&1 | tee "$log"; }
# Adds up the numbers before a word in the closing lines of a suite; what a failed test prints may be no text.
sum() { grep -aE "$1" "$log" | grep -oE "$2" | grep -oE '[0-9]+' | awk '{ n += $1 } END { print n + 0 }' || true; }

status=0
step formatting
cargo fmt --all --check || status=$?
close formatting $status

status=0
step lints
cargo clippy --workspace --all-targets --quiet -- -D warnings || status=$?
close lints $status

step build
cargo build --workspace --all-targets --quiet

step 'agents from npm'
scripts/install-agents.sh target/agents

step 'VS Code from npm'
for node in target/agents/modern/node_modules/node-linux-*/bin; do
  PATH=$(realpath "$node"):$PATH editors/vscode/test/rig/install-vscode.sh target/vscode
done

status=0
step 'Rust: unit tests, integration tests, real agents, VS Code over SSH'
ALOFT_TEST_AGENTS="$PWD/target/agents" ALOFT_TEST_VSCODE="$PWD/target/vscode" run cargo test --workspace --no-fail-fast --quiet || status=$?
closing='^test result:'
close Rust $status "$(sum "$closing" '[0-9]+ passed')" "$(sum "$closing" '[0-9]+ failed')" "$(sum "$closing" '[0-9]+ ignored')"

status=0
step 'demo: the main job, as people try it'
run scripts/test-demo.sh || status=$?
close demo $status "$(sum '^Demo: ' '[0-9]+ passed')" "$(sum '^Demo: ' '[0-9]+ failed')" 0

status=0
step 'JSON-RPC: a client that is not ours'
# Debian 12 has node 18, which is too old; the agents brought a newer one along.
major=$(node --version | sed 's/^v\([0-9]*\).*/\1/')
if [ "$major" -lt 20 ]; then
  for node in target/agents/modern/node_modules/node-linux-*/bin; do PATH=$(realpath "$node"):$PATH; done
  echo "node $major on this machine is too old, using $(node --version) of target/agents"
fi
cd tests/jsonrpc
npm ci --loglevel=error --no-audit --no-fund
run node --test --test-concurrency=2 --test-reporter=spec || status=$?
close JSON-RPC $status "$(sum '^ℹ pass' '[0-9]+')" "$(sum '^ℹ (fail|cancelled)' '[0-9]+')" "$(sum '^ℹ (skipped|todo)' '[0-9]+')"
cd ../..

status=0
step 'Forges: what they publish, and a run through each driver'
cd tests/contract
npm ci --loglevel=error --no-audit --no-fund
run node --test --test-concurrency=2 --test-reporter=spec || status=$?
close Forges $status "$(sum '^ℹ pass' '[0-9]+')" "$(sum '^ℹ (fail|cancelled)' '[0-9]+')" "$(sum '^ℹ (skipped|todo)' '[0-9]+')"
cd ../..

status=0
step 'VS Code: the extension'
run editors/vscode/test/run.sh || status=$?
closing='^VS Code: '
close 'VS Code' $status "$(sum "$closing" '[0-9]+ passed')" "$(sum "$closing" '[0-9]+ failed')" "$(sum "$closing" '[0-9]+ skipped')"

printf '\n'
printf '%s\n' "${summary[@]}"
exit $code
