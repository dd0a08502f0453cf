#!/usr/bin/env bash
# Shows that the tests hold what ARCHITECTURE.md promises: each patch of tests/breaks breaks one invariant on purpose, in a
# copy of the committed project, and the test it names must then fail, after it passed without.
# usage: scripts/breaks.sh [NAME…]
set -euo pipefail
cd "$(dirname "$0")/.."
project=$PWD
copy=$project/target/breaks

rm -rf "$copy/project"
git worktree prune
mkdir -p "$copy"
git worktree add --quiet --detach "$copy/project" HEAD
trap 'git -C "$project" worktree remove --force "$copy/project"' EXIT
cd "$copy/project"
export CARGO_TARGET_DIR=$copy/target
# What is built already of other people's crates is taken over.
if [ ! -d "$CARGO_TARGET_DIR" ] && [ -d "$project/target/debug" ]; then
  mkdir -p "$CARGO_TARGET_DIR"
  cp -a --reflink=auto "$project/target/debug" "$CARGO_TARGET_DIR/"
  rm -rf "$CARGO_TARGET_DIR/debug/incremental"
fi

names=("$@")
if [ ${#names[@]} -eq 0 ]; then
  for patch in "$project"/tests/breaks/*.patch; do names+=("$(basename "$patch" .patch)"); done
fi
log=$copy/log
# Whether the test a patch names passes, after a build that must work; a test that is not there does not.
passes() {
  local words target filter
  read -r -a words < <(sed -n 's/^# red: //p' "$project/tests/breaks/$1.patch")
  target=("${words[@]:0:${#words[@]}-1}") filter=${words[-1]}
  # The programs too: the integration tests start them.
  if ! { cargo build --workspace --quiet && cargo test --workspace --no-run --quiet "${target[@]}"; } >"$log" 2>&1; then
    cat "$log" >&2
    echo "error: $1 does not build" >&2
    exit 1
  fi
  cargo test --workspace "${target[@]}" "$filter" >"$log" 2>&1 && grep -qE '^test result: ok\. [1-9]' "$log"
}

code=0
for name in "${names[@]}"; do
  if ! passes "$name"; then
    tail -n 30 "$log" >&2
    echo "error: the test of $name fails without the break" >&2
    code=1
  fi
done
for name in "${names[@]}"; do
  git apply --whitespace=nowarn "$project/tests/breaks/$name.patch"
  if passes "$name"; then
    echo "NOT SEEN  $name"
    code=1
  else
    echo "seen      $name: $(sed -n 's/^# breaks: //p' "$project/tests/breaks/$name.patch")"
  fi
  git checkout --quiet -- .
done
exit $code
