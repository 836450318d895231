#!/usr/bin/env bash
# Repeats the attacks of the reliability review (sections D1 to D15), asks about footage that the models do not know (D16), and
# damages the checkpoints of all other families (D17).
# Prints the number of attacks of each section and how many of them succeeded. `run.sh D1 D7` runs two sections. ELENCHUS names a
# built program; otherwise the script builds the release program first. It needs ffmpeg and Python 3 (standard library only).
set -euo pipefail
cd "$(dirname "$0")/../.."
if [ -z "${ELENCHUS:-}" ]; then
    cargo build --release --locked
    ELENCHUS="${CARGO_TARGET_DIR:-target}/release/elenchus"
fi
ELENCHUS=$(realpath "$ELENCHUS")
export ELENCHUS
exec python3 tests/reliability/attack.py "$@"
