# Writes a bundle of the workspace as it is to standard output; warnings go to standard error.
# $4 ref, $5 base commit, $6 snapshot the cloud has or empty, $7 "commits" to bring the branch's commits along,
# $8 "changed": nothing is written where the files are those of $6, $9 commit whose files are kept though they are ignored.
ref=$1 base=$2 previous=$3 with_commits=$4 only=$5 wanted=$6

make_own "$base"
parent=$base
if own_has "$previous"; then parent=$previous; fi
record "$parent"
if own_has "$wanted"; then
    # What is ignored now and would be written over.
    own diff --cached --name-only --no-renames --diff-filter=D -z "$wanted" |
        (cd "$workspace" && own update-index --add --remove -z --stdin)
fi
tree=$(own write-tree)
head='' branch='' staged='' submodules=''
if record_submodules ''; then
    submodules=$(inner write-tree)
    rm -f "$snapshots/submodules.index"
fi
if [ "$only" = changed ]; then
    before=$(own cat-file commit "$parent" | sed -n 's/^Aloft-Submodules: //p' | tail -n 1)
    if [ -n "$before" ]; then before=$(own rev-parse --verify --quiet "$before^{tree}") || before=''; fi
    if [ "$tree" = "$(own rev-parse "$parent^{tree}")" ] && [ "$submodules" = "$before" ]; then exit 0; fi
fi
if [ -n "$submodules" ]; then submodules=$(own commit-tree -m 'Files of submodules' "$submodules"); fi
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
if [ -n "$head" ] && cp -p "$workspace/.git/index" "$snapshots/staged.index" 2>/dev/null; then
    # What is staged and not committed.
    if staged=$(GIT_INDEX_FILE=$snapshots/staged.index work write-tree 2>/dev/null) && [ "$staged" != "$(own rev-parse "$head^{tree}")" ]; then
        staged=$(work commit-tree -m Index "$staged") || staged=''
        own fetch --quiet --no-tags --no-write-fetch-head --no-auto-gc --no-recurse-submodules "$workspace/.git" "+$staged:refs/aloft/index" 2>/dev/null || staged=''
    else
        staged=''
    fi
fi
rm -f "$snapshots/staged.index"
set -- "$tree" -p "$parent"
for more in "$head" "$staged" "$submodules"; do
    if [ -n "$more" ] && [ "$more" != "$parent" ]; then set -- "$@" -p "$more"; fi
done
commit=$({
    printf 'Snapshot %s\n\n' "${ref#refs/aloft/}"
    if [ -n "$head" ]; then printf 'Aloft-Head: %s\n' "$head"; fi
    if [ -n "$branch" ]; then printf 'Aloft-Branch: %s\n' "$branch"; fi
    if [ -n "$staged" ]; then printf 'Aloft-Index: %s\n' "$staged"; fi
    if [ -n "$submodules" ]; then printf 'Aloft-Submodules: %s\n' "$submodules"; fi
} | own commit-tree "$@")
own update-ref "$ref" "$commit"
set -- "$base"
if [ "$parent" != "$base" ]; then set -- "$@" "$parent"; fi
exec git --git-dir="$snapshots" bundle create --quiet - "$ref" --not "$@" --alternate-refs
