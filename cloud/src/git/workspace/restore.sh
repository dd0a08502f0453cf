# Brings the workspace's files, branch, HEAD and index back to a snapshot. Ignored files stay as they are.
# $4 base commit, $5 snapshot, $6 commit to be checked out or empty, $7 branch for it or empty, $8 commit of the index or empty,
# $9 commit of the submodules' files or empty, then the bundle that holds all of it or empty, URL of `origin`, name and e-mail of
# commits, and the lines that end their messages.
base=$1 commit=$2 head=$3 branch=$4 staged=$5 submodules=$6 bundle=$7 remote=$8 name=$9
shift 9
email=$1 trailers=$2

make_own "$base"
if [ -n "$bundle" ]; then
    own fetch --quiet --no-tags --no-write-fetch-head --no-auto-gc --no-recurse-submodules "$bundle" '+refs/aloft/*:refs/aloft/restored/*'
fi
for needed in "$commit" "$head" "$staged" "$submodules"; do
    if [ -n "$needed" ] && ! own_has "$needed"; then
        echo "fatal: commit $needed is not in the sandbox" >&2
        exit 3
    fi
done

# Only what the index knows can be removed.
record "$base"
own read-tree --reset -u "$commit"
if [ -n "$submodules" ]; then
    record_submodules "$submodules" || true
    inner read-tree --reset -u "$submodules"
    rm -f "$snapshots/submodules.index"
    # Without a repository of its own git would take it for files of this one.
    own ls-files --stage -z | { grep -z '^160000 ' || true; } | cut -z -f 2- | xargs -0 -r -n 1 sh -c '
        if [ -e "$0/$1/.git" ] || [ -z "$(ls -A "$0/$1" 2>/dev/null)" ]; then exit 0; fi
        git init --quiet --template= "$0/$1"
        git -C "$0/$1" -c core.hooksPath=/dev/null add --all
        git -C "$0/$1" -c core.hooksPath=/dev/null commit --quiet --allow-empty --message "Files of the submodule"
        printf "warning: submodule %s could not be fetched and was made anew from its files\n" "$1" >&2' "$workspace"
fi

if [ -z "$head" ]; then exit 0; fi
if [ ! -e "$workspace/.git" ]; then
    rm -rf "$snapshots/made"
    make_repository "$snapshots/made" "$remote" "$name" "$email" "$trailers"
    mv "$snapshots/made/.git" "$workspace/.git"
    rm -rf "$snapshots/made"
elif ! work rev-parse --git-dir >/dev/null 2>&1; then
    warn 'the files are back, but the workspace has no repository for its branch'
    exit 0
fi
clear_locks "$workspace/.git"
own update-ref refs/aloft/head "$head"
own update-ref refs/aloft/index "${staged:-$head}"
work fetch --quiet --no-tags --no-write-fetch-head --no-auto-gc --no-recurse-submodules "$snapshots" +refs/aloft/head:refs/aloft/restored +refs/aloft/index:refs/aloft/staged
if [ -n "$branch" ]; then
    if work update-ref -m 'aloft: restore' "refs/heads/$branch" "$head" 2>/dev/null; then
        work symbolic-ref HEAD "refs/heads/$branch"
    else
        # Its name lies above or below that of another branch.
        warn "branch $branch could not be made"
        branch=''
    fi
fi
[ -n "$branch" ] || work update-ref --no-deref -m 'aloft: restore' HEAD "$head"
rm -f "$workspace/.git/MERGE_HEAD" "$workspace/.git/CHERRY_PICK_HEAD" "$workspace/.git/REVERT_HEAD" "$workspace/.git/AUTO_MERGE"
rm -rf "$workspace/.git/rebase-merge" "$workspace/.git/rebase-apply" "$workspace/.git/sequencer"
work read-tree refs/aloft/staged
work update-ref -d refs/aloft/restored
work update-ref -d refs/aloft/staged
work update-index -q --refresh >/dev/null || true
