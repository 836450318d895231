#!/usr/bin/env bash
# Trains the starter cast again: agents/starter/{clip,lm,whisper}. Each training resumes where it stopped. It writes a usable
# checkpoint and its card every few minutes. Eye and ear run side by side with a thread each, then the language model with two
# processes. Their logs lie in training/work/. Times: see README.md. PYTHON chooses the interpreter.
# REHEARSAL=1 runs a minute or two of each part in a copy of the needed folders. It ends within minutes and tests the whole path.
set -euo pipefail
cd "$(dirname "$0")/.."
python=${PYTHON:-python3}
[[ $python == */* ]] && python=$(realpath -s "$python")
export OMP_NUM_THREADS=1 TOKENIZERS_PARALLELISM=false
for tool in ffmpeg espeak-ng; do
  command -v "$tool" >/dev/null || { echo "error: $tool is missing (Debian: apt-get install ffmpeg espeak-ng fonts-noto-color-emoji)" >&2; exit 1; }
done
cache=() clip=() lm=() whisper=() measure=() exam=() test=()
if [ -n "${REHEARSAL:-}" ]; then
  copy=$(mktemp -d)
  tar -c --exclude=training/work --exclude=__pycache__ training prompts vocab agents | tar -x -C "$copy"
  cd "$copy"
  cache=(--chunks 1) clip=(--minutes 1) lm=(--steps 100) whisper=(--minutes 1 --utterances 200)
  measure=(--days 1) exam=(--days 1 --prose 2) test=(--count 2)
  echo "rehearsing in $copy"
fi
finish() {
  for _ in $(jobs -p); do
    wait -n || { kill $(jobs -p) 2>/dev/null; wait; echo "error: a training failed; see the logs in $PWD/training/work" >&2; exit 1; }
  done
}
mkdir -p training/work/clip
"$python" training/vocab.py >/dev/null
"$python" training/clip.py cache "${cache[@]}" >training/work/clip/cache.log 2>&1 &
"$python" training/clip.py train "${clip[@]}" >training/work/clip/train.log 2>&1 &
"$python" training/whisper.py "${whisper[@]}" >training/work/whisper.log 2>&1 &
echo "eye and ear are being trained; follow training/work/clip/train.log and training/work/whisper.log"
finish
"$python" training/lm.py train "${lm[@]}" >training/work/lm.log 2>&1 &
echo "the language model is being trained; follow training/work/lm.log"
finish
"$python" training/clip.py measure "${measure[@]}"
"$python" training/lm.py exam "${exam[@]}"
"$python" training/whisper.py --test "${test[@]}"
