#!/usr/bin/env bash
# Installs the packages of tests/serve/requirements.txt into tests/serve/.venv; with `chromium`, that browser too.
set -euo pipefail
cd "$(dirname "$0")"
venv=.venv
[ -x "$venv/bin/python" ] || "${PYTHON:-python3}" -m venv "$venv"
there=$("$venv/bin/python" -m pip freeze --disable-pip-version-check)
missing=$(for pin in $(grep -v '^#' requirements.txt); do grep -qxi "$pin" <<<"${there//_/-}" || echo "$pin"; done)
[ -z "$missing" ] || "$venv/bin/python" -m pip install --quiet --disable-pip-version-check $missing
if [ "${1:-}" = chromium ] && ! command -v chromium chromium-browser google-chrome >/dev/null; then
    sudo=$([ "$(id -u)" = 0 ] || echo sudo)
    command -v apt-get >/dev/null || { echo "install Chromium by hand" >&2; exit 1; }
    $sudo apt-get update -qq && $sudo apt-get install -y -qq chromium >/dev/null
fi
