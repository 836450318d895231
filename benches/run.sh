#!/usr/bin/env bash
# All benchmarks in one run; writes benches/RESULTS.md. A part that cannot run is skipped with a notice, there too.
#
#   PYTHON=…     a Python with PyTorch; otherwise .venv is made from training/requirements.txt
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
results=$work/results.md

note() { echo "notice: $*" >&2; }
# Runs a command and puts its output into the results. After a failure, the results say so.
part() {
    echo "… $1" >&2
    shift
    if ! "$@" >"$work/part" 2>"$work/errors"; then
        note "$(tail -n 1 "$work/errors")"
        { cat "$work/part" && echo && echo "Did not finish: $(tail -n 1 "$work/errors")"; } >>"$results"
        failed=1
        return
    fi
    cat "$work/part" >>"$results"
}
failed=0

# A Python with PyTorch, or nothing.
python_with_torch() {
    local python=${PYTHON:-}
    if [ -z "$python" ]; then
        python=.venv/bin/python
        if ! "$python" -c 'import torch, transformers' 2>/dev/null; then
            note "setting up PyTorch in .venv"
            python3 -m venv .venv >&2 && .venv/bin/pip install -q -r training/requirements.txt >&2 || true
        fi
    fi
    "$python" -c 'import torch, transformers' 2>/dev/null && echo "$python" || true
}

# The benches' own executables, which run one at a time, without cargo beside them.
bench() {
    "$cargo" bench --locked --bench "$1" --no-run --message-format json |
        sed -n 's/.*"kind":\["bench"\].*"executable":"\([^"]*\)".*/\1/p' | tail -n 1
}

"$cargo" build --release --locked >&2
engine=$(bench engine)
clip=$(bench clip)
quantised=$(bench quantised)
vectors=$(bench vectors)
python=$(python_with_torch)

# One `ask` of the sample day, as a row.
asked() {
    local start end
    start=$(date +%s%N)
    ELENCHUS_CACHE=$work/cache ELENCHUS_DATA=$work/data "$ELENCHUS" ask "$day" "$2" --json >"$work/answer" 2>>"$work/errors" || return
    end=$(date +%s%N)
    printf '| %s | %s | %s | %s | %s s |\n' "$1" "$2" "$(field exchanges)" "$(field memo_hits)" "$(seconds $((end - start)))"
}
field() { sed -n 's/.*"'"$1"'":\([0-9]*\).*/\1/p' "$work/answer"; }
seconds() { awk -v ns="$1" 'BEGIN { printf "%.2f", ns / 1e9 }'; }
questions() {
    echo "| | question | exchanges | from the memo | whole process |"
    echo "| --- | --- | --- | --- | --- |"
    asked first "Where did I last see the keys?"
    asked second "Where was I at the start?"
    asked "the first again" "Where did I last see the keys?"
}

length() { ffprobe -v error -show_entries format=duration -of csv=p=0 "$1"; }
version() { "$@" 2>/dev/null | head -n 1 || echo "none"; }
model() { sed -n 's/^model name[^:]*: *//p' /proc/cpuinfo 2>/dev/null | head -n 1 || true; }
commit=$(git rev-parse --short HEAD 2>/dev/null || echo unknown)
git diff --quiet HEAD -- src benches Cargo.toml 2>/dev/null || commit="$commit with changes"
libraries='import torch, transformers; print("PyTorch " + torch.__version__ + ", transformers " + transformers.__version__)'

cat >"$results" <<END
# Benchmarks

