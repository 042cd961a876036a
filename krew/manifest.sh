#!/usr/bin/env bash
# Writes the krew manifest for the archives that are in a folder, as an index of our own has it: FOLDER/krew-index.
#
#   krew/manifest.sh FOLDER VERSION
#
# By environment: DOWNLOADS, where the archives will be; PLUGIN, the name in the index (edge).
set -euo pipefail
dist=$1 version=$2
root=$(cd "$(dirname "$0")/.." && pwd)
plugin=${PLUGIN:-edge}
downloads=${DOWNLOADS:-https://github.com/kubectl-edge/edge-scheduler/releases/download/$version}

checksum() {
  if command -v sha256sum >/dev/null; then sha256sum "$1"; else shasum -a 256 "$1"; fi | cut -d' ' -f1
}

mkdir -p "$dist/krew-index/plugins"
manifest=$dist/krew-index/plugins/$plugin.yaml
sed "s|@PLUGIN@|$plugin|g; s|@COMMAND@|$plugin|g; s|@VERSION@|$version|g" "$root/krew/edge.yaml.in" >"$manifest"
listed=0
for archive in "$dist"/kubectl-edge_"$version"_*_*.tar.gz; do
  [[ -e $archive ]] || break
  platform=$(basename "$archive" .tar.gz)
  architecture=${platform##*_}
  platform=${platform%_*}
  os=${platform##*_}
  suffix=
  if [[ $os == windows ]]; then suffix=.exe; fi
  cat >>"$manifest" <<END
  - selector:
      matchLabels:
        os: $os
        arch: $architecture
    uri: $downloads/$(basename "$archive")
    sha256: $(checksum "$archive")
    bin: kubectl-edge$suffix
END
  listed=$((listed + 1))
done
if ((listed == 0)); then
  echo "error: no archive of $version in $dist" >&2
  exit 1
fi
echo "$manifest" >&2
