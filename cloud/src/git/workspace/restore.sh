# Brings the workspace's files, branch and HEAD back to a snapshot. Ignored files stay as they are.
# $4 base commit, $5 snapshot, $6 bundle that holds it or empty.
base=$1 commit=$2 bundle=$3

make_own "$base"
if [ -n "$bundle" ]; then
    own fetch --quiet --no-tags --no-write-fetch-head --no-auto-gc --no-recurse-submodules "$bundle" '+refs/aloft/*:refs/aloft/restored/*'
fi
own_has "$commit" || {
    echo "fatal: snapshot $commit is not in the sandbox" >&2
    exit 1
}
# Only what the index knows can be removed.
record "$base"
own read-tree --reset -u "$commit"

message=$(own cat-file commit "$commit")
head=$(printf '%s\n' "$message" | sed -n 's/^Aloft-Head: //p' | tail -n 1)
branch=$(printf '%s\n' "$message" | sed -n 's/^Aloft-Branch: //p' | tail -n 1)
if [ -z "$head" ]; then exit 0; fi
if ! work rev-parse --git-dir >/dev/null 2>&1; then
    warn 'the files are back, but the workspace has no repository for its branch'
    exit 0
fi
own update-ref refs/aloft/head "$head"
work fetch --quiet --no-tags --no-write-fetch-head --no-auto-gc --no-recurse-submodules "$snapshots" +refs/aloft/head:refs/aloft/restored
case $branch in
refs/heads/*)
    work update-ref -m 'aloft: restore' "$branch" "$head"
    work symbolic-ref HEAD "$branch"
    ;;
*) work update-ref --no-deref -m 'aloft: restore' HEAD "$head" ;;
esac
work update-ref -d refs/aloft/restored
rm -f "$workspace/.git/index.lock"
work read-tree "$head"
work update-index -q --refresh >/dev/null || true
