# Writes a bundle of the workspace as it is to standard output; warnings go to standard error.
# $4 ref, $5 base commit, $6 snapshot the cloud has or empty, $7 "commits" to bring the branch's commits along.
ref=$1 base=$2 previous=$3 with_commits=$4

make_own "$base"
parent=$base
if own_has "$previous"; then parent=$previous; fi
record "$parent"
tree=$(own write-tree)
head='' branch=''
if [ "$with_commits" = commits ] && [ -e "$workspace/.git" ]; then
    branch=$(work symbolic-ref --quiet HEAD 2>/dev/null) || branch=''
    if ! head=$(work rev-parse --verify --quiet HEAD 2>/dev/null); then
        head='' # Before its first commit.
    elif here=$(own rev-parse --verify --quiet "$head^{commit}" 2>/dev/null) && own merge-base --is-ancestor "$here" "$parent"; then
        head=$here # Nothing was committed since: all of it is here.
    elif head='' && own fetch --quiet --no-tags --no-write-fetch-head --no-auto-gc --no-recurse-submodules "$workspace/.git" +HEAD:refs/aloft/head 2>"$snapshots/fetch.log"; then
        head=$(own rev-parse --verify --quiet 'refs/aloft/head^{commit}') || head=''
    else
        warn "the branch's commits are not in the snapshot: $(grep -E '^(fatal|error)' "$snapshots/fetch.log" | head -n 1)"
    fi
    rm -f "$snapshots/fetch.log"
fi
set -- "$tree" -p "$parent"
if [ -n "$head" ] && [ "$head" != "$parent" ]; then set -- "$@" -p "$head"; fi
commit=$({
    printf 'Snapshot %s\n\n' "${ref#refs/aloft/}"
    if [ -n "$head" ]; then printf 'Aloft-Head: %s\n' "$head"; fi
    if [ -n "$branch" ]; then printf 'Aloft-Branch: %s\n' "$branch"; fi
} | own commit-tree "$@")
own update-ref "$ref" "$commit"
set -- "$base"
if [ "$parent" != "$base" ]; then set -- "$@" "$parent"; fi
exec git --git-dir="$snapshots" bundle create --quiet - "$ref" --not "$@" --alternate-refs
