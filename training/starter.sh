#!/usr/bin/env bash
# Trains the starter cast anew: agents/starter/{clip,lm,whisper}. Each training resumes where it stopped, writes a usable
# checkpoint every few minutes and uses one thread; the three run side by side, their logs lie in training/work/.
# Times are for one core each (see README.md). PYTHON chooses the interpreter.
set -euo pipefail
cd "$(dirname "$0")/.."
python=${PYTHON:-python3}
export OMP_NUM_THREADS=1 TOKENIZERS_PARALLELISM=false
for tool in ffmpeg espeak-ng; do
  command -v "$tool" >/dev/null || { echo "error: $tool is missing (Debian: apt-get install ffmpeg espeak-ng fonts-noto-color-emoji)" >&2; exit 1; }
done
mkdir -p training/work/clip
"$python" training/vocab.py >/dev/null
"$python" training/clip.py cache >training/work/clip/cache.log 2>&1 &
"$python" training/clip.py train >training/work/clip/train.log 2>&1 &
"$python" training/lm.py train >training/work/lm.log 2>&1 &
"$python" training/whisper.py >training/work/whisper.log 2>&1 &
echo "training; follow training/work/clip/train.log, training/work/lm.log, training/work/whisper.log"
failed=0
for job in $(jobs -p); do wait "$job" || failed=1; done
[ "$failed" = 0 ] || { echo "error: a training failed; see the logs in training/work" >&2; exit 1; }
"$python" training/clip.py measure
"$python" training/lm.py exam
"$python" training/whisper.py --test
