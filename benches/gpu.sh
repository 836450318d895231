#!/usr/bin/env bash
# The comparisons with other programs on an NVIDIA GPU, in bf16: PyTorch compiled, faster-whisper and llama.cpp with CUDA.
#
#   benches/gpu.sh             builds, measures and writes benches/results-gpu.md
#   benches/gpu.sh --list      prints what would run, and needs no GPU
#
#   DEVICE=cuda:0       the GPU
#   ROWS=clip,whisper   only these rows
#   SIDE=…              the built `side` bench with the feature `cuda` (else benches/cuda/build.sh builds it, without a CUDA toolkit)
#   PYTHON=…            a Python with the opponents (else .venv-gpu is made from benches/requirements.txt)
#   REAL=…, SOUND=…     the folder of `make real`, and a file of English speech
#   CUDA_COMPUTE_CAP    as for benches/cuda/build.sh: 90 for H100 and H200, 89 for RTX 40, 80 for A100
#
# llama.cpp is compiled with CUDA, which needs nvcc and cuBLAS (a CUDA toolkit); without them its rows are skipped. The driver compiles
# kernels at their first use, so a first run fills its cache and a second one counts.
set -euo pipefail
cd "$(dirname "$0")/.."
device=${DEVICE:-cuda:0}
python=${PYTHON:-.venv-gpu/bin/python}
real=${REAL:-${ELENCHUS_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/elenchus}/models}
results=${RESULTS:-benches/results-gpu.md}
work=${WORK:-${CARGO_TARGET_DIR:-target}/bench}
for sound in "${SOUND:-}" ../shared/media/jfk.flac ../../shared/media/jfk.flac; do [ -f "$sound" ] && break; done
IFS=', ' read -r -a rows <<<"${ROWS:-}"

note() { echo "notice: $*" >&2; }

if [ "${1:-}" = --list ]; then
    echo "device $device, real models in $real, speech from $sound"
    echo "would build: bash benches/cuda/build.sh --bench side"
    echo "would install into ${python%/bin/python}: benches/requirements.txt, and llama.cpp with -DGGML_CUDA=on"
    echo "would run, and write to $results:"
    exec python3 benches/compare --device "$device" --list --large "${rows[@]}"
elif [ -n "${1:-}" ]; then
    echo "usage: benches/gpu.sh [--list]" >&2
    exit 64
fi

command -v nvidia-smi >/dev/null || { echo "error: there is no nvidia-smi: this needs an NVIDIA GPU and its driver" >&2; exit 1; }

if [ ! -x "$python" ]; then
    note "setting up the opponents in ${python%/bin/python}"
    python3 -m venv "${python%/bin/python}"
    "$python" -m pip install -q -r benches/requirements.txt
    CMAKE_ARGS=-DGGML_CUDA=on "$python" -m pip install -q -r benches/requirements-llama.txt ||
        note "llama.cpp cannot be built with CUDA: its rows will be skipped"
fi
"$python" -c 'import torch; assert torch.cuda.is_available()' || { echo "error: $python has no PyTorch that sees the GPU" >&2; exit 1; }

side=${SIDE:-$(bash benches/cuda/build.sh --bench side | tail -n 1)}
# cuBLAS, cuRAND and NVRTC come with PyTorch
libraries=$("$python" - <<'END'
import glob
import os

import nvidia

print(":".join(lib for path in nvidia.__path__ for lib in glob.glob(os.path.join(path, "*", "lib"))))
END
)
export LD_LIBRARY_PATH=$libraries${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}

{
    echo "# Benchmarks on a GPU"
    echo
    echo "Written by \`benches/gpu.sh\`; do not edit. $(date -u +%Y-%m-%d), commit $(git rev-parse --short HEAD 2>/dev/null || echo unknown)."
    echo
    echo "- GPU: $(nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv,noheader | head -n 1)"
    # the host's part of the work gets up to four cores
    "$python" benches/compare --device "$device" --threads "${THREADS:-4}" --side "$side" --python "$python" \
        --work "$work" --real "$real" --sound "$sound" --json "$work/outcomes-gpu.json" --large "${rows[@]}"
} >"$results"
note "written to $results"
