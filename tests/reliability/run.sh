#!/usr/bin/env bash
# Attacks the program as the reliability review did (sections D1 to D15) and prints, per section, how many attacks were
# tried and how many succeeded. `run.sh D1 D7` runs two sections. ELENCHUS names a built program; without it the release
# program is built first. Needs ffmpeg and Python 3 (standard library only).
set -euo pipefail
cd "$(dirname "$0")/../.."
if [ -z "${ELENCHUS:-}" ]; then
    cargo build --release --locked
    ELENCHUS="${CARGO_TARGET_DIR:-target}/release/elenchus"
fi
ELENCHUS=$(realpath "$ELENCHUS")
export ELENCHUS
exec python3 tests/reliability/attack.py "$@"
