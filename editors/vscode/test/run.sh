#!/usr/bin/env bash
# The tests of the VS Code extension, each kind to its end; its last lines are the counts of each.
# usage: run.sh [unit|host|e2e]...
set -euo pipefail
cd "$(dirname "$0")/.."

# VS Code's server and the packing need a newer node than distributions have; the agents brought one along.
for node in ../../target/agents/modern/node_modules/node-linux-*/bin; do PATH=$(realpath "$node"):$PATH; done
echo "node $(node --version)"
kinds=("$@")
[ $# -gt 0 ] || kinds=(unit host e2e)
programs=${ALOFT_TEST_PROGRAMS:-../../target/debug}
log=$(mktemp)
trap 'rm -f "$log"' EXIT
code=0
summary=()
run() { "$@" 2>&1 | tee "$log" || code=1; }
# Adds up the numbers in lines of the log that fit.
count() { sed 's/\x1b\[[0-9;]*m//g' "$log" | grep -E "$1" | grep -oE "$2" | grep -oE '[0-9]+' | awk '{ n += $1 } END { print n + 0 }' || true; }
close() { summary+=("VS Code: $1: $2 passed, $3 failed, $4 skipped"); }

npm ci --silent --no-audit --no-fund
npm run --silent build -- --tests
npm run --silent check || code=1
case " ${kinds[*]} " in
  *' e2e '*)
    # Some journeys have a second editor at hand, the one of those tests.
    [ -d ../../tests/jsonrpc/node_modules ] || (cd ../../tests/jsonrpc && npm ci --silent --no-audit --no-fund)
    ;;
esac
case " ${kinds[*]} " in
  *' host '* | *' e2e '*) test/rig/install-vscode.sh "${ALOFT_TEST_VSCODE:-../../target/vscode}" ;;
esac

for kind in "${kinds[@]}"; do
  printf '\n-- %s\n' "$kind"
  case $kind in
    unit)
      run npx vitest run
      close unit "$(count '^ +Tests ' '[0-9]+ passed')" "$(count '^ +Tests ' '[0-9]+ failed')" "$(count '^ +Tests ' '[0-9]+ (skipped|todo)')"
      ;;
    host)
      run node test/rig/host.mjs
      close host "$(count '^ +[0-9]+ passing' '[0-9]+ passing')" "$(count '^ +[0-9]+ failing' '[0-9]+ failing')" "$(count '^ +[0-9]+ pending' '[0-9]+ pending')"
      ;;
    e2e)
      scripts/package.sh ../../target/vscode-vsix/aloft.vsix "$programs"
      run node --test --test-concurrency=1 --test-reporter=spec test/e2e/*.test.mjs
      close e2e "$(count '^ℹ pass' '[0-9]+')" "$(count '^ℹ (fail|cancelled)' '[0-9]+')" "$(count '^ℹ (skipped|todo)' '[0-9]+')"
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
