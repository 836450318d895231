#!/usr/bin/env bash
# Peak memory of a run for a short and a long video: the sample looped to 2 and to 60 minutes must not differ by more than 15 %.
#
#   benches/memory.sh [SAMPLE] [DIALOGUE] [SHORT_MIN] [LONG_MIN]      the dialogue's only input is `video`
#
# Counts the peak resident set of elenchus and of its two largest ffmpegs (pictures and sound are decoded side by side). The kernel keeps
# the peak of each process, so the sum does not depend on the moment of reading. It is an upper bound of the memory at any moment.
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

# Sets `kb` to the peak resident kilobytes of process $1 so far, or to nothing after its end.
peak_of() {
    local key value
    kb=
    while read -r key value _; do
        if [ "$key" = VmHWM: ]; then kb=$value; fi
    done 2>/dev/null <"/proc/$1/status" || true
}

# Runs the dialogue on a video of $1 minutes with an empty memo; sets `peak` (kB).
measure() {
    local video=$work/$1.mp4 pid own=0 status=0 start child files
    declare -A children=()
    ffmpeg -v error -nostdin -y -stream_loop -1 -i "$sample" -c copy -t $(($1 * 60)) "$video"
    start=$SECONDS
    ELENCHUS_CACHE=$work/cache-$1 ELENCHUS_DATA=$work/data-$1 "$elenchus" run "$dialogue" -i video="$video" -q >"$work/out" 2>"$work/err" &
    pid=$!
    while kill -0 "$pid" 2>/dev/null; do
        peak_of "$pid"
        own=${kb:-$own}
        files=(/proc/"$pid"/task/*/children)
        for child in $(cat "${files[@]}" 2>/dev/null); do
            peak_of "$child"
            children[$child]=${kb:-${children[$child]:-0}}
        done
        sleep 0.1
    done
    wait "$pid" || status=$?
    if ((status != 0)); then
        echo "error: the run on $1 minutes ended with $status: $(tail -n 1 "$work/err")" >&2
        exit 1
    fi
    both=$(printf '%s\n' "${children[@]}" | sort -rn | head -n 2 | awk '{ kb += $1 } END { print kb + 0 }')
    peak=$((own + both))
    echo "| $1 min | $((own / 1024)) MiB | $((both / 1024)) MiB | $((peak / 1024)) MiB | $((SECONDS - start)) s | $(tail -n 1 "$work/out") |"
}

echo "| video | elenchus | two ffmpegs | peak memory | time | answer |"
echo "| --- | --- | --- | --- | --- | --- |"
measure "$short"
first=$peak
measure "$long"
echo
awk -v a="$first" -v b="$peak" 'BEGIN { ratio = b / a; printf "Ratio %.3f (at most 1.15).\n", ratio; exit ratio > 1.15 }'
