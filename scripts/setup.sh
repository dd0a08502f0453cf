#!/usr/bin/env bash
# Installs what building, demo and tests need and this machine lacks: with apt, as root or through sudo.
set -euo pipefail

need=()
command -v bwrap >/dev/null || need+=(bubblewrap)
command -v git >/dev/null || need+=(git)
command -v cc >/dev/null || need+=(build-essential)
if [ "${1:-}" = tests ]; then
  command -v node >/dev/null || need+=(nodejs npm)
  command -v ssh >/dev/null || need+=(openssh-client)
  command -v setpriv >/dev/null || need+=(util-linux)
fi
if ! command -v cargo >/dev/null; then
  echo 'error: Rust is missing' >&2
  echo 'hint: install it with your package manager or rustup, then run this again' >&2
  exit 1
fi
[ ${#need[@]} -eq 0 ] && exit 0

as_root=()
if [ "$(id -u)" -ne 0 ]; then
  if ! command -v sudo >/dev/null; then
    echo "error: ${need[*]} missing, and neither root nor sudo is at hand" >&2
    echo "hint: ask an administrator for: apt-get install ${need[*]}" >&2
    exit 1
  fi
  as_root=(sudo)
fi
echo "installing ${need[*]}" >&2
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive sh -c \
  'apt-get install -y -qq --no-install-recommends "$@" >/dev/null || { apt-get update -qq && apt-get install -y -qq --no-install-recommends "$@" >/dev/null; }' \
  install "${need[@]}"
