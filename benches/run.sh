#!/usr/bin/env bash
# All benchmarks in one run; writes benches/RESULTS.md (assemble.sh). A part that cannot run is skipped with a notice, there too.
#
#   PARTS="engine compare …"  only these parts; what RESULTS.md has of the others stays
#                         (engine compare end_to_end questions quantised vectors memory)
#   PYTHON=…              a Python with the opponents; otherwise .venv is made from benches/requirements.txt
#   ROWS=clip,whisper     only these rows of `compare`; LARGE=1 adds those that need more than 12 GB of memory
#   REAL=…, SOUND=…       the folder of `make real`, and a file of English speech
#   VECTORS=COUNTxWIDTH…  sizes of the indexes of vectors (a day and a million; ten million of 128 numbers need 10 GB of disk)
#   SHORT_MIN, LONG_MIN   lengths of the two videos whose peak memory is compared (2 and 60)
#   CARGO, CARGO_TARGET_DIR as for cargo
#
# Wall-clock times depend on other work: run it on a calm machine. Ratios are of one run.
set -euo pipefail
cd "$(dirname "$0")/.."
cargo=${CARGO:-cargo}
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-target}
export ELENCHUS=$CARGO_TARGET_DIR/release/elenchus
day=examples/media/day1.mp4
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
measured=$work/measured
mkdir "$measured"
parts=" ${PARTS:-engine compare end_to_end questions quantised vectors memory} "
failed=0

note() { echo "notice: $*" >&2; }
load() { cut -d' ' -f1-3 /proc/loadavg 2>/dev/null || echo unknown; }
# Runs a command if its part is wanted, and keeps its output as the block of the part. After a failure, the block says so.
part() {
    local key=$1
    shift
    case $parts in *" $key "*) ;; *) return 0 ;; esac
    echo "… $key" >&2
    {
        echo
        echo "Measured on $(date -u +%Y-%m-%d): commit $commit, $machine, load $(load) at the beginning; $tools."
        echo
    } >"$measured/$key"
    if ! "$@" >>"$measured/$key" 2> >(tee "$work/errors" >&2); then
        note "$(tail -n 1 "$work/errors")"
        printf '\nDid not finish: %s\n' "$(tail -n 1 "$work/errors")" >>"$measured/$key"
        failed=1
    fi
    echo >>"$measured/$key"
}

# A Python with PyTorch, or nothing.
python_with_torch() {
    local python=${PYTHON:-}
    if [ -z "$python" ]; then
        python=.venv/bin/python
        if ! "$python" -c 'import torch, transformers, faster_whisper' 2>/dev/null; then
            note "setting up the opponents in .venv"
            python3 -m venv .venv >&2 && .venv/bin/pip install -q -r benches/requirements.txt >&2 || true
            # has no binary packages: it is built here, for this machine
            .venv/bin/pip install -q -r benches/requirements-llama.txt >&2 || note "llama.cpp cannot be built"
        fi
    fi
    "$python" -c 'import torch, transformers' 2>/dev/null && echo "$python" || true
}

# The benches' own executables, which run one at a time, without cargo beside them.
bench() {
    "$cargo" bench --locked --bench "$1" --no-run --message-format json |
        sed -n 's/.*"kind":\["bench"\].*"executable":"\([^"]*\)".*/\1/p' | tail -n 1
}

version() { "$@" 2>/dev/null | head -n 1 || echo "none"; }
model() { sed -n 's/^model name[^:]*: *//p' /proc/cpuinfo 2>/dev/null | head -n 1 || true; }

"$cargo" build --release --locked >&2
engine=$(bench engine)
side=$(bench side)
quantised=$(bench quantised)
vectors=$(bench vectors)
python=$(python_with_torch)
commit=$(git rev-parse --short HEAD 2>/dev/null || echo unknown)
git diff --quiet HEAD -- src benches Cargo.toml 2>/dev/null || commit="$commit with changes"
machine="$(model), $(nproc) cores"
tools="$(version rustc --version | cut -d' ' -f1-2), $(version ffmpeg -version | cut -d' ' -f1-3)"
# speech that is not part of this repository, and the models of `make real`
for sound in "${SOUND:-}" ../shared/media/jfk.flac ../../shared/media/jfk.flac; do [ -f "$sound" ] && break; done
real=${REAL:-${ELENCHUS_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/elenchus}/models}

# Needs a Python with PyTorch: `$1` says what is not compared without it.
with_torch() {
    local what=$1
    shift
    if [ -n "$python" ]; then
        "$python" "$@"
    else
        note "no PyTorch: $what"
        echo "Skipped: no Python with torch and transformers."
    fi
}

# One `ask` of the sample day, as a row.
asked() {
    local start end
    start=$(date +%s%N)
    ELENCHUS_CACHE=$work/cache ELENCHUS_DATA=$work/data "$ELENCHUS" ask "$day" "$2" --json >"$work/answer" || return
    end=$(date +%s%N)
    printf '| %s | %s | %s | %s | %s s |\n' "$1" "$2" "$(field exchanges)" "$(field memo_hits)" "$(seconds $((end - start)))"
}
field() { sed -n 's/.*"'"$1"'":\([0-9]*\).*/\1/p' "$work/answer"; }
seconds() { awk -v ns="$1" 'BEGIN { printf "%.2f", ns / 1e9 }'; }
questions() {
    echo "$day: $(ffprobe -v error -show_entries format=duration -of csv=p=0 "$day" | cut -d. -f1) s, starter cast, the memo empty at first."
    echo
    echo "| | question | exchanges | from the memo | whole process |"
    echo "| --- | --- | --- | --- | --- |"
    asked first "Where did I last see the keys?"
    asked second "Where was I at the start?"
    asked "the first again" "Where did I last see the keys?"
}

memory() {
    if [ -d /proc/self/task ]; then
        bash benches/memory.sh "$day" benches/memory.yaml "${SHORT_MIN:-2}" "${LONG_MIN:-60}"
    else
        note "no /proc: peak memory is not measured"
        echo "Skipped: needs /proc (Linux)."
    fi
}

compare=(benches/compare --side "$side" --real "$real" --sound "$sound" --json "$CARGO_TARGET_DIR/bench-outcomes.json" ${LARGE:+--large})
IFS=', ' read -r -a rows <<<"${ROWS:-}"
part engine "$engine"
part compare with_torch "nothing is compared with other programs" "${compare[@]}" "${rows[@]}"
part end_to_end with_torch "no script with PyTorch runs" benches/end_to_end --elenchus "$ELENCHUS"
part questions questions
part quantised "$quantised"
# shellcheck disable=SC2086 # several sizes
part vectors env BENCH_FOLDER="$work" "$vectors" ${VECTORS:-86400x512 1000001x512}
part memory memory
bash benches/assemble.sh "$measured" benches/RESULTS.md
note "written to benches/RESULTS.md"
exit "$failed"
