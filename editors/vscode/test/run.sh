#!/usr/bin/env bash
# The tests of the VS Code extension, each kind to its end; its last lines are the counts of each.
# usage: run.sh [unit|host|e2e]...
set -euo pipefail
cd "$(dirname "$0")/.."

# VS Code's server and the packaging need a newer node than distributions have; the agents brought one along.
for node in ../../target/agents/modern/node_modules/node-linux-*/bin; do PATH=$(realpath "$node"):$PATH; done
echo "node $(node --version)"
kinds=("$@")
[ $# -gt 0 ] || kinds=(unit)
log=$(mktemp)
trap 'rm -f "$log"' EXIT
code=0
summary=()
count() { sed 's/\x1b\[[0-9;]*m//g' "$log" | grep -E "$1" | grep -oE "[0-9]+ $2" | awk '{ n += $1 } END { print n + 0 }' || true; }
run() { "$@" 2>&1 | tee "$log" || code=1; }

npm ci --silent --no-audit --no-fund
npm run --silent build -- --tests
npm run --silent check || code=1

for kind in "${kinds[@]}"; do
  printf '\n-- %s\n' "$kind"
  case $kind in
    unit)
      run npx vitest run
      summary+=("VS Code: unit: $(count '^ +Tests ' passed) passed, $(count '^ +Tests ' failed) failed, $(count '^ +Tests ' '(skipped|todo)') skipped")
      ;;
    *)
      echo "no such kind of test: $kind" >&2
      exit 2
      ;;
  esac
done
printf '\n'
printf '%s\n' "${summary[@]}"
exit $code
