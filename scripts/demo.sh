#!/usr/bin/env bash
# Does the main job for real and checks that it was: an agent in a sandbox changes a repository, is guided, stopped and
# asked, and its exact diff comes back; then from a repository at a forge to a merged pull request. Works on a small
# repository of its own, or on REPO=PATH.
set -euo pipefail

here=$(cd "$(dirname "$0")/.." && pwd)
bin=${CARGO_TARGET_DIR:-$here/target}/debug
began=$SECONDS
exec </dev/null

bold='' dim='' green='' red='' cyan='' off=''
if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then
  bold=$'\e[1m' dim=$'\e[2m' green=$'\e[32m' red=$'\e[31m' cyan=$'\e[36m' off=$'\e[0m'
fi

heading() { printf '\n%s── %s ──%s\n' "$bold" "$1" "$off"; }
typed() { printf '\n%s$ %s%s\n' "$cyan" "$1" "$off"; }
say() { printf '%s%s%s\n' "$dim" "$1" "$off"; }
die() {
  printf '\n%s✗ %s%s\n' "$red" "$1" "$off" >&2
  exit 1
}

# Each check is a sentence and a command; the sentences are repeated at the end.
kept=()
broken=()
check() {
  local sentence=$1
  shift
  if "$@"; then
    kept+=("$sentence")
    printf '%s✓ %s%s\n' "$green" "$sentence" "$off"
  else
    broken+=("$sentence")
    printf '%s✗ not so: %s%s\n' "$red" "$sentence" "$off"
  fi
}

# Waits up to 2 min for a command to succeed: far longer than it takes on a busy machine.
await() {
  local tries=1200
  until "$@"; do
    tries=$((tries - 1))
    [ $tries -gt 0 ] || return 1
    sleep 0.1
  done
}

# ── A machine of its own: everything below one folder, removed at the end ──

