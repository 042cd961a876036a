#!/usr/bin/env bash
# Makes the image of static binaries, as an OCI archive, without a container engine. Needs buildah and binutils.
#
#   deploy/image.sh ARCHIVE REFERENCE ARCHITECTURE=BINARY...
#   deploy/image.sh /tmp/edge.tar ghcr.io/kubectl-edge/edge-scheduler:dev amd64=target/x86_64-unknown-linux-musl/debug/edge-scheduler
#   ctr -n k8s.io images import /tmp/edge.tar
#
# Prints the digest of the index, which is the same for the same binaries.
set -euo pipefail
if (($# < 3)); then
  sed -n '2,8s/^# \{0,1\}//p' "$0" >&2
  exit 2
fi
archive=$(realpath -m "$1") reference=$2
shift 2
root=$(cd "$(dirname "$0")/.." && pwd)

work=$(mktemp -d)
buildah() { command buildah --storage-driver vfs --root "$work/storage" --runroot "$work/run" "$@"; }
# Layers may be owned by other users of a namespace that buildah made; it knows how to remove them.
trap 'chmod -R u+rwX "$work" 2>/dev/null; rm -rf "$work"' EXIT

mkdir "$work/context"
cp "$root/LICENSE" "$work/context/"
platforms=()
for pair in "$@"; do
  architecture=${pair%%=*} binary=${pair#*=}
  # In an empty image nothing would find the libraries of a program that is not static.
  if readelf --program-headers --wide "$binary" | grep -q INTERP; then
    echo "error: $binary is not static; build it for a musl target" >&2
    exit 1
  fi
  install -D -m 0755 "$binary" "$work/context/linux/$architecture/edge-scheduler"
  platforms+=("$architecture")
done

buildah manifest create "$reference" >/dev/null
for architecture in "${platforms[@]}"; do
  buildah build --quiet --isolation chroot --layers=false --timestamp 0 --format oci \
    --platform "linux/$architecture" --build-arg "TARGETARCH=$architecture" \
    --manifest "$reference" --file "$root/deploy/Dockerfile" "$work/context" >/dev/null
done
rm -f "$archive"
buildah manifest push --quiet --all --format oci --digestfile "$work/digest" "$reference" "oci-archive:$archive:$reference" >/dev/null
cat "$work/digest"
echo
