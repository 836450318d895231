#!/usr/bin/env bash
# Peak memory of a run for a short and a long video: the sample looped to 2 and to 60 minutes must not differ by more than 15 %.
# Counts elenchus and every ffmpeg under it, sampled ten times a second (resident set, the sum of the processes alive together).
#
#   benches/memory.sh [SAMPLE] [DIALOGUE] [SHORT_MIN] [LONG_MIN]
#
# Prints one Markdown table row for each video and the ratio; exits 1 if the ratio is above 1.15. ELENCHUS names the binary.
# The long video takes as long as the models need for thousands of moments; 2 and 20 minutes show the same.
set -euo pipefail
cd "$(dirname "$0")/.."
sample=${1:-examples/media/day1.mp4}
dialogue=${2:-examples/video_qa.yaml}
short=${3:-2}
long=${4:-60}
elenchus=${ELENCHUS:-${CARGO_TARGET_DIR:-target}/release/elenchus}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# All living descendants of process $1, and itself.
tree() {
    echo "$1"
    local child
    for child in $(cat /proc/"$1"/task/*/children 2>/dev/null); do tree "$child"; done
}

# Resident kilobytes of process $1 with its descendants.
resident() {
    local pid total=0 kb
    for pid in $(tree "$1"); do
        kb=$(awk '/^VmRSS:/ { print $2 }' /proc/"$pid"/status 2>/dev/null || true)
        total=$((total + ${kb:-0}))
    done
    echo "$total"
}

# Runs the dialogue on a video of $1 minutes with an empty memo; sets `peak` (kB).
measure() {
    local video=$work/$1.mp4 now pid start=$SECONDS status=0
    ffmpeg -v error -nostdin -y -stream_loop -1 -i "$sample" -c copy -t $(($1 * 60)) "$video"
    ELENCHUS_CACHE=$work/cache-$1 "$elenchus" run "$dialogue" -i video="$video" -i question="What do you see?" -q >"$work/out" 2>"$work/err" &
    pid=$!
    peak=0
    while kill -0 "$pid" 2>/dev/null; do
        now=$(resident "$pid")
        if ((now > peak)); then peak=$now; fi
        sleep 0.1
    done
    wait "$pid" || status=$?
    if ((status != 0)); then
        echo "error: the run on $1 minutes ended with $status: $(tail -n 1 "$work/err")" >&2
        exit 1
    fi
    echo "| $1 min | $((peak / 1024)) MiB | $((SECONDS - start)) s |"
}

echo "| video | peak memory | time |"
echo "| --- | --- | --- |"
measure "$short"
first=$peak
measure "$long"
awk -v a="$first" -v b="$peak" 'BEGIN { ratio = b / a; printf "ratio %.3f (at most 1.15)\n", ratio; exit ratio > 1.15 }'