Written by \`make bench\`; do not edit. Ratios of one run on one machine; read them, not the times.

- Machine: $(model), $(nproc) cores, load $(cut -d' ' -f1-3 /proc/loadavg 2>/dev/null || echo unknown) when it began (other work lengthens all wall-clock times)
- $(date -u +%Y-%m-%d), commit $commit, $(version rustc --version)
- $(if [ -n "$python" ]; then "$python" -c "$libraries"; else echo "no PyTorch"; fi); $(version ffmpeg -version | cut -d' ' -f1-3)

## The engine

An agent that answers at once, with 64 exchanges in progress. Aim: at most 20 µs for each.

END
part "engine" "$engine"
cat >>"$results" <<'END'

The limit is the necessary work of an exchange: its template is rendered, its request of a few hundred bytes is written as JSON and hashed for its key
and its seed, and a future is polled. With a memo, a second thread writes a row of a few hundred bytes and its index entries to SQLite. No single part
leads the profile: about a fifth is allocation, a fifteenth copying, a twentieth hashing. With a memo, the writing thread computes beside the engine.
Each exchange then waits for a commit that it shares with others.

## CLIP
END
if [ -n "$python" ]; then
    part "CLIP against PyTorch" "$python" benches/clip.py "$clip"
else
    note "no PyTorch: CLIP is not compared"
    echo "Skipped: no Python with torch and transformers." >>"$results"
fi
cat >>"$results" <<'END'

The limit is arithmetic: the matrix products of the tower, at the rate of one large product on the same threads. ViT-B/32 spends seven tenths of its time in
them, and a quarter of that packs their operands; one picture has only 50 rows, too few to hide it. starter-clip, whose width is 160, spends four tenths. The
rest are passes over activations, which candle makes one at a time: bias, activation, softmax, residual. They take an eighth of ViT-B/32's time and a third of
starter-clip's; half of that is a scalar exp that PyTorch vectorises. The pages of a fresh buffer for each pass take a tenth. elenchus also prepares pixels,
PyTorch does not. If other work shares the cores, PyTorch's waiting threads spin, and two threads are far slower than one: then read the tables of one thread.

## Quantised matrices

Products with a matrix that is held once, against candle's own, which are held twice after their first use. One row is a token of a reply, 8 rows a token
of 8 replies each, 512 rows a prompt. Aim: a ratio of at least 0.9.

END
part "quantised matrices" "$quantised"
cat >>"$results" <<'END'

Q8_0, Q4_K and Q6_K are multiplied by candle's packed kernels, but a single row of Q6_K as two rows. candle does not pack Q5_K, nor rows of 896 values,
which are no multiple of 256: a prompt is multiplied with dequantised pieces. candle multiplies Q5_0 number by number; elenchus holds it as Q8_0.

## Search among vectors

Made-up vectors of frames in a file (`store/index`), searched by all cores. Aims: a day at one frame a second (86,400 × 512) in less than 50 ms (p95, 2 cores); ten
million in less than 1 s, built in less than 2 hours; recall@10 of the clustered index at least 0.95.

END
# shellcheck disable=SC2086 # several sizes
part "vectors" env BENCH_FOLDER="$work" "$vectors" ${VECTORS:-86400x512 1000001x512}
cat >>"$results" <<'END'

The limit of the exact scan is the memory's bandwidth: the time in which all cores read the vectors once, as measured in the same run. The first search reads
the blocks from the file and checks their digests. Up to 272 MB of blocks are kept in memory; beyond, each search reads the rest from the file.

## A day of video, end to end

END
echo "$day: $(length "$day" | cut -d. -f1) s, starter cast, the memo empty at first." >>"$results"
echo >>"$results"
part "first and second question" questions
cat >>"$results" <<'END'

The limit of the first question is the forward passes: one of the image tower for each second of video (several steps share the vector of a picture),
Whisper over all of the sound, one reply of the language model for each place. The second question costs its own answer and the start: opening the video,
loading the language model and reading the memo.

## Memory

The run looks at every second and listens to all sound (`benches/memory.yaml`). Resident memory of elenchus and its ffmpegs together. Aim: the long video
needs at most 15 % more.

END
if [ -d /proc/self/task ]; then
    part "peak memory" bash benches/memory.sh "$day" benches/memory.yaml "${SHORT_MIN:-2}" "${LONG_MIN:-60}"
else
    note "no /proc: peak memory is not measured"
    echo "Skipped: needs /proc (Linux)." >>"$results"
fi
cat >>"$results" <<'END'

The limit is the weights, up to 96 decoded frames (64 MiB at most), five minutes of sound, CLIP's vectors of 4096 pictures and one decoder of pictures and one
of sound with their libraries and the container's index. Only a few hundred bytes for each exchange grow with the length. The loop repeats the same pictures,
whose vectors CLIP still has: an hour of new video takes longer.
END
mv "$results" benches/RESULTS.md
note "written to benches/RESULTS.md"
exit "$failed"
