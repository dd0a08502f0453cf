#!/usr/bin/env bash
# Installs what building, demo and tests need and this machine lacks: with apt, as root or through sudo.
# usage: scripts/setup.sh [tests|bench]
set -euo pipefail
cd "$(dirname "$0")/.."

fail() {
  printf 'error: %s\nhint: %s\n' "$1" "$2" >&2
  exit 1
}

[ "$(uname -s)" = Linux ] || fail 'the cloud, and with it demo and tests, is for Linux' \
  'on other systems build the bridge alone: cargo build --release -p aloft-bridge'

# An installation of a moment ago is not on PATH yet.
command -v cargo >/dev/null || PATH=$PATH:$HOME/.cargo/bin
wanted=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
mend="install Rust $wanted or newer, with rustup for one, then run this again"
command -v cargo >/dev/null || fail 'Rust is missing' "$mend"
found=$(rustc --version | cut -d ' ' -f 2)
[ "$(printf '%s\n' "$wanted" "$found" | sort -V | head -n 1)" = "$wanted" ] || fail "Rust $found is too old" "$mend"

need=()
command -v bwrap >/dev/null || need+=(bubblewrap)
command -v git >/dev/null || need+=(git)
command -v cc >/dev/null || need+=(build-essential)
[ -e /etc/ssl/certs/ca-certificates.crt ] || need+=(ca-certificates)
if [ "${1:-}" = tests ]; then
  command -v node >/dev/null && command -v npm >/dev/null || need+=(nodejs npm)
  command -v ssh >/dev/null || need+=(openssh-client)
  [ -x /usr/lib/openssh/sftp-server ] || need+=(openssh-sftp-server)
  command -v rsync >/dev/null || need+=(rsync)
  command -v sshfs >/dev/null || need+=(sshfs)
  # That of the system: another may come first in PATH and know none of its packages.
  /usr/bin/python3 -c 'import paramiko' 2>/dev/null || need+=(python3-paramiko)
  # The window of VS Code, and letters in it.
  command -v chromium >/dev/null || need+=(chromium)
  [ -d /usr/share/fonts/truetype/dejavu ] || need+=(fonts-dejavu-core)
  command -v setpriv >/dev/null || need+=(util-linux)
fi
if [ "${1:-}" = bench ]; then
  command -v ssh >/dev/null || need+=(openssh-client)
  # What the sandbox's own is measured beside. Where services are run its package would begin one, which is for the owner to decide.
  [ -x /usr/sbin/sshd ] || [ -d /run/systemd/system ] || need+=(openssh-server)
  [ -x /usr/lib/openssh/sftp-server ] || need+=(openssh-sftp-server)
  command -v python3 >/dev/null || need+=(python3)
fi
[ ${#need[@]} -gt 0 ] || exit 0

command -v apt-get >/dev/null || fail "missing: ${need[*]}" 'install these with the package manager of this system'
as_root=()
if [ "$(id -u)" -ne 0 ]; then
  command -v sudo >/dev/null || fail "missing: ${need[*]}, and neither root nor sudo is at hand" \
    "ask an administrator for: apt-get install ${need[*]}"
  as_root=(sudo)
fi
echo "installing ${need[*]}" >&2
apt() { "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq "$@"; }
install() { apt install -y --no-install-recommends "${need[@]}" >/dev/null; }
# What a fresh machine knows of packages may be nothing, or too old.
install 2>/dev/null || { apt update && install; }
