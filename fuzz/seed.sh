#!/usr/bin/env bash
# Fills fuzz/corpus from the repository: dialogues, agent files and casts; prompts, and every template in them; chat
# templates of published models; tiny checkpoints.
set -euo pipefail
cd "$(dirname "$0")/.."
mkdir -p fuzz/corpus/{yaml,plan,template,chat,safetensors,gguf,agent}
for file in examples/*.yaml tests/problems/*.yaml agents/*.yaml casts/*.yaml; do
    cp "$file" "fuzz/corpus/yaml/${file//\//_}"
    cp "$file" "fuzz/corpus/plan/${file//\//_}"
done
cp prompts/*.md fuzz/corpus/template/
cp tests/fixtures/chat/*.jinja fuzz/corpus/chat/
count=0
grep -ohE '\{\{[^}]*\}\}' examples/*.yaml tests/problems/*.yaml src/prompt/tests.rs | grep -vE '9999|0000|33720' | sort -u | while read -r template; do
    count=$((count + 1))
    printf '%s' "$template" >"fuzz/corpus/template/written_$count"
done
cp agents/*.yaml fuzz/corpus/agent/
python3 fuzz/seed.py
