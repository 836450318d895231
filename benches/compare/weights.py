"""Makes what both sides of a comparison read: random weights in the shape of known models, and conversions.

    python benches/compare/weights.py NAME OUT [FROM]

`machine.made` runs this in a process of its own, so that the harness stays small while it measures.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

CLIP_MEAN, CLIP_STD = (
    [0.48145466, 0.4578275, 0.40821073],
    [0.26862954, 0.26130258, 0.27577711],
)
# the smallest text tower that loads
TEXT = {
    "hidden_size": 32,
    "intermediate_size": 32,
    "num_attention_heads": 1,
    "num_hidden_layers": 1,
    "vocab_size": 8,
    "max_position_embeddings": 8,
    "bos_token_id": 0,
    "eos_token_id": 1,
    "pad_token_id": 1,
}
BASE = {
    "hidden_size": 768,
    "intermediate_size": 3072,
    "num_attention_heads": 12,
    "num_hidden_layers": 12,
    "image_size": 224,
}


def finish(out, model, processor):
    """Saves the weights, a tokenizer of one word, and the settings of the pictures."""
    from tokenizers import Tokenizer, models

    model.eval().save_pretrained(out)
    Tokenizer(models.WordLevel({"a": 0}, unk_token="a")).save(str(out / "tokenizer.json"))
    (out / "preprocessor_config.json").write_text(json.dumps(processor))


def clip(out, _):
    """The shape of openai/clip-vit-base-patch32."""
    from transformers import CLIPConfig, CLIPModel

    config = CLIPConfig(
        vision_config={**BASE, "patch_size": 32}, text_config=TEXT, projection_dim=512
    )
    settings = {
        "image_processor_type": "CLIPImageProcessor",
        "size": {"shortest_edge": 224},
        "crop_size": {"height": 224, "width": 224},
        "image_mean": CLIP_MEAN,
        "image_std": CLIP_STD,
    }
    finish(out, CLIPModel(config), settings)


def siglip(out, _):
    """The shape of google/siglip-base-patch16-224."""
    from transformers import SiglipConfig, SiglipModel

    text = {**TEXT, "projection_size": 768}
    config = SiglipConfig(vision_config={**BASE, "patch_size": 16}, text_config=text)
    settings = {
        "image_processor_type": "SiglipImageProcessor",
        "size": {"height": 224, "width": 224},
        "resample": 3,
        "image_mean": [0.5] * 3,
        "image_std": [0.5] * 3,
    }
    finish(out, SiglipModel(config), settings)


def llama(out, _):
    """A random decoder of 0.8 billion weights in Q8_0."""
    maker = Path(__file__).parent.parent / "random_model.py"
    made = out / "model.gguf"
    command = [sys.executable, str(maker), str(made), "--type", "q8_0", "--size", "0.8e9"]
    subprocess.run(command, check=True)


def ctranslate(out, source):
    """The Whisper checkpoint `source` for CTranslate2, in f32. Other formats are computed while it is loaded."""
    from ctranslate2.converters import TransformersConverter

    files = [
        name
        for name in ("tokenizer.json", "preprocessor_config.json")
        if (Path(source) / name).exists()
    ]
    converter = TransformersConverter(source, copy_files=files)
    converter.convert(str(out), quantization="float32", force=True)


def onnx(out, source):
    """The text encoder `source` for ONNX Runtime, with the fusions of its own optimiser for such models."""
    import torch
    from onnxruntime.transformers import optimizer
    from transformers import AutoModel

    model = AutoModel.from_pretrained(
        source, dtype=torch.float32, attn_implementation="eager"
    ).eval()
    heads, width = model.config.num_attention_heads, model.config.hidden_size

    class States(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.model = model

        def forward(self, input_ids, attention_mask):
            return self.model(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state

    names, example = ["input_ids", "attention_mask"], torch.ones(2, 7, dtype=torch.long)
    plain = out / "plain.onnx"
    # the exporter of torch.export writes attention in a form that the optimiser does not know
    torch.onnx.export(
        States(),
        (example, example),
        str(plain),
        input_names=names,
        output_names=["states"],
        dynamic_axes={name: {0: "batch", 1: "length"} for name in names},
        dynamo=False,
    )
    made = optimizer.optimize_model(str(plain), "bert", heads, width, opt_level=0)
    if not made.get_fused_operator_statistics()["Attention"]:
        print("the attention of the exported encoder was not fused", file=sys.stderr)
    made.save_model_to_file(str(out / "model.onnx"))
    plain.unlink()


# after the template of Qwen/Qwen3-VL-2B-Instruct (Apache-2.0), for messages with parts
TEMPLATE = """{%- for message in messages %}{{- '<|im_start|>' + message.role + '\\n' }}
{%- if message.content is string %}{{- message.content }}{%- else %}{%- for content in message.content %}
{%- if content.type == 'image' %}{{- '<|vision_start|><|image_pad|><|vision_end|>' }}
{%- elif 'text' in content %}{{- content.text }}{%- endif %}{%- endfor %}{%- endif %}
{{- '<|im_end|>\\n' }}{%- endfor %}{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}{%- endif %}"""
SPECIAL = """<|endoftext|> <|im_start|> <|im_end|> <|vision_start|> <|vision_end|> <|image_pad|> <|video_pad|>""".split()


def qwen3_vl(out, _):
    """The shape of Qwen/Qwen3-VL-2B-Instruct, in bf16. Its tokenizer has one token for each byte."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import (
        PreTrainedTokenizerFast,
        Qwen3VLConfig,
        Qwen3VLForConditionalGeneration,
        Qwen3VLProcessor,
    )
    from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil
    from transformers.models.qwen3_vl.video_processing_qwen3_vl import Qwen3VLVideoProcessor

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    backend = Tokenizer(models.BPE(vocab={c: n for n, c in enumerate(alphabet)}, merges=[]))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    backend.add_special_tokens(SPECIAL)
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, pad_token=SPECIAL[0])
    tokenizer.chat_template = TEMPLATE
    token = {name: tokenizer.convert_tokens_to_ids(name) for name in SPECIAL}
    text = {
        "vocab_size": 151936,
        "hidden_size": 2048,
        "intermediate_size": 6144,
        "num_hidden_layers": 28,
        "num_attention_heads": 16,
        "num_key_value_heads": 8,
        "head_dim": 128,
        "max_position_embeddings": 4096,
        "rope_parameters": {
            "rope_type": "default",
            "rope_theta": 5e6,
            "mrope_section": [24, 20, 20],
            "mrope_interleaved": True,
        },
        "eos_token_id": None,
        "bos_token_id": None,
    }
    vision = {
        "depth": 24,
        "hidden_size": 1024,
        "intermediate_size": 4096,
        "num_heads": 16,
        "out_hidden_size": 2048,
        "patch_size": 16,
        "spatial_merge_size": 2,
        "temporal_patch_size": 2,
        "num_position_embeddings": 2304,
        "deepstack_visual_indexes": [5, 11, 17],
    }
    config = Qwen3VLConfig(
        text_config=text,
        vision_config=vision,
        image_token_id=token["<|image_pad|>"],
        video_token_id=token["<|video_pad|>"],
        vision_start_token_id=token["<|vision_start|>"],
        vision_end_token_id=token["<|vision_end|>"],
        tie_word_embeddings=True,
    )
    torch.set_default_dtype(torch.bfloat16)
    Qwen3VLForConditionalGeneration(config).eval().save_pretrained(out)
    settings = {"patch_size": 16, "merge_size": 2, "temporal_patch_size": 2}
    images = Qwen2VLImageProcessorPil(**settings)
    videos = Qwen3VLVideoProcessor(**settings)
    Qwen3VLProcessor(
        image_processor=images, tokenizer=tokenizer, video_processor=videos
    ).save_pretrained(out)
    (out / "chat_template.jinja").write_text(TEMPLATE)
    (out / "preprocessor_config.json").write_text(images.to_json_string())


MAKERS = {made.__name__: made for made in (clip, siglip, llama, ctranslate, onnx, qwen3_vl)}


def main():
    name, out, *source = sys.argv[1:]
    import torch

    torch.manual_seed(0)
    # made beside its place, so that a stopped run leaves no half of it
    out, beside = Path(out), Path(f"{out}.part")
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir(parents=True)
    MAKERS[name](beside, *source or [None])
    beside.rename(out)


if __name__ == "__main__":
    main()
