#!/usr/bin/env bash
# Installs the packages of training/requirements-dev.txt into VENV, and the packages named as arguments in the versions of
# training/requirements.txt. Makes VENV if it is missing. Does nothing if all are installed.
set -euo pipefail
cd "$(dirname "$0")/.."
python=${PYTHON:-python3} venv=${VENV:-.venv}
wanted=$(grep -hv '^#' training/requirements-dev.txt; for name in "$@"; do grep "^$name==" training/requirements.txt; done)
[ -x "$venv/bin/python" ] || "$python" -m venv "$venv"
there=$("$venv/bin/python" -m pip freeze --disable-pip-version-check)
missing=$(for pin in $wanted; do grep -qxi "$pin" <<<"$there" || echo "$pin"; done)
[ -z "$missing" ] || "$venv/bin/python" -m pip install --quiet --disable-pip-version-check $missing
