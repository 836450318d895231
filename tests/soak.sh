#!/usr/bin/env bash
# Kills runs at random moments and checks the cache and the journal: `soak.sh [MINUTES]` (10). Each round runs video_qa or indexes,
# sends SIGKILL, SIGTERM, SIGINT or SIGHUP to it, and does the same again. The memo must then be complete, the cache must hold no
# unfinished file, and the answer and the journal must be those of undisturbed runs. ELENCHUS names the program. Prints each fault
# and, at the end, `N passed, N failed`.
set -uo pipefail
cd "$(dirname "$0")/.."
minutes=${1:-10}
elenchus=$(realpath "${ELENCHUS:-target/release/elenchus}") || exit 2
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
export ELENCHUS_CACHE=$scratch/cache ELENCHUS_DATA=$scratch/data NO_COLOR=1
day=examples/media/day1.mp4
question="Where did I last see the keys?"
passed=0 failed=0

fault() { echo "round $round ($signal after ${delay} s): $*"; faults=$((faults + 1)); }
ask() { "$elenchus" run video_qa -i video="$day" -i question="$question" "$@" 2>"$scratch/err"; }
index() { "$elenchus" index "$day" "$@" 2>"$scratch/err"; }
# the lines without their numbers: a line that was written again has a new one
lines() { "$elenchus" journal export --format csv 2>"$scratch/err" | cut -d, -f2-; }

expected=$(ask -q) || { cat "$scratch/err"; exit 1; }
index -q >/dev/null || { cat "$scratch/err"; exit 1; }
journal=$(lines)
[ "$(wc -l <<<"$journal")" -gt 30 ] || { echo "the journal has too few lines"; exit 1; }
signals=(KILL KILL KILL TERM INT HUP)
end=$((SECONDS + minutes * 60)) round=0
while [ $SECONDS -lt $end ]; do
    round=$((round + 1)) faults=0 signal=${signals[RANDOM % 6]}
    # A third of the rounds keeps the cache of the round before.
    [ $((RANDOM % 3)) = 0 ] || rm -rf "$ELENCHUS_CACHE" "$ELENCHUS_DATA"
    delay=$((RANDOM % 4)).$((RANDOM % 900 + 100))
    run=(index "$day")
    [ $((RANDOM % 2)) = 0 ] || run=(run video_qa -i video="$day" -i question="$question" --record "$scratch/run.jsonl")
    "$elenchus" "${run[@]}" >"$scratch/out" 2>"$scratch/err" &
    run=$!
    sleep "$delay"
    kill -s "$signal" $run 2>/dev/null
    wait $run 2>/dev/null
    code=$?
    case $signal:$code in
        *:0 | KILL:137 | TERM:143 | INT:130 | HUP:129) ;;
        *) fault "exit code $code: $(head -c 300 "$scratch/err")" ;;
    esac
    stat=$("$elenchus" memo stat --json) || fault "the memo cannot be read: $stat"
    kept=$(sed 's/.*"exchanges":\([0-9]*\),"reply.*/\1/' <<<"$stat")
    again=$(ask --json -q) || fault "the second run fails: $(cat "$scratch/err")"
    hits=$(sed 's/.*"memo_hits":\([0-9]*\).*/\1/' <<<"$again")
    [ "${hits:-0}" -ge "${kept:-0}" ] || fault "the memo had $kept exchanges, but only $hits were hits"
    [ "$(ask -q)" = "$expected" ] || fault "the answer differs from that of an undisturbed run"
    index -q >/dev/null || fault "indexing again fails: $(cat "$scratch/err")"
    [ "$(lines)" = "$journal" ] || fault "the journal differs from that of an undisturbed run"
    left=$(find "$ELENCHUS_CACHE" -name '*.tmp' -o -name '*.part' -o -name '*.damaged' | head -3)
    [ -z "$left" ] || fault "left behind: $left"
    if [ $faults = 0 ]; then passed=$((passed + 1)); else failed=$((failed + 1)); fi
done
echo "$passed passed, $failed failed"
[ $failed = 0 ]
