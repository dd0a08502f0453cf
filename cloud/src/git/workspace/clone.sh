# Makes the workspace: objects borrowed from the mirror, its own branch. Done again after it was done, it does nothing.
# $4 base commit, $5 branch, $6 URL of `origin`, $7 commit whose files to begin with or empty, $8 name, $9 e-mail of commits,
# then the lines that end their messages.
base=$1 branch=$2 remote=$3 carry=$4 name=$5 email=$6 trailers=$7

[ -e "$snapshots/ready" ] && exit 0
mkdir -p "$workspace" "$snapshots"
if [ -n "$(ls -A "$workspace")" ]; then
    if [ ! -e "$snapshots/unfinished" ]; then
        echo "fatal: the workspace is not empty, and not ours to clear" >&2
        exit 1
    fi
    find "$workspace" -mindepth 1 -delete
fi
: >"$snapshots/unfinished"
make_own "$base"

make_repository "$workspace" "$remote" "$name" "$email" "$trailers"
if ! work checkout --quiet --no-track -B "$branch" "$base" 2>/dev/null; then
    # The name lies above or below that of the branch the clone began with.
    work for-each-ref --format='delete %(refname)' refs/heads/ | work update-ref --no-deref --stdin
    work checkout --quiet --no-track -B "$branch" "$base"
fi
cp -p "$workspace/.git/index" "$snapshots/index"
if [ -n "$carry" ]; then
    work read-tree -m -u "$base" "$carry"
    work read-tree "$base"
    work update-index -q --refresh >/dev/null || true
fi
mv "$snapshots/unfinished" "$snapshots/ready"
