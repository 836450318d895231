#!/usr/bin/env bash
# Peak memory of a run for a short and a long video: the sample looped to 2 and to 60 minutes must not differ by more than 15 %.
# Counts elenchus and every ffmpeg under it, sampled five times a second (resident set, the sum of the processes alive together).
#
#   benches/memory.sh [SAMPLE] [DIALOGUE] [SHORT_MIN] [LONG_MIN]      the dialogue's only input is `video`
#
# Prints one Markdown table and the ratio; exits 1 if the ratio is above 1.15. ELENCHUS names the binary.
set -euo pipefail
cd "$(dirname "$0")/.."
sample=${1:-examples/media/day1.mp4}
dialogue=${2:-benches/memory.yaml}
short=${3:-2}
long=${4:-60}
elenchus=${ELENCHUS:-${CARGO_TARGET_DIR:-target}/release/elenchus}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Sets `now` to the resident kilobytes of process $1 and all its descendants.
resident() {
    local pids=("$1") next=0 statuses=() children
    while ((next < ${#pids[@]})); do
        children=$(cat /proc/"${pids[next]}"/task/*/children 2>/dev/null) || true
        # shellcheck disable=SC2206 # numbers, split at spaces
        pids+=($children)
        next=$((next + 1))
    done
    statuses=("${pids[@]/#//proc/}")
    # a process that ends meanwhile has no file any more
    now=$({ cat "${statuses[@]/%//status}" 2>/dev/null || true; } | awk '/^VmRSS:/ { kb += $2 } END { print kb + 0 }')
}

# Runs the dialogue on a video of $1 minutes with an empty memo; sets `peak` (kB).
measure() {
    local video=$work/$1.mp4 pid now start=$SECONDS status=0
    ffmpeg -v error -nostdin -y -stream_loop -1 -i "$sample" -c copy -t $(($1 * 60)) "$video"
    ELENCHUS_CACHE=$work/cache-$1 "$elenchus" run "$dialogue" -i video="$video" -q >"$work/out" 2>"$work/err" &
    pid=$!
    peak=0
    while kill -0 "$pid" 2>/dev/null; do
        resident "$pid"
        if ((now > peak)); then peak=$now; fi
        sleep 0.2
    done
    wait "$pid" || status=$?
    if ((status != 0)); then
        echo "error: the run on $1 minutes ended with $status: $(tail -n 1 "$work/err")" >&2
        exit 1
    fi
    echo "| $1 min | $((peak / 1024)) MiB | $((SECONDS - start)) s | $(tail -n 1 "$work/out") |"
}

echo "| video | peak memory | time | answer |"
echo "| --- | --- | --- | --- |"
measure "$short"
first=$peak
measure "$long"
echo
awk -v a="$first" -v b="$peak" 'BEGIN { ratio = b / a; printf "Ratio %.3f (at most 1.15).\n", ratio; exit ratio > 1.15 }'
