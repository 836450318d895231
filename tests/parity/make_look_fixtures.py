"""Makes the parity fixtures of decoders that see: small random Qwen3-VL and SmolVLM checkpoints, and
the answers of Python's `transformers` to prompts about pictures.

    OMP_NUM_THREADS=1 python tests/parity/make_look_fixtures.py tests/parity/fixtures [NAME…]
    python tests/parity/make_look_fixtures.py OUT random SEED COUNT

Pictures are prepared with Pillow. Greedy tokens end where the two best logits differ by less than 1e-3.
The chat templates are shortened forms of those of the published checkpoints, which differ only for
tools, system messages and videos.
"""

import json
import random
import shutil
import sys

import numpy as np
import torch
from PIL import Image
from transformers import (
    Idefics3Config,
    Idefics3ForConditionalGeneration,
    PreTrainedTokenizerFast,
    Qwen3VLConfig,
    Qwen3VLForConditionalGeneration,
    Qwen3VLProcessor,
    SmolVLMConfig,
    SmolVLMForConditionalGeneration,
)
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil
from transformers.models.qwen3_vl.video_processing_qwen3_vl import (
    Qwen3VLVideoProcessor,
    smart_resize,
)
from transformers.models.smolvlm.image_processing_pil_smolvlm import SmolVLMImageProcessorPil
from transformers.models.smolvlm.processing_smolvlm import get_image_prompt_string
from transformers.video_utils import VideoMetadata

from make_fixtures import ROOT, bytelevel, expect, pictures, randomise

STEPS = 24
MARGIN = 1e-3
QWEN = [
    "<|endoftext|>",
    "<|im_start|>",
    "<|im_end|>",
    "<|vision_start|>",
    "<|vision_end|>",
    "<|image_pad|>",
    "<|video_pad|>",
]
# after the template of Qwen/Qwen3-VL-2B-Instruct (Apache-2.0)
QWEN_TEMPLATE = """{%- for message in messages %}
{{- '<|im_start|>' + message.role + '\\n' }}
{%- if message.content is string %}
{{- message.content }}
{%- else %}
{%- for content in message.content %}
{%- if content.type == 'image' or 'image' in content %}
{{- '<|vision_start|><|image_pad|><|vision_end|>' }}
{%- elif content.type == 'video' or 'video' in content %}
{{- '<|vision_start|><|video_pad|><|vision_end|>' }}
{%- elif 'text' in content %}
{{- content.text }}
{%- endif %}
{%- endfor %}
{%- endif %}
{{- '<|im_end|>\\n' }}
{%- endfor %}
{%- if add_generation_prompt %}
{{- '<|im_start|>assistant\\n' }}
{%- endif %}"""
CASES = [
    (["wide"], "what colour was the spaceship?"),
    (["tall", "tiny"], "where are the keys?"),
    (["odd", "wide", "odd"], "Hello"),
    ([], "where did i last see the keys?"),
]


# videos: frames, their sides, frames in a second, and the prompt
VIDEOS = [
    (4, (64, 48), 2.0, "what colour was the spaceship?"),
    (5, (61, 40), 0.7, "where are the keys?"),
]


def frames(count, sides):
    """Parts of a picture, each further to the right."""
    (wide,) = images(["wide"])
    return [wide.crop((3 * n, n, 3 * n + sides[0], n + sides[1])) for n in range(count)]


def images(names):
    return [Image.open(ROOT / "images" / f"{name}.png").convert("RGB") for name in names]


def chat(names, text):
    parts = [{"type": "image"} for _ in names] + [{"type": "text", "text": text}]
    return [{"role": "user", "content": parts if names else text}]


def answer(model, ids, **more):
    """The greedy tokens and their log-probabilities."""
    with torch.no_grad():
        out = model.generate(
            input_ids=ids,
            attention_mask=torch.ones_like(ids),
            do_sample=False,
            max_new_tokens=STEPS,
            min_new_tokens=STEPS,
            eos_token_id=None,
            pad_token_id=0,
            output_logits=True,
            return_dict_in_generate=True,
            **more,
        )
    tokens, logprobs = [], []
    for token, row in zip(out.sequences[0, ids.shape[1] :].tolist(), out.logits):
        best = row[0].topk(2).values
        if best[0] - best[1] < MARGIN:
            break
        tokens.append(token)
        logprobs.append(float(row[0].log_softmax(-1)[token]))
    return {"tokens": tokens, "logprobs": logprobs}


