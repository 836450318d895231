"""The model of starter-clip and its files."""

import json
import math
import os

import paths
from eye.pictures import CONTEXT, MEAN, PATCH, SIZE, STD
from eye.words import GROUPS, encode

EXPORT = paths.shipped("clip")


def build_model(tokenizer):
    import torch
    from transformers import CLIPConfig, CLIPModel

    bos, eos = tokenizer.token_to_id("<|startoftext|>"), tokenizer.token_to_id("<|endoftext|>")
    config = CLIPConfig(
        projection_dim=128,
        logit_scale_init_value=math.log(14),
        text_config=dict(
            vocab_size=tokenizer.get_vocab_size(),
            hidden_size=128,
            intermediate_size=256,
            num_hidden_layers=2,
            num_attention_heads=4,
            max_position_embeddings=CONTEXT,
            projection_dim=128,
            hidden_act="quick_gelu",
            bos_token_id=bos,
            eos_token_id=eos,
            pad_token_id=eos,
        ),
        vision_config=dict(
            hidden_size=160,
            intermediate_size=480,
            num_hidden_layers=4,
            num_attention_heads=5,
            image_size=SIZE,
            patch_size=PATCH,
            projection_dim=128,
            hidden_act="quick_gelu",
        ),
    )
    torch.manual_seed(11)
    model = CLIPModel(config)
    model.set_attn_implementation("eager")
    return model


def carry_over(model, tokenizer, folder):
    """Takes the weights of an earlier checkpoint. A known token keeps its vector; a new one gets
    the mean of its old pieces."""
    from safetensors.torch import load_file
    from tokenizers import Tokenizer

    old = Tokenizer.from_file(os.path.join(folder, "tokenizer.json"))
    weights, state = load_file(os.path.join(folder, "model.safetensors")), model.state_dict()
    for name, value in weights.items():
        value = value.float()
        if name.endswith("token_embedding.weight"):
            for token, row in tokenizer.get_vocab().items():
                known = old.token_to_id(token)
                text = tokenizer.decode([row], skip_special_tokens=False).strip()
                pieces = (
                    [known] if known is not None else old.encode(text, add_special_tokens=False).ids
                )
                if pieces:
                    state[name][row] = value[pieces].mean(0)
        elif name.endswith("position_embedding.weight") and value.shape != state[name].shape:
            rows = min(len(value), len(state[name]))
            state[name][:rows] = value[:rows]
            state[name][rows:] = value[rows - 1]
        elif name in state and state[name].shape == value.shape:
            state[name].copy_(value)
        else:
            print("not carried over:", name, flush=True)
    model.load_state_dict(state)


def export(model, tokenizer, folder, note):
    import copy

    import torch

    os.makedirs(folder, exist_ok=True)
    half = copy.deepcopy(model).to(torch.float16)
    half.save_pretrained(folder)
    tokenizer.save(os.path.join(folder, "tokenizer.json"))

    def write(name, value):
        with open(os.path.join(folder, name), "w", encoding="utf-8") as out:
            json.dump(value, out, indent=2)
            out.write("\n")

    write(
        "tokenizer_config.json",
        {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "bos_token": "<|startoftext|>",
            "eos_token": "<|endoftext|>",
            "pad_token": "<|endoftext|>",
            "unk_token": "<|endoftext|>",
            "model_max_length": CONTEXT,
            "clean_up_tokenization_spaces": False,
        },
    )
    write(
        "preprocessor_config.json",
        {
            "image_processor_type": "CLIPImageProcessor",
            "do_resize": True,
            "size": {"shortest_edge": SIZE},
            "resample": 3,
            "do_center_crop": True,
            "crop_size": {"height": SIZE, "width": SIZE},
            "do_rescale": True,
            "rescale_factor": 1 / 255,
            "do_normalize": True,
            "image_mean": MEAN,
            "image_std": STD,
            "do_convert_rgb": True,
        },
    )
    print("exported", note, flush=True)


def pooled(output):
    return output if hasattr(output, "norm") else output.pooler_output


def half_precision(module):
    """Runs the module in bfloat16 on its float32 weights. With eager attention, this CPU is then
    almost twice as fast."""
    import torch

    weights = {k: v.bfloat16() for k, v in module.named_parameters()}

    def run(**inputs):
        return torch.func.functional_call(module, weights, kwargs=inputs)

    return run


def text_vectors(model, tokenizer, templates, more=()):
    """Unit vectors of every label, group by group, and of `more` texts, in one matrix; {group:
    slice}."""
    import torch

    texts, where = [], {}
    for group, labels in GROUPS.items():
        where[group] = slice(len(texts), len(texts) + len(labels))
        texts += [templates[group].format(label) for label in labels]
    run, vectors = half_precision(model.text_model), []
    # Captions are longer than labels. Separate batches need less padding.
    for part in (texts, list(more)):
        if part:
            ids = encode(tokenizer, part, model.config.text_config.eos_token_id)
            vectors.append(model.text_projection(run(input_ids=ids).pooler_output.float()))
    return torch.nn.functional.normalize(torch.cat(vectors), dim=-1), where
