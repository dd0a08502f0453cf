#!/usr/bin/env bash
# Packs the extension with the programs of this machine's kind, or without any: then the setting aloft.path or PATH must name one.
# Wants `npm ci` and `npm run build` done, and node 22 or newer in PATH.
# usage: scripts/package.sh OUT.vsix [PROGRAMS]
set -euo pipefail
out=$(realpath -m "${1:?usage: package.sh OUT.vsix [PROGRAMS]}")
programs=${2:+$(realpath "$2")}
cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cp -r package.json package.nls.json README.md dist media l10n "$work"
cp ../../LICENSE "$work/LICENSE"
cp ../../CHANGELOG.md "$work/CHANGELOG.md"
rm -rf "$work/dist/test"
find "$work/dist" -name '*.map' -delete
target=()
if [ -n "$programs" ]; then
  mkdir "$work/bin"
  for program in aloft aloft-cloud; do
    # Without what only debuggers read.
    strip -o "$work/bin/$program" "$programs/$program"
    chmod 0755 "$work/bin/$program"
  done
  case $(uname -sm) in
    'Linux x86_64') target=(--target linux-x64) ;;
    'Linux aarch64') target=(--target linux-arm64) ;;
    *) echo "no platform of the marketplace is known for $(uname -sm)" >&2; exit 1 ;;
  esac
fi
vsce=$PWD/node_modules/.bin/vsce
mkdir -p "$(dirname "$out")"
(cd "$work" && "$vsce" package --no-dependencies --allow-missing-repository --skip-license --no-rewrite-relative-links "${target[@]}" --out "$out")