def qwen(folder, seed, vision, text, processor, tied=True, dtype=torch.float32, videos=None):
    backend = bytelevel(300, QWEN)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=backend, eos_token="<|im_end|>", pad_token="<|endoftext|>"
    )
    tokenizer.chat_template = QWEN_TEMPLATE
    token = {name: tokenizer.convert_tokens_to_ids(name) for name in QWEN}
    config = Qwen3VLConfig(
        vision_config=vision,
        text_config={"vocab_size": len(tokenizer), "max_position_embeddings": 2048, **text},
        image_token_id=token["<|image_pad|>"],
        video_token_id=token["<|video_pad|>"],
        vision_start_token_id=token["<|vision_start|>"],
        vision_end_token_id=token["<|vision_end|>"],
        tie_word_embeddings=tied,
    )
    model = randomise(Qwen3VLForConditionalGeneration(config), seed, 0.15).to(dtype)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    prepare = Qwen2VLImageProcessorPil(
        patch_size=vision["patch_size"], merge_size=vision["spatial_merge_size"], **processor
    )
    prepare.save_pretrained(folder)
    model = Qwen3VLForConditionalGeneration.from_pretrained(
        folder, dtype=torch.float32, attn_implementation="eager"
    ).eval()
    videos_settings = videos or {"size": {"shortest_edge": 512, "longest_edge": 12000}}
    cases = []
    for names, words in CASES:
        prompt = tokenizer.apply_chat_template(
            chat(names, words), tokenize=False, add_generation_prompt=True
        )
        more = {}
        if names:
            made = prepare(images(names), return_tensors="pt")
            for grid in made["image_grid_thw"]:
                count = int(grid.prod()) // vision["spatial_merge_size"] ** 2
                prompt = prompt.replace("<|image_pad|>", "<|placeholder|>" * count, 1)
            prompt = prompt.replace("<|placeholder|>", "<|image_pad|>")
            more = {"pixel_values": made["pixel_values"], "image_grid_thw": made["image_grid_thw"]}
        ids = tokenizer(prompt, add_special_tokens=False, return_tensors="pt").input_ids
        if names:
            more["mm_token_type_ids"] = (ids == token["<|image_pad|>"]).int()
        # a fresh state: the model remembers the offset of its last prompt
        model.model.rope_deltas = None
        case = {"images": names, "text": words, "ids": ids[0].tolist()}
        cases.append({**case, **answer(model, ids, **more)})
    videos = watch(folder, model, tokenizer, prepare, vision, videos_settings)
    print(folder.name, [(len(c["ids"]), len(c["tokens"])) for c in cases + videos], flush=True)
    expect(folder, cases=cases, videos=videos)


