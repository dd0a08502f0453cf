# Begins every script: what all of them need. $1 workspace, $2 mirror, $3 git directory of the snapshots.
set -eu
unset GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE GIT_OBJECT_DIRECTORY GIT_ALTERNATE_OBJECT_DIRECTORIES GIT_CONFIG GIT_CONFIG_PARAMETERS GIT_CONFIG_COUNT GIT_NAMESPACE
workspace=$1 mirror=$2 snapshots=$3
shift 3

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

# Makes our own repository where there is none. $1: the base commit.
make_own() {
    [ -d "$snapshots/objects/info" ] && return
    mkdir -p "$snapshots"
    format=sha1
    if [ "${#1}" -eq 64 ]; then format=sha256; fi
    git init --quiet --bare --template= --object-format="$format" "$snapshots"
    printf '[gc]\n\tauto = 0\n[maintenance]\n\tauto = false\n[core]\n\tlogAllRefUpdates = false\n\tbigFileThreshold = 32m\n\tautocrlf = false\n\tsafecrlf = false\n' >>"$snapshots/config"
    mkdir -p "$snapshots/info" "$snapshots/objects/info"
    printf '%s/objects\n' "$mirror" >"$snapshots/objects/info/alternates"
    git --git-dir="$snapshots" update-ref refs/aloft/base "$1"
}

# Brings our own index to what the workspace holds: everything but what is ignored. $1: the commit that was last known.
record() {
    rm -f "$snapshots/index.lock"
    # Keeps what is known of unchanged files, so that they are not read again; forgets nothing that is tracked but ignored.
    own read-tree -m "$1" 2>/dev/null || {
        rm -f "$snapshots/index"
        own read-tree "$1"
    }
    rm -f "$snapshots/info/attributes"
    exclude=$workspace/.git/info/exclude
    [ -f "$exclude" ] || exclude=/dev/null
    enter_nested
    if ! add_all; then
        # Nothing may keep a file out because it cannot be converted: take its bytes as they are.
        printf '* -working-tree-encoding -ident -filter\n' >"$snapshots/info/attributes"
        add_all || warn "not in the snapshot: $(tr '\n' ' ' <"$snapshots/add.log" | cut -c 1-2000)"
        rm -f "$snapshots/info/attributes"
    fi
    rm -f "$snapshots/add.log"
}

add_all() {
    (cd "$workspace" && own -c core.excludesFile="$exclude" -c advice.addEmbeddedRepo=false add --all --ignore-errors . 2>"$snapshots/add.log")
}

# git takes a repository inside the workspace for a submodule and passes its files by, unless one of them is known to the
# index: so one that does not exist is made known, which the next `add` forgets again.
enter_nested() {
    empty=$(own hash-object -t blob /dev/null)
    depth=0
    while [ "$depth" -lt 8 ]; do
        (cd "$workspace" && own -c core.excludesFile="$exclude" ls-files -z --others --exclude-standard) | { grep -z '/$' || true; } >"$snapshots/nested"
        [ -s "$snapshots/nested" ] || break
        xargs -0 -n 1 sh -c 'printf "100644 %s\t%s.aloft-nested\000" "$0" "$1"' "$empty" <"$snapshots/nested" | own update-index -z --index-info
        depth=$((depth + 1))
    done
    rm -f "$snapshots/nested"
}
