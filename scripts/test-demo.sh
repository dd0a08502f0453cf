#!/usr/bin/env bash
# Runs the demo as people do: on its own repository and on one with odd files in it, as whoever runs this and, where that is
# root, as an ordinary user too. Its last line counts them.
set -euo pipefail
cd "$(dirname "$0")/.."
programs=${CARGO_TARGET_DIR:-target}/debug

work=$(mktemp -d /var/tmp/aloft-test.XXXXXX)
chmod 0755 "$work"
trap 'rm -rf "$work"' EXIT
passed=0 failed=0
# Runs a command whose output is shown only where it fails.
try() {
  local what=$1
  shift
  if "$@" >"$work/said" 2>&1; then
    passed=$((passed + 1))
    printf '✓ the demo works %s\n' "$what"
  else
    failed=$((failed + 1))
    cat "$work/said"
    printf '✗ the demo fails %s\n' "$what"
  fi
}
plain_git() {
  HOME=$work GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1 git -c user.name=Test -c user.email=test@localhost \
    -c init.defaultBranch=main -c protocol.file.allow=always "$@"
}

# A repository with what tools like to stumble over: nothing in a file, a space and other letters in names, both ends of lines, a
# link, a pointer of LFS, a submodule.
mkdir -p "$work/part" "$work/an odd place"
(
  cd "$work/part"
  plain_git init -q
  echo part > part.txt
  plain_git add -A && plain_git commit -qm 'A part'
)
(
  cd "$work/an odd place"
  plain_git init -q
  printf '# Odd\n' > README.md
  : > empty
  printf 'a\r\nb\r\n' > crlf.txt
  printf '*.bat text eol=crlf\n*.bin filter=lfs diff=lfs merge=lfs -text\n' > .gitattributes
  printf 'echo\n' > run.bat
  printf 'version https://git-lfs.github.com/spec/v1\noid sha256:%064d\nsize 12\n' 7 > large.bin
  ln -s README.md link
  mkdir 'ein Ordner'
  echo ü > 'ein Ordner/übung.txt'
  plain_git submodule --quiet add "$work/part" part
  plain_git -c filter.lfs.required=false add -A && plain_git commit -qm 'Odd things'
)

try 'on its own repository' scripts/demo.sh
try 'on a repository with odd files' env REPO="$work/an odd place" scripts/demo.sh

if [ "$(id -u)" -eq 0 ]; then
  # Somebody who is nobody here, with the programs where others can reach them.
  ordinary=(setpriv --reuid 64000 --regid 64000 --clear-groups --no-new-privs)
  mkdir -p "$work/debug" "$work/scripts" "$work/home"
  cp "$programs/aloft" "$programs/aloft-cloud" "$work/debug/"
  cp scripts/demo.sh "$work/scripts/"
  chown 64000:64000 "$work/home"
  if "${ordinary[@]}" unshare --user --map-root-user true 2>/dev/null; then
    try 'for an ordinary user' "${ordinary[@]}" env -i PATH="$PATH" LANG=C.UTF-8 HOME="$work/home" CARGO_TARGET_DIR="$work" \
      "$work/scripts/demo.sh"
  else
    echo 'for an ordinary user it was not tried: this host lets none of them make a namespace'
  fi
fi

printf 'Demo: %s passed, %s failed\n' "$passed" "$failed"
[ "$failed" -eq 0 ]
