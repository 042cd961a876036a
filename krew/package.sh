#!/usr/bin/env bash
# Packs the plugin for one platform: program, licence, completions, man pages. The same files give the same archive.
#
#   krew/package.sh BINARY TOOL OS ARCHITECTURE VERSION FOLDER
#
# TOOL is a kubectl-edge that runs on this machine; it writes the completions and man pages.
set -euo pipefail
binary=$1 tool=$(realpath "$2") os=$3 architecture=$4 version=$5 dist=$(realpath "$6")
root=$(cd "$(dirname "$0")/.." && pwd)

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
suffix=
if [[ $os == windows ]]; then suffix=.exe; fi
mkdir -p "$work/completions" "$work/man"
cp "$binary" "$work/kubectl-edge$suffix"
chmod 0755 "$work/kubectl-edge$suffix"
cp "$root/LICENSE" "$work/LICENSE"
if "$tool" completion bash >/dev/null 2>&1; then
  for shell in bash zsh fish powershell; do
    "$tool" completion "$shell" >"$work/completions/kubectl-edge.$shell"
  done
else
  echo "package: this plugin has no completions" >&2
fi
"$tool" man "$work/man"

archive=$dist/kubectl-edge_${version}_${os}_$architecture.tar.gz
# Other systems' tar knows fewer options; there the order and times are as they come.
options=()
if tar --version 2>/dev/null | grep -q GNU; then
  options=(--sort=name --owner=0 --group=0 --numeric-owner "--mtime=@${SOURCE_DATE_EPOCH:-0}")
fi
tar "${options[@]}" -C "$work" -cf - LICENSE "kubectl-edge$suffix" completions man | gzip -9n >"$archive"
echo "$archive" >&2