# Short, because sockets live below it; traversable, because a sandbox may have a user of its own.
scratch=$(mktemp -d /var/tmp/aloft-demo.XXXXXX)
chmod 0711 "$scratch"
aloft() { "$bin/aloft" "$@"; }
cleanup() {
  local code=$?
  trap - EXIT
  [ -z "${forge:-}" ] || kill "$forge" 2>/dev/null || true
  if [ -e "$scratch/data/cloud" ]; then
    aloft cloud stop >/dev/null 2>&1 || true
    if [ $code -ne 0 ] && [ -s "$scratch/data/cloud/cloud.log" ]; then
      printf '\nthe last words of the cloud:\n' >&2
      tail -n 30 "$scratch/data/cloud/cloud.log" >&2
    fi
  fi
  cd /
  rm -rf "$scratch"
  exit "$code"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

for name in $(compgen -e | grep -E '^(ALOFT_|GIT_|ANTHROPIC_|OPENAI_)' || true); do
  unset "$name"
done
export ALOFT_CONFIG_DIR=$scratch/config ALOFT_DATA_DIR=$scratch/data ALOFT_RUNTIME_DIR=$scratch/run
export GIT_OPTIONAL_LOCKS=0 GIT_PAGER=cat
mkdir "$scratch/config" "$scratch/home"
printf '[serve]\nsandboxDir = "%s/s"\n' "$scratch" > "$scratch/config/config.toml"

# git as a person without configuration has it.
plain_git() {
  env -u XDG_CONFIG_HOME HOME="$scratch/home" GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1 GIT_LFS_SKIP_SMUDGE=1 \
    git -c user.name=Demo -c user.email=demo@localhost -c init.defaultBranch=main -c advice.detachedHead=false "$@"
}

# ── The repository ──

make_repository() {
  mkdir -p "$1/src" "$1/tests"
  (
    cd "$1"
    plain_git init -q
    printf '# Greeter\n\nSays hello.\n' > README.md
    printf '*.log\n' > .gitignore
    plain_git add -A && plain_git commit -qm 'Begin'
    # shellcheck disable=SC2016 # It is the script that expands them.
    printf '#!/bin/sh\n. "$(dirname "$0")/words.sh"\necho "$(greeting), ${1:-world}"\n' > src/greet.sh
    printf 'greeting() { echo Helo; }\n' > src/words.sh
    chmod +x src/greet.sh
    plain_git add -A && plain_git commit -qm 'Say hello'
    # shellcheck disable=SC2016
    printf '#!/bin/sh\ntest "$(sh src/greet.sh you)" = "Hello, you"\n' > tests/run.sh
    plain_git add -A && plain_git commit -qm 'Test the greeting'
  )
}

# Every file below the repository's folders with its kind, mode, owner, size, time of change and, unless git ignores it, content.
fingerprint() {
  local folder
  for folder in "${folders[@]}"; do
    find "$folder" -printf '%P %y %m %U:%G %i %s %T@ %l\n' | LC_ALL=C sort
  done
  find "${folders[@]:1}" -type f -exec sha256sum {} + | LC_ALL=C sort
  if [ -e "$repository/.git" ]; then
    (cd "$repository" && git ls-files -z --cached --others --exclude-standard | xargs -0 -r sha256sum 2>/dev/null) || true
  fi
}

# A tracked file of plain text that can be named without quotes; nothing where there is none.
pick_file() {
  git -C "$repository" ls-tree -r "$base" | sed -n 's/^100644 blob [0-9a-f]*\t//p' \
    | grep -E '^[A-Za-z0-9_./+-]+$' > "$scratch/files" || true
  grep -m1 -E '^README(\.(md|txt|rst))?$' "$scratch/files" \
    || grep -m1 -E '\.(md|txt|rs|py|c|h|js|ts|go|java|rb|sh|toml)$' "$scratch/files" || true
}

if [ -n "${REPO:-}" ]; then
  # Not every shell expands it after `REPO=`.
  # shellcheck disable=SC2088
  [ "${REPO#'~/'}" = "$REPO" ] || REPO=$HOME/${REPO#'~/'}
  [ -d "$REPO" ] || die "there is no folder $REPO"
  cd "$REPO"
  git rev-parse --git-dir >/dev/null || die "$REPO is no repository that git reads"
  repository=$(git rev-parse --show-toplevel 2>/dev/null || git rev-parse --absolute-git-dir)
  folders=("$repository" "$(cd "$(git rev-parse --git-common-dir)" && pwd)" "$(git rev-parse --absolute-git-dir)")
else
  repository=$scratch/greeter
  make_repository "$repository"
  folders=("$repository" "$repository/.git")
fi
base=$(git -C "$repository" rev-parse --verify -q 'HEAD^{commit}') || die "$repository has no commit yet"
fingerprint > "$scratch/before"
file=$(pick_file)
for clone in by-hand checkout; do
  plain_git clone -q --no-hardlinks --no-checkout "$repository" "$scratch/$clone"
  plain_git -C "$scratch/$clone" checkout -q --detach "$base"
done
folder=aloft-demo
while [ -e "$scratch/by-hand/$folder" ]; do folder=$folder-again; done
! plain_git -C "$scratch/by-hand" check-ignore "$folder/count.txt" "$folder/count.sh" >/dev/null \
  || die "$repository ignores new files such as $folder/count.txt: there would be no change to show"

# ── What the agent is told; the same is done by hand in a clone, to compare ──

# shellcheck disable=SC2016
inside='for n in user mnt pid net ipc uts cgroup; do readlink /proc/self/ns/$n; done'
count="sh $folder/count.sh | tee $folder/count.txt"
script='#!/bin/sh
# How many files of each kind git tracks here.
git ls-files | sed "s:.*/::; s:^[^.]*$:(none):; s:.*[.]:.:" | LC_ALL=C sort | uniq -c'
if [ -n "${REPO:-}" ]; then
  [ -z "$file" ] && edit=":" || edit="printf '\\nAn agent was here.\\n' >> $file"
  try=true
else
  edit="sed -i s/Helo/Hello/ src/words.sh"
  try="sh tests/run.sh && echo the test passes"
fi
first="plan: see where I am
plan: count the files by kind
plan: mend the greeting

\$ $inside
\`\`\`write $folder/count.sh
$script
\`\`\`
\$ $count
\$ $edit
\$ $try"
[ -z "${REPO:-}" ] || first=${first/mend the greeting/change a file that is there}
guided="echo the plan has changed > $folder/guided.txt"
allowed="echo yes > $folder/allowed.txt"
denied="echo no > $folder/denied.txt"
later="wc -l $folder/*.txt > $folder/lines.txt"
commit="git add -A && git -c commit.gpgsign=false commit -qm Count && git log --oneline -1"

# The first as the agent does it, the others by a plain shell.
by_hand() {
  local command
  cd "$scratch/by-hand"
  mkdir -p "$folder"
  printf '%s\n' "$script" > "$folder/count.sh"
  for command in "$count" "$edit" "$guided" "$allowed" "$later"; do
    HOME=$scratch/home sh -c "$command" >/dev/null
  done
  plain_git add -A -N .
  # How far object names are shortened depends on how many there are, and says nothing about the change.
  plain_git -c "core.abbrev=$1" diff "$base"
}

# Processes of this machine whose command line holds what the file says; the pattern itself is in no command line.
# shellcheck disable=SC2062 # The pattern comes by --file.
processes_with() { { grep -lsF --file=- /proc/[0-9]*/cmdline < "$1" || true; } | sed -n 's:^/proc/\([0-9]*\)/.*:\1:p'; }
runs() { [ -n "$(processes_with "$1")" ]; }
is_gone() { ! runs "$1"; }
# A command that goes on for hours and does not end when it is asked to.
stubborn() { printf 'trap "" TERM; sleep %s & sleep %s; sleep %s' "$1" "$1" "$1"; }
new_mark() { printf '7%s.%s\n' "$(od -An -N2 -tu2 /dev/urandom | tr -d ' ')" "$$" | tee "$1"; }

# ── 1 ──

heading '1 · An agent, in a sandbox, on a branch of its own'
say "the repository: $repository"
printf '%s\n' "$first" > "$scratch/prompt.md"
typed "aloft new --agent shell --mode auto --repo ${repository##*/} --title 'Count the files' --wait - < prompt.md"
aloft new --agent shell --mode auto --repo "$repository" --dirty ignore --title 'Count the files' --wait - \
  < "$scratch/prompt.md" || die 'the first turn failed'
typed 'aloft list'
aloft list

aloft show @last > "$scratch/shown"
namespaces_differ() {
  local name seen
  for name in user mnt pid net ipc uts cgroup; do
    seen=$(grep -m1 "^$name:\[[0-9]*\]$" "$scratch/shown") || return 1
    [ "$seen" != "$(readlink "/proc/self/ns/$name")" ] || return 1
  done
}
check 'the agent saw namespaces of its own: user mnt pid net ipc uts cgroup' namespaces_differ

# ── 2 ──

heading '2 · Guide it while it works'
mark=$(new_mark "$scratch/mark-1")
long=$(stubborn "$mark")
typed "aloft send @last '\$ $long'"
aloft send @last "\$ $long"
await runs "$scratch/mark-1" || die 'the long command never ran'
process=$(processes_with "$scratch/mark-1" | tail -n 1)
is_confined() {
  [ "$(awk '/^Uid:/ { print $2 }' "/proc/$process/status")" != 0 ] \
    && [ "$(readlink "/proc/$process/ns/pid")" != "$(readlink /proc/self/ns/pid)" ] \
    && [ "$(readlink "/proc/$process/ns/net")" != "$(readlink /proc/self/ns/net)" ]
}
check "this machine sees its process $process: not root, another pid and net namespace" is_confined
typed "aloft send @last --wait '\$ $guided'"
aloft send @last --wait "\$ $guided" || die 'the guided turn failed'
check 'the command it left for that is gone' is_gone "$scratch/mark-1"
did_new_thing() { aloft diff @last --name-only | grep -qxF "$folder/guided.txt"; }
check 'the new thing is done' did_new_thing

# ── 3 ──

heading '3 · Stop it'
mark=$(new_mark "$scratch/mark-2")
long=$(stubborn "$mark")
typed "aloft send @last '\$ $long'"
aloft send @last "\$ $long"
await runs "$scratch/mark-2" || die 'the long command never ran'
say "it runs: processes $(processes_with "$scratch/mark-2" | tr '\n' ' ')of this machine, deaf to SIGTERM"
typed 'aloft stop @last'
aloft stop @last
check 'the stopped command is gone, with everything it started' is_gone "$scratch/mark-2"

# ── 4 ──

heading '4 · Let it ask first'
typed 'aloft mode @last manual'
aloft mode @last manual
typed "aloft send @last --wait \$'\$ $allowed\\n\$ $denied'"
code=0
aloft send @last --wait "\$ $allowed
\$ $denied" || code=$?
[ $code -eq 6 ] || die "a question was expected, the turn ended with $code"
does_not_have() { ! aloft diff @last --name-only | grep -qxF "$1"; }
typed 'aloft answer @last allow'
aloft answer @last allow
asks() { aloft list --json --state requiresAction | grep -q '"slug"'; }
await asks || die 'the second question did not come'
typed 'aloft answer @last deny'
aloft answer @last deny
typed 'aloft follow @last --wait | tail -n 3'
aloft follow @last --wait > "$scratch/answered" || die 'the answered turn failed'
tail -n 3 "$scratch/answered"
aloft mode @last auto > "$scratch/mode"
check 'what was denied was not done' does_not_have "$folder/denied.txt"

# ── 5 ──

heading '5 · Follow up: it remembers its files'
typed "aloft send @last --wait \$'\$ $later\\n\$ $commit'"
aloft send @last --wait "\$ $later
\$ $commit" || die 'the further turn failed'

# ── 6 ──

heading '6 · Exactly what it changed'
typed 'aloft diff @last'
aloft diff @last > "$scratch/shown.diff"
if [ -n "$bold" ]; then
  GIT_PAGER=cat PAGER=cat aloft diff @last
else
  cat "$scratch/shown.diff"
fi
length=$(sed -n 's/^index [0-9a-f]*\.\.\([0-9a-f]*\).*/\1/p' "$scratch/shown.diff" | head -n 1 | tr -d '\n' | wc -c)
(by_hand "$length") > "$scratch/by-hand.diff" || die 'the same could not be done by hand'
check "the diff is git's own, byte for byte ($(wc -c < "$scratch/shown.diff") bytes)" \
  cmp "$scratch/shown.diff" "$scratch/by-hand.diff"
contains_all() {
  local name
  for name in count.sh count.txt guided.txt allowed.txt lines.txt; do
    grep -qx "+++ b/$folder/$name" "$scratch/shown.diff" || return 1
  done
}
check 'every turn is in it' contains_all

typed 'aloft apply @last'
(cd "$scratch/checkout" && aloft apply @last)
is_applied() {
  plain_git -C "$scratch/checkout" add -A -N .
  plain_git -C "$scratch/checkout" -c "core.abbrev=$length" diff "$base" | cmp - "$scratch/by-hand.diff"
}
check 'applied to a checkout it is the same change' is_applied

# ── 7 ──

heading '7 · From a repository you reach to a merged pull request'
say 'on this machine: aloft-cloud dev-forge, a small forge that stands in for GitHub'
mkdir -p "$scratch/forge/dev"
origin=$scratch/forge/dev/project.git
plain_git clone -q --bare --shared "$repository" "$origin"
plain_git --git-dir "$origin" update-ref refs/heads/main "$base"
plain_git --git-dir "$origin" symbolic-ref HEAD refs/heads/main
"$bin/aloft-cloud" dev-forge --listen 127.0.0.1:0 --root "$scratch/forge" > "$scratch/forge.said" &
forge=$!
await grep -q '^dev-forge: ' "$scratch/forge.said" || die 'the forge did not start'
address=$(sed -n 's/^dev-forge: //p' "$scratch/forge.said")
token=$scratch/forge/.dev-forge/token
# What the forge answers to one request of its API.
asks_forge() {
  exec 3<> "/dev/tcp/127.0.0.1/${address##*:}"
  printf '%s /api/v3/repos/dev/project/%s HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}' \
    "$1" "$2" "${address#http://}" "$(cat "$token")" >&3
  cat <&3
  exec 3>&-
}
typed "aloft forge connect github --url $address --token-stdin < token"
aloft forge connect github --url "$address" --token-stdin < "$token"
typed 'aloft repo list'
aloft repo list
note="\`\`\`write $folder/note.txt
From an agent.
\`\`\`
\$ test -s $folder/note.txt"
typed "aloft new --agent shell --mode auto --repo dev/project --title 'Leave a note' --wait …"
aloft new --agent shell --mode auto --repo dev/project --title 'Leave a note' --wait "$note" || die 'the turn failed'
typed 'aloft pr @last'
aloft pr @last
asks_forge GET pulls/1 > "$scratch/pull"
says_what_ran() { grep -qF "test -s $folder/note.txt" "$scratch/pull" && grep -qF 'exit code 0' "$scratch/pull"; }
check 'the pull request says which command ran and how it ended' says_what_ran
typed 'aloft pr @last'
aloft pr @last
has_one() { ! asks_forge GET pulls/2 | head -n 1 | grep -q ' 200 '; }
check 'asked again it is the same pull request' has_one
merges() { asks_forge PUT pulls/1/merge | head -n 1 | grep -q ' 200 '; }
check 'its owner merges it' merges
is_merged() { [ "$(plain_git --git-dir "$origin" show "main:$folder/note.txt")" = 'From an agent.' ]; }
check 'the agent'"'"'s work is on main' is_merged
typed 'aloft pr @last'
aloft pr @last | tee "$scratch/merged"
check 'and the thread knows it' grep -q 'merged' "$scratch/merged"
keeps_token() { ! grep -rlF --file="$token" "$scratch/data" "$scratch/s" "$scratch/config" "$scratch/run" 2>/dev/null | grep -q .; }
check 'the token is in no file of the cloud and of no sandbox' keeps_token
aloft delete @last --yes
kill "$forge"
wait "$forge" 2>/dev/null || true
forge=

# ── 8 ──

heading '8 · Nothing stays behind'
typed 'aloft delete @last --yes'
aloft delete @last --yes
typed 'aloft cloud stop'
aloft cloud stop
printf '%s' "$scratch" > "$scratch/here"
nothing_runs() {
  is_gone "$scratch/here" && is_gone "$scratch/mark-1" && is_gone "$scratch/mark-2" \
    && ! find /proc/[0-9]*/cwd /proc/[0-9]*/root -maxdepth 0 -lname "$scratch/*" 2>/dev/null | grep -q .
}
nothing_mounted() { ! grep -qF "$scratch" /proc/self/mountinfo; }
check 'no process of it runs' nothing_runs
check 'nothing of it is mounted' nothing_mounted
is_untouched() {
  fingerprint > "$scratch/after"
  diff "$scratch/before" "$scratch/after" | head -n 20
  cmp -s "$scratch/before" "$scratch/after"
}
check 'the repository is untouched: every file, mode and time, .git included' is_untouched

heading "$((${#kept[@]} + ${#broken[@]})) checks, $((SECONDS - began)) s"
for sentence in "${kept[@]}"; do printf '%s✓%s %s\n' "$green" "$off" "$sentence"; done
for sentence in ${broken[@]+"${broken[@]}"}; do printf '%s✗ not so: %s%s\n' "$red" "$sentence" "$off"; done
[ ${#broken[@]} -eq 0 ] || exit 1
printf '\nNow on a repository of yours: %smake demo REPO=PATH%s. It stays untouched.\n' "$bold" "$off"
