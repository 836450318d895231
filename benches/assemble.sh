#!/usr/bin/env bash
# Writes RESULTS.md from the files of benches/notes, in the order of their names, and from measured blocks.
#
#   benches/assemble.sh MEASURED RESULTS
#
# A line `<!-- measured: KEY -->` of a note is followed by the file MEASURED/KEY. If there is none, the block that RESULTS has stays, so
# that one part can be measured alone and what people wrote is never lost.
set -euo pipefail
measured=$1 results=$2
notes=$(cd "$(dirname "$0")/notes" && pwd)
made=$(mktemp)
trap 'rm -f "$made"' EXIT

# The block KEY of the results so far.
old() {
    [ -f "$results" ] || return 0
    awk -v begin="<!-- measured: $1 -->" -v end="<!-- end -->" '
        $0 == end { inside = 0 }
        inside { print }
        $0 == begin { inside = 1 }' "$results"
}

{
    echo "# Benchmarks"
    echo
    echo "Written by \`make bench\` from what it measures and from \`benches/notes\`; do not edit. Each part says where and when it was measured. Read ratios of one"
    echo "run, not the times: they depend on the machine and on its other work."
    for note in "$notes"/*.md; do
        echo
        while IFS= read -r line; do
            echo "$line"
            case $line in '<!-- measured: '*' -->') ;; *) continue ;; esac
            key=${line#'<!-- measured: '}
            key=${key%' -->'}
            if [ -f "$measured/$key" ]; then cat "$measured/$key"; else old "$key"; fi
            echo "<!-- end -->"
        done <"$note"
    done
} >"$made"
cp "$made" "$results"
