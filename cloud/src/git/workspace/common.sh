# Begins every script: what all of them need. $1 workspace, $2 mirror, $3 git directory of the snapshots.
set -eu
unset GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE GIT_OBJECT_DIRECTORY GIT_ALTERNATE_OBJECT_DIRECTORIES GIT_CONFIG GIT_CONFIG_PARAMETERS GIT_CONFIG_COUNT GIT_NAMESPACE
workspace=$1 mirror=$2 snapshots=$3
shift 3
# Its own user may have closed it.
{ [ -r "$workspace" ] && [ -w "$workspace" ] && [ -x "$workspace" ]; } || chmod u+rwx "$workspace" 2>/dev/null || true

warn() {
    printf 'warning: %s\n' "$1" >&2
}

# git on the workspace's own repository, whose configuration is the agent's.
work() {
    git -c core.hooksPath=/dev/null -c core.fsmonitor=false -c advice.detachedHead=false --git-dir="$workspace/.git" --work-tree="$workspace" "$@"
}

# git on our own repository: the same files, but nothing the agent configured.
own() {
    git -c core.hooksPath=/dev/null -c core.fsmonitor=false --git-dir="$snapshots" --work-tree="$workspace" "$@"
}

own_has() {
    [ -n "$1" ] && own cat-file -e "$1^{commit}" 2>/dev/null
}

# Makes our own repository where there is none, or one that was never finished. $1: the base commit.
make_own() {
    [ ! -d "$snapshots" ] || clear_locks "$snapshots"
    [ -s "$snapshots/objects/info/alternates" ] && return
    mkdir -p "$snapshots"
    format=sha1
    if [ "${#1}" -eq 64 ]; then format=sha256; fi
    git init --quiet --bare --template= --object-format="$format" "$snapshots"
    printf '[gc]\n\tauto = 0\n[maintenance]\n\tauto = false\n[core]\n\tlogAllRefUpdates = false\n\tbigFileThreshold = 32m\n\tautocrlf = false\n\tsafecrlf = false\n' >>"$snapshots/config"
    mkdir -p "$snapshots/info" "$snapshots/objects/info"
    GIT_ALTERNATE_OBJECT_DIRECTORIES=$mirror/objects git --git-dir="$snapshots" update-ref refs/aloft/base "$1"
    # Last: it says that all of it was made.
    printf '%s/objects\n' "$mirror" >"$snapshots/objects/info/alternates"
}

