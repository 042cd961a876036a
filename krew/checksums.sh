#!/usr/bin/env bash
# Writes checksums.txt of every file in a folder.
#
#   krew/checksums.sh FOLDER
set -euo pipefail
cd "$1"
find . -maxdepth 1 -type f ! -name checksums.txt -printf '%P\n' | sort | xargs sha256sum >checksums.txt