def watch(folder, model, tokenizer, prepare, vision, settings):
    """The answers to prompts about videos. Frames are resized with Pillow before."""
    patch, merge = vision["patch_size"], vision["spatial_merge_size"]
    together = vision["temporal_patch_size"]
    video = Qwen3VLVideoProcessor(
        patch_size=patch,
        merge_size=merge,
        temporal_patch_size=together,
        do_sample_frames=False,
        **settings,
    )
    (folder / "video_preprocessor_config.json").write_text(
        json.dumps({**settings, "patch_size": patch, "merge_size": merge})
    )
    processor = Qwen3VLProcessor(
        image_processor=prepare, tokenizer=tokenizer, video_processor=video
    )
    videos = []
    for count, sides, fps, words in VIDEOS:
        content = [{"type": "video"}, {"type": "text", "text": words}]
        prompt = tokenizer.apply_chat_template(
            [{"role": "user", "content": content}], tokenize=False, add_generation_prompt=True
        )
        least, most = settings["size"]["shortest_edge"], settings["size"]["longest_edge"]
        if settings.get("cap_pixels_per_frame"):
            cap = min(settings["max_video_tokens"] * (patch * merge) ** 2, most // count)
            most = max(cap, int(least * 1.05)) * count
        height, width = smart_resize(
            count, sides[1], sides[0], together, patch * merge, least, most
        )
        shown = [f.resize((width, height), Image.Resampling.BICUBIC) for f in frames(count, sides)]
        shown = torch.stack([torch.from_numpy(np.array(f)).permute(2, 0, 1) for f in shown])
        inputs = processor(
            text=[prompt],
            videos=[shown],
            video_metadata=[
                VideoMetadata(total_num_frames=count, fps=fps, frames_indices=list(range(count)))
            ],
            do_resize=False,
            return_tensors="pt",
        )
        model.model.rope_deltas = None
        more = {
            key: inputs[key]
            for key in ("pixel_values_videos", "video_grid_thw", "mm_token_type_ids")
        }
        case = {"frames": count, "sides": sides, "fps": fps, "text": words}
        case["ids"] = inputs["input_ids"][0].tolist()
        videos.append({**case, **answer(model, inputs["input_ids"], **more)})
    return videos


def as_gguf(folder, source):
    """The checkpoint `source` as two GGUF files in the layout of llama.cpp's converter."""
    import gguf
    from safetensors.numpy import load_file

    from make_gguf_fixtures import gguf_name

    folder.mkdir(parents=True, exist_ok=True)
    weights = load_file(source / "model.safetensors")
    config = json.loads((source / "config.json").read_text())
    text, eye = config["text_config"], config["vision_config"]
    tokenizer = PreTrainedTokenizerFast.from_pretrained(source)
    tokens = [t for t, _ in sorted(tokenizer.get_vocab().items(), key=lambda one: one[1])]
    heads = text["num_attention_heads"]
    head = text.get("head_dim") or text["hidden_size"] // heads
    writer = gguf.GGUFWriter(folder / "model.gguf", "qwen3vl")
    writer.add_context_length(text["max_position_embeddings"])
    writer.add_embedding_length(text["hidden_size"])
    writer.add_block_count(text["num_hidden_layers"])
    writer.add_feed_forward_length(text["intermediate_size"])
    writer.add_head_count(heads)
    writer.add_head_count_kv(text["num_key_value_heads"])
    writer.add_layer_norm_rms_eps(text["rms_norm_eps"])
    writer.add_rope_freq_base(text["rope_parameters"]["rope_theta"])
    writer.add_rope_dimension_sections([*text["rope_parameters"]["mrope_section"], 0])
    writer.add_num_deepstack_layers(len(eye["deepstack_visual_indexes"]))
    writer.add_key_length(head)
    writer.add_value_length(head)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2")
    writer.add_token_list(tokens)
    marks = [gguf.TokenType.CONTROL if t in QWEN else gguf.TokenType.NORMAL for t in tokens]
    writer.add_token_types(marks)
    writer.add_token_merges([])
    writer.add_eos_token_id(tokenizer.eos_token_id)
    writer.add_chat_template(tokenizer.chat_template)
    sight = gguf.GGUFWriter(folder / "mmproj-model.gguf", "clip")
    sight.add_clip_has_vision_encoder(True)
    sight.add_clip_projector_type(gguf.VisionProjectorType.QWEN3VL)
    sight.add_vision_use_gelu(True)
    sight.add_vision_patch_size(eye["patch_size"])
    sight.add_vision_embedding_length(eye["hidden_size"])
    sight.add_vision_feed_forward_length(eye["intermediate_size"])
    sight.add_vision_projection_dim(eye["out_hidden_size"])
    sight.add_vision_block_count(eye["depth"])
    sight.add_vision_head_count(eye["num_heads"])
    sight.add_vision_spatial_merge_size(eye["spatial_merge_size"])
    sight.add_vision_attention_layernorm_eps(1e-6)
    deep = eye["deepstack_visual_indexes"]
    sight.add_vision_is_deepstack_layers([n in deep for n in range(eye["depth"])])
    pictures_of = json.loads((source / "preprocessor_config.json").read_text())
    sight.add_vision_image_mean(pictures_of["image_mean"])
    sight.add_vision_image_std(pictures_of["image_std"])
    sight.add_uint32("clip.vision.image_min_pixels", pictures_of["size"]["shortest_edge"])
    sight.add_uint32("clip.vision.image_max_pixels", pictures_of["size"]["longest_edge"])
    parts = {
        "patch_embed.proj": "v.patch_embd",
        "pos_embed": "v.position_embd",
        "merger.norm": "v.post_ln",
        "merger.linear_fc1": "mm.0",
        "merger.linear_fc2": "mm.2",
    }
    for n in range(eye["depth"]):
        here, there = f"blocks.{n}", f"v.blk.{n}"
        parts |= {f"{here}.norm1": f"{there}.ln1", f"{here}.norm2": f"{there}.ln2"}
        parts |= {f"{here}.attn.qkv": f"{there}.attn_qkv", f"{here}.attn.proj": f"{there}.attn_out"}
        parts |= {f"{here}.mlp.linear_fc1": f"{there}.ffn_up"}
        parts |= {f"{here}.mlp.linear_fc2": f"{there}.ffn_down"}
    for n, layer in enumerate(deep):
        for own, name in [("norm", "norm"), ("linear_fc1", "fc1"), ("linear_fc2", "fc2")]:
            parts[f"deepstack_merger_list.{n}.{own}"] = f"v.deepstack.{layer}.{name}"
    for name, weight in weights.items():
        if name.startswith("model.visual."):
            own, end = name.removeprefix("model.visual.").rsplit(".", 1)
            to = f"{parts[own]}.{end}"
            if to == "v.patch_embd.weight":
                sight.add_tensor(to + ".1", np.ascontiguousarray(weight[:, :, 1]))
                weight = np.ascontiguousarray(weight[:, :, 0])
            sight.add_tensor(to, weight)
        else:
            plain = name.replace("model.language_model.", "model.")
            writer.add_tensor(gguf_name(plain, "qwen3"), weight)
    for one in (writer, sight):
        one.write_header_to_file()
        one.write_kv_data_to_file()
        one.write_tensors_to_file()
        one.close()
    for name in ("tokenizer.json", "video_preprocessor_config.json", "expected.json"):
        shutil.copy(source / name, folder / name)
    print(folder.name, flush=True)


SMOL = ["<|im_start|>", "<|im_end|>", "<end_of_utterance>", "<image>", "<fake_token_around_image>"]
SMOL += ["<global-img>"] + [f"<row_{r}_col_{c}>" for r in range(1, 4) for c in range(1, 4)]
# the template of transformers.models.smolvlm (Apache-2.0), without videos
SMOL_TEMPLATE = (
    "<|im_start|>{% for message in messages %}{{message['role'] | capitalize}}"
    "{% if message['content'][0]['type'] == 'image' %}{{':'}}{% else %}{{': '}}{% endif %}"
    "{% for line in message['content'] %}{% if line['type'] == 'text' %}{{line['text']}}"
    "{% elif line['type'] == 'image' %}{{ '<image>' }}{% endif %}{% endfor %}<end_of_utterance>\n"
    "{% endfor %}{% if add_generation_prompt %}{{ 'Assistant:' }}{% endif %}"
)


def smol(folder, seed, vision, processor, factor=2, idefics=False, tied=False, dtype=torch.float32):
    backend = bytelevel(330, SMOL)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=backend, eos_token="<end_of_utterance>", pad_token="<|im_end|>"
    )
    tokenizer.chat_template = SMOL_TEMPLATE
    config = (Idefics3Config if idefics else SmolVLMConfig)(
        vision_config=vision,
        text_config={
            "model_type": "llama",
            "vocab_size": len(tokenizer),
            "hidden_size": 48,
            "intermediate_size": 64,
            "num_hidden_layers": 3,
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
            "max_position_embeddings": 2048,
            "pad_token_id": tokenizer.pad_token_id,
            "bos_token_id": None,
            "eos_token_id": None,
        },
        image_token_id=tokenizer.convert_tokens_to_ids("<image>"),
        pad_token_id=tokenizer.pad_token_id,
        scale_factor=factor,
        tie_word_embeddings=tied,
    )
    kind = Idefics3ForConditionalGeneration if idefics else SmolVLMForConditionalGeneration
    randomise(kind(config), seed, 0.15).to(dtype).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    prepare = SmolVLMImageProcessorPil(**processor)
    prepare.save_pretrained(folder)
    model = kind.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()
    tile = prepare.max_image_size["longest_edge"]
    each = (tile // vision["patch_size"] // factor) ** 2
    cases = []
    for names, words in CASES:
        parts = [{"type": "image"} for _ in names] + [{"type": "text", "text": words}]
        prompt = tokenizer.apply_chat_template(
            [{"role": "user", "content": parts}], tokenize=False, add_generation_prompt=True
        )
        more = {}
        if names:
            made = prepare(images(names), return_tensors="pt", return_row_col_info=True)
            pieces = prompt.split("<image>")
            texts = [
                get_image_prompt_string(
                    rows, cols, each, "<fake_token_around_image>", "<image>", "<global-img>"
                )
                for rows, cols in zip(made["rows"][0], made["cols"][0])
            ]
            prompt = pieces[0] + "".join(t + p for t, p in zip(texts, pieces[1:]))
            more = {"pixel_values": made["pixel_values"]}
            more["pixel_attention_mask"] = made["pixel_attention_mask"].bool()
        ids = tokenizer(prompt, add_special_tokens=False, return_tensors="pt").input_ids
        case = {"images": names, "text": words, "ids": ids[0].tolist()}
        cases.append({**case, **answer(model, ids, **more)})
    print(folder.name, [(len(c["ids"]), len(c["tokens"])) for c in cases], flush=True)
    expect(folder, cases=cases)


def smol_vision(**more):
    usual = {
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "image_size": 32,
        "patch_size": 8,
    }
    return {**usual, **more}


def qwen_vision(**more):
    usual = {
        "depth": 3,
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_heads": 2,
        "patch_size": 8,
        "spatial_merge_size": 2,
        "temporal_patch_size": 2,
        "out_hidden_size": 48,
        "num_position_embeddings": 25,
        "deepstack_visual_indexes": [0, 2],
    }
    return {**usual, **more}


def qwen_text(section=(2, 2, 2), **more):
    rope = {"rope_type": "default", "rope_theta": 1e4, "mrope_section": list(section)}
    usual = {
        "hidden_size": 48,
        "intermediate_size": 64,
        "num_hidden_layers": 3,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": 12,
        "rope_parameters": {**rope, "mrope_interleaved": True},
    }
    return {**usual, **more}


def jobs():
    size = {"size": {"shortest_edge": 32 * 32, "longest_edge": 64 * 64}}
    tiles = {"size": {"longest_edge": 96}, "max_image_size": {"longest_edge": 32}}
    half = {"image_mean": [0.5] * 3, "image_std": [0.5] * 3}
    return {
        "qwen3vl-plain": lambda f: qwen(f, 81, qwen_vision(), qwen_text(), {**size, **half}),
        "qwen3vl-untied": lambda f: qwen(
            f,
            82,
            qwen_vision(deepstack_visual_indexes=[1], num_heads=4, num_position_embeddings=16),
            qwen_text((3, 2, 1), num_key_value_heads=1, attention_bias=True),
            {"size": {"shortest_edge": 16 * 16, "longest_edge": 96 * 96}},
            tied=False,
            dtype=torch.bfloat16,
        ),
        "gguf-qwen3vl": lambda f: as_gguf(f, ROOT / "qwen3vl-plain"),
        "smolvlm-tiles": lambda f: smol(f, 83, smol_vision(), tiles),
        "smolvlm-whole": lambda f: smol(
            f,
            84,
            smol_vision(image_size=56, patch_size=8),
            {**tiles, "do_image_splitting": False, "max_image_size": {"longest_edge": 72}},
            factor=3,
            tied=True,
            dtype=torch.float16,
        ),
        "idefics3-tiles": lambda f: smol(f, 85, smol_vision(), tiles, factor=1, idefics=True),
    }


def main():
    pictures()
    if sys.argv[2:3] == ["random"]:
        seed, count = int(sys.argv[3]), int(sys.argv[4])
        for n in range(count):
            rng = random.Random(seed + n)
            folder = ROOT / f"look-{seed + n}"
            shutil.rmtree(folder, ignore_errors=True)
            heads = rng.choice([1, 2, 4])
            deep = rng.sample(range(3), rng.randint(0, 3))
            vision = qwen_vision(
                num_heads=heads,
                hidden_size=heads * rng.choice([4, 8, 12]),
                patch_size=rng.choice([4, 7, 8]),
                spatial_merge_size=rng.choice([1, 2, 3]),
                num_position_embeddings=rng.choice([4, 9, 36]),
                deepstack_visual_indexes=sorted(deep),
            )
            if n % 2:
                factor = rng.choice([1, 2, 3])
                patch = rng.choice([4, 7, 8])
                side = patch * factor * rng.choice([1, 2, 3])
                eye = smol_vision(image_size=patch * rng.randint(2, 9), patch_size=patch)
                edge = side * rng.choice([1, 2, 3])
                made = {"size": {"longest_edge": edge}, "max_image_size": {"longest_edge": side}}
                made["do_image_splitting"] = rng.random() < 0.7
                smol(folder, seed + n, eye, made, factor, rng.random() < 0.3, rng.random() < 0.5)
                continue
            side = vision["patch_size"] * vision["spatial_merge_size"]
            pixels = {
                "shortest_edge": side * side,
                "longest_edge": rng.choice([6, 12, 30]) * side**2,
            }
            text = qwen_text(rng.choice([(2, 2, 2), (4, 1, 1), (0, 3, 3)]))
            tied = rng.random() < 0.5
            edges = {
                "shortest_edge": rng.choice([64, 2000]),
                "longest_edge": side**2 * rng.choice([20, 60]),
            }
            videos = {"size": edges}
            if rng.random() < 0.5:
                videos |= {"cap_pixels_per_frame": True, "max_video_tokens": rng.choice([2, 6])}
            qwen(folder, seed + n, vision, text, {"size": pixels}, tied, videos=videos)
        return
    only = set(sys.argv[2:])
    for name, make in jobs().items():
        if not only or name in only:
            shutil.rmtree(ROOT / name, ignore_errors=True)
            make(ROOT / name)


if __name__ == "__main__":
    main()