# Removes what a git that was killed leaves of files and refs of the repository $1. Only where no other one can be at work.
# What cannot be removed is told by the git that it is in the way of.
clear_locks() {
    rm -f "$1"/*.lock "$1/packed-refs.new" 2>/dev/null || true
    find "$1/refs" -name '*.lock' -type f -exec rm -f {} + 2>/dev/null || true
}

# Makes a repository without files that borrows from the mirror. $1 where, $2 URL of `origin`, $3 name, $4 e-mail of commits,
# $5 the lines that end their messages.
make_repository() {
    # The mirror belongs to another user; git takes that only from a file.
    printf '[safe]\n\tdirectory = *\n' >"$snapshots/gitconfig"
    GIT_CONFIG_NOSYSTEM=0 GIT_CONFIG_SYSTEM=$snapshots/gitconfig git -c core.hooksPath=/dev/null -c advice.detachedHead=false \
        clone --quiet --shared --no-checkout --template= -c user.name="$3" -c user.email="$4" -c gc.auto=0 \
        -c maintenance.auto=false -c push.default=current -- "$mirror" "$1" 2>"$snapshots/clone.log" || {
        cat "$snapshots/clone.log" >&2
        exit 1
    }
    rm -f "$snapshots/clone.log"
    mkdir -p "$1/.git/hooks" "$1/.git/info"
    git --git-dir="$1/.git" remote set-url origin "$2"
    printf '%s\n' "$5" | while IFS= read -r line; do
        [ -z "$line" ] || git --git-dir="$1/.git" config --add aloft.trailer "$line"
    done
    # The first is called whatever is committed, the second after an editor, the third for patches.
    for hook in prepare-commit-msg commit-msg applypatch-msg; do
        trailer_hook >"$1/.git/hooks/$hook"
        chmod +x "$1/.git/hooks/$hook"
    done
}

# A hook of git for messages of commits. What goes wrong in it stops no commit.
trailer_hook() {
    cat <<'HOOK'
#!/bin/sh
# Ends the message of a commit with the lines in `git config --get-all aloft.trailer`; what says nothing stays empty.
message=$1 kind=${2-}
set --
# What comes by -m or -F holds no comments: there `#12` is a word.
[ "$kind" != message ] || set -- -c core.commentChar="$(printf '\001')"
sed '/^. -* >8 -*$/,$d' "$message" | git "$@" stripspace --strip-comments | grep -q . || exit 0
git config --get-all aloft.trailer | while IFS= read -r line; do
    grep -qxF -e "$line" "$message" ||
        git "$@" interpret-trailers --in-place --no-divider --if-exists addIfDifferent --trailer "$line" "$message"
done
exit 0
HOOK
}

# Brings our own index to what the workspace holds: everything but what is ignored. $1: the commit that was last known.
record() {
    # Keeps what is known of unchanged files, so that they are not read again; forgets nothing that is tracked but ignored.
    own read-tree -m "$1" 2>/dev/null || {
        rm -f "$snapshots/index"
        own read-tree "$1"
    }
    rm -f "$snapshots/info/attributes"
    exclude=$workspace/.git/info/exclude
    [ -f "$exclude" ] || exclude=/dev/null
    printf '.\0' >"$snapshots/paths"
    add_paths
}

# Adds the files below the paths in `paths` to the index in use.
add_paths() {
    enter_nested
    if ! add_all; then
        # Nothing may keep a file out because it cannot be converted: take its bytes as they are.
        printf '* -working-tree-encoding -ident -filter\n' >"$snapshots/info/attributes"
        add_all || warn "not in the snapshot: $(tr '\n' ' ' <"$snapshots/add.log" | cut -c 1-2000)"
        rm -f "$snapshots/info/attributes"
    fi
    rm -f "$snapshots/add.log" "$snapshots/paths"
}

add_all() {
    (cd "$workspace" && own -c core.excludesFile="$exclude" -c advice.addEmbeddedRepo=false add --all --ignore-errors --pathspec-from-file="$snapshots/paths" --pathspec-file-nul 2>"$snapshots/add.log")
}

# git takes a repository inside the workspace for a submodule and passes its files by, unless one of them is known to the
# index: so one that does not exist is made known, which the next `add` forgets again.
enter_nested() {
    depth=0
    while [ "$depth" -lt 8 ]; do
        (cd "$workspace" && xargs -0 git --git-dir="$snapshots" --work-tree="$workspace" -c core.fsmonitor=false -c core.excludesFile="$exclude" ls-files -z --others --exclude-standard -- <"$snapshots/paths") | { grep -z '/$' || true; } >"$snapshots/nested"
        [ -s "$snapshots/nested" ] || break
        xargs -0 -n 1 sh -c 'printf "100644 %s\t%s.aloft-nested\000" "$0" "$1"' "$(empty_blob)" <"$snapshots/nested" | own update-index -z --index-info
        depth=$((depth + 1))
    done
    rm -f "$snapshots/nested"
}

empty_blob() {
    own hash-object -t blob --stdin </dev/null
}

# git on our own repository with an index for the files inside submodules: in the other one a submodule is one entry.
inner() {
    GIT_INDEX_FILE=$snapshots/submodules.index own "$@"
}

# Brings that index to the files of the submodules that are there; fails where none is. $1: only of those this commit has
# files of, or empty. The other index must be up to date.
record_submodules() {
    rm -f "$snapshots/submodules.index"
    [ -e "$workspace/.gitmodules" ] || return 1
    own ls-files --stage -z | { grep -z '^160000 ' || true; } | cut -z -f 2- | xargs -0 -r -n 1 sh -c '
        [ -e "$0/$3/.git" ] || exit 0
        [ -z "$2" ] || git --git-dir="$1" cat-file -e "$2:$3" 2>/dev/null || exit 0
        printf "%s\000" "$3"' "$workspace" "$snapshots" "$1" >"$snapshots/paths"
    [ -s "$snapshots/paths" ] || return 1
    xargs -0 -n 1 sh -c 'printf "100644 %s\t%s/.aloft-nested\000" "$0" "$1"' "$(empty_blob)" <"$snapshots/paths" | inner update-index -z --index-info
    (
        export GIT_INDEX_FILE="$snapshots/submodules.index"
        add_paths
    )
}
