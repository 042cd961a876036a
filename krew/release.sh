#!/usr/bin/env bash
# Makes a release for Linux: static binaries for amd64 and arm64, the image of both, the plugin's archives, checksums, a
# list of what is in it, and the krew manifest. Everything lands in dist/, or in the folder that is named.
#
#   krew/release.sh [FOLDER]
#
# Needs, besides Rust: a C compiler for each architecture, such as gcc and Debian's gcc-aarch64-linux-gnu; buildah; and
# qemu-user-static, without which binaries for other machines are not tried. cargo-cyclonedx, which lists what is in it, is
# built if it is not there in this version. Settings, by environment:
#   REGISTRY       where the image will be (ghcr.io/kubectl-edge)
#   DOWNLOADS      where the archives will be (the releases of the repository)
#   ARCHITECTURES  which ones ("amd64 arm64")
#   PLUGIN         the name in krew's index (edge)
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD

dist=$(realpath -m "${1:-dist}")
version=v$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -1)
registry=${REGISTRY:-ghcr.io/kubectl-edge}
read -ra architectures <<<"${ARCHITECTURES:-amd64 arm64}"
host=$(uname -m)
cyclonedx=0.5.7

say() { echo "release: $*" >&2; }

# The machine's name of an architecture.
machine() {
  case $1 in
    amd64) echo x86_64 ;;
    arm64) echo aarch64 ;;
    *) say "unknown architecture $1"; return 1 ;;
  esac
}

# Paths of this machine are no part of what is released, and the same sources give the same binaries.
export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}
cargo=${CARGO_HOME:-$HOME/.cargo}

# build ARCHITECTURE PACKAGE: a static binary. The linker is Rust's own; C is needed for the cryptography alone.
build() {
  local machine target compiler=cc
  machine=$(machine "$1")
  target=$machine-unknown-linux-musl
  if [[ $machine != "$host" ]]; then compiler=$machine-linux-gnu-gcc; fi
  command -v "$compiler" >/dev/null || { say "no C compiler $compiler"; return 1; }
  rustup target add "$target" >&2
  local upper=${target//-/_}
  upper=${upper^^}
  env "CC_${target//-/_}=$compiler" "CFLAGS_${target//-/_}=-U_FORTIFY_SOURCE" \
    "CARGO_TARGET_${upper}_LINKER=rust-lld" \
    "CARGO_TARGET_${upper}_RUSTFLAGS=--remap-path-prefix=$root=/edge-scheduler --remap-path-prefix=$cargo=/cargo" \
    cargo build --release --locked --target "$target" --package "$2" >&2
  echo "${CARGO_TARGET_DIR:-target}/$target/release/$2"
}

# try ARCHITECTURE BINARY: it starts and knows its version.
try() {
  local machine runner=() told
  machine=$(machine "$1")
  if [[ $machine != "$host" ]]; then
    runner=("qemu-$machine-static")
    command -v "${runner[0]}" >/dev/null || { say "${runner[0]} is not there: $2 is not tried"; return 0; }
  fi
  told=$("${runner[@]}" "$2" --version)
  [[ $told == *"${version#v}"* ]] || { say "$2 says of its version: $told"; return 1; }
}

# steady ARCHIVE: the same files in it give the same archive.
steady() {
  local unpacked
  unpacked=$(mktemp -d)
  tar -xf "$1" -C "$unpacked"
  tar --sort=name --owner=0 --group=0 --numeric-owner --mtime=@0 -cf "$1" -C "$unpacked" blobs index.json oci-layout
  rm -rf "$unpacked"
}

rm -rf "$dist"
mkdir -p "$dist"
images=()
for architecture in "${architectures[@]}"; do
  say "edge-scheduler $version for linux/$architecture"
  binary=$(build "$architecture" edge-scheduler)
  try "$architecture" "$binary"
  install -m 0755 "$binary" "$dist/edge-scheduler_${version}_linux_$architecture"
  images+=("$architecture=$binary")
done

say "image"
image=$registry/edge-scheduler:$version
digest=$(deploy/image.sh "$dist/edge-scheduler_${version}_image.tar" "$image" "${images[@]}")
steady "$dist/edge-scheduler_${version}_image.tar"

# The plugin installs exactly this image, wherever the tag may point later.
export EDGE_IMAGE=$image@$digest
echo "$EDGE_IMAGE" >"$dist/image.txt"
for architecture in "${architectures[@]}"; do
  say "kubectl-edge $version for linux/$architecture"
  binary=$(build "$architecture" kubectl-edge)
  try "$architecture" "$binary"
  # What runs here writes the completions and man pages of all.
  if [[ $(machine "$architecture") == "$host" ]]; then tool=$binary; fi
  krew/package.sh "$binary" "${tool:-$binary}" linux "$architecture" "$version" "$dist"
done

say "list of what is in it"
if [[ $(cargo cyclonedx --version 2>/dev/null) != *" $cyclonedx" ]]; then
  cargo install cargo-cyclonedx --locked --version "$cyclonedx" --root target/tools >&2
  PATH=$root/target/tools/bin:$PATH
fi
made=$(date -u -d "@$SOURCE_DATE_EPOCH" +%Y-%m-%dT%H:%M:%SZ)
for package in edge-scheduler:. kubectl-edge:plugin; do
  (cd "${package#*:}" && cargo cyclonedx --format json --override-filename release-sbom >&2)
  # Neither a number by chance, nor when and where it was made.
  sed -e '/^  "serialNumber"/d' -e "s|\"timestamp\": \".*\"|\"timestamp\": \"$made\"|" -e "s|$root|/edge-scheduler|g" \
    "${package#*:}/release-sbom.json" >"$dist/${package%:*}_${version}_sbom.cdx.json"
done
find . -name release-sbom.json -not -path './target/*' -delete

krew/manifest.sh "$dist" "$version"
krew/checksums.sh "$dist"
say "done: $dist"
