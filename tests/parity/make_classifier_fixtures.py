"""Makes the parity fixtures of image classifiers: small random checkpoints and the logits of
`transformers` and timm for the pictures of `make_fixtures.py`.

    OMP_NUM_THREADS=1 python tests/parity/make_classifier_fixtures.py tests/parity/fixtures [NAME…]
    python tests/parity/make_classifier_fixtures.py DIR random COUNT SEED

The second form makes checkpoints of random shapes in DIR, which needs a copy of `images/`. It needs
torch, transformers, timm, torchvision, pillow and safetensors. Every expected number is computed in
float32. The pictures are prepared by the processors of `transformers` that use Pillow, and by timm's
evaluation transform.

The widths of EfficientNet-Lite are fixed, so that its weights are too large to be stored. They follow
from the names of their tensors (`formula`); the test computes the same numbers.
"""

import json
import random
import sys
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors.torch import save_file
from transformers import (
    ConvNextConfig,
    ConvNextForImageClassification,
    MobileNetV2Config,
    MobileNetV2ForImageClassification,
    ResNetConfig,
    ResNetForImageClassification,
    ViTConfig,
    ViTForImageClassification,
)
from transformers.models.bit.image_processing_pil_bit import BitImageProcessorPil
from transformers.models.convnext.image_processing_pil_convnext import ConvNextImageProcessorPil
from transformers.models.mobilenet_v2.image_processing_pil_mobilenet_v2 import (
    MobileNetV2ImageProcessorPil,
)
from transformers.models.vit.image_processing_pil_vit import ViTImageProcessorPil

from make_fixtures import expect, save

ROOT = Path(sys.argv[1] if len(sys.argv) > 1 else "tests/parity/fixtures")
PROCESSORS = {
    "ViTImageProcessor": ViTImageProcessorPil,
    "ConvNextImageProcessor": ConvNextImageProcessorPil,
    "MobileNetV2ImageProcessor": MobileNetV2ImageProcessorPil,
    "BitImageProcessor": BitImageProcessorPil,
}


def pictures():
    return {p.stem: Image.open(p).convert("RGB") for p in sorted((ROOT / "images").glob("*.png"))}


def randomise(model, seed):
    """Weights that keep the size of activations; statistics of batch norms far from 0 and 1."""
    generator = torch.Generator().manual_seed(seed)

    def noise(like):
        return torch.randn(like.shape, generator=generator)

    with torch.no_grad():
        for name, value in model.state_dict().items():
            if name.endswith("running_var"):
                value.copy_(torch.rand(value.shape, generator=generator) + 0.5)
            elif name.endswith("num_batches_tracked"):
                continue
            elif value.dim() > 1:
                fan_in = value[0].numel()
                value.copy_(noise(value) * (2 / fan_in) ** 0.5)
            elif name.endswith("weight") or name.endswith("layer_scale_parameter"):
                value.copy_(1 + 0.3 * noise(value))
            else:
                value.copy_(0.3 * noise(value))
    return model.eval()


def fixture(name, seed, model, kind, processor, dtype=torch.float32, names=None):
    folder = ROOT / name
    if names:
        model.config.id2label = dict(enumerate(names))
        # two classes may have one name
        model.config.label2id = {label: n for n, label in enumerate(names)}
    model = save(randomise(model, seed), folder, dtype)
    settings = {"image_processor_type": kind, **processor}
    (folder / "preprocessor_config.json").write_text(json.dumps(settings))
    plain = kind.removesuffix("Fast").replace("FeatureExtractor", "ImageProcessor")
    # a null means the default, as for `from_pretrained`
    prepare = PROCESSORS[plain](**{k: v for k, v in processor.items() if v is not None})
    logits = {}
    with torch.no_grad():
        for picture, image in pictures().items():
            pixels = prepare(image, return_tensors="pt")["pixel_values"]
            logits[picture] = model(pixel_values=pixels).logits[0]
    expect(folder, logits=logits)


def vit(name, seed, processor, kind="ViTImageProcessor", dtype=torch.float32, names=None, **config):
    fixture(
        name, seed, ViTForImageClassification(ViTConfig(**config)), kind, processor, dtype, names
    )


def convnext(name, seed, processor, kind="ConvNextImageProcessor", names=None, **config):
    model = ConvNextForImageClassification(ConvNextConfig(**config))
    fixture(name, seed, model, kind, processor, names=names)


def resnet(name, seed, processor, kind="ConvNextImageProcessor", names=None, **config):
    fixture(
        name,
        seed,
        ResNetForImageClassification(ResNetConfig(**config)),
        kind,
        processor,
        names=names,
    )


def mobilenet(name, seed, processor, kind="MobileNetV2ImageProcessor", names=None, **config):
    model = MobileNetV2ForImageClassification(MobileNetV2Config(**config))
    fixture(name, seed, model, kind, processor, names=names)


def formula(name, shape):
    """The weights of a tensor of timm's EfficientNet-Lite: numbers from -1 to 1 by splitmix64, seeded by FNV-1a of
    the name, then scaled."""
    seed = 0xCBF29CE484222325
    for byte in name.encode():
        seed = ((seed ^ byte) * 0x100000001B3) % 2**64
    count = int(np.prod(shape))
    with np.errstate(over="ignore"):
        z = np.uint64(seed) + np.arange(1, count + 1, dtype=np.uint64) * np.uint64(
            0x9E3779B97F4A7C15
        )
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z = z ^ (z >> np.uint64(31))
    unit = (z >> np.uint64(40)).astype(np.float32) / np.float32(2**23) - np.float32(1)
    fan_in = np.float32(count // shape[0])
    if len(shape) > 1:
        unit = unit * np.sqrt(np.float32(3) / fan_in)
    elif name.endswith("running_var"):
        unit = np.float32(1) + np.float32(0.5) * unit
    elif name.endswith("weight"):
        unit = np.float32(1) + np.float32(0.3) * unit
    else:
        unit = np.float32(0.3) * unit
    return torch.from_numpy(unit.reshape(shape))


def efficientnet(name, architecture, classes, settings, label_names=None, stored=False):
    import timm
    from timm.data import create_transform, resolve_data_config

    folder = ROOT / name
    folder.mkdir(parents=True, exist_ok=True)
    model = timm.create_model(architecture, num_classes=classes).eval()
    state = {
        key: formula(key, tuple(value.shape))
        for key, value in model.state_dict().items()
        if not key.endswith("num_batches_tracked")
    }
    model.load_state_dict(state, strict=False)
    config = {
        "architecture": architecture,
        "num_classes": classes,
        "num_features": 1280,
        "pretrained_cfg": settings,
    }
    if label_names is not None:
        config["label_names"] = label_names
    (folder / "config.json").write_text(json.dumps(config))
    shapes = {key: list(value.shape) for key, value in state.items()}
    (folder / "shapes.json").write_text(json.dumps(shapes))
    if stored:
        save_file(state, folder / "model.safetensors", metadata={"format": "pt"})
    transform = create_transform(**resolve_data_config(pretrained_cfg=settings))
    with torch.no_grad():
        logits = {k: model(transform(v).unsqueeze(0))[0] for k, v in pictures().items()}
    expect(folder, logits=logits)


SMALL = {
    "hidden_size": 24,
    "intermediate_size": 40,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
}
TIMM = {"mean": [0.498, 0.498, 0.498], "std": [0.502, 0.502, 0.502], "interpolation": "bicubic"}
FIXTURES = {
    "vit-square": lambda name: vit(
        name,
        1,
        {"size": {"height": 32, "width": 32}, "resample": 2},
        image_size=32,
        patch_size=8,
        num_labels=4,
        names=["tench, Tinca tinca", "crane", "crane", "mug"],
        **SMALL,
    ),
    "vit-wide": lambda name: vit(
        name,
        2,
        {
            "size": {"height": 24, "width": 36},
            "resample": 3,
            "image_mean": [0.4, 0.5, 0.6],
            "image_std": [0.2, 0.3, 0.25],
            "do_center_crop": None,
            "crop_size": None,
        },
        kind="ViTImageProcessorFast",
        image_size=[24, 36],
        patch_size=12,
        qkv_bias=False,
        hidden_act="gelu_new",
        num_labels=7,
        **{**SMALL, "num_hidden_layers": 3, "num_attention_heads": 2},
    ),
    "vit-half": lambda name: vit(
        name,
        3,
        {"size": 33, "resample": 3},
        kind="ViTFeatureExtractor",
        dtype=torch.float16,
        image_size=33,
        patch_size=16,
        layer_norm_eps=1e-5,
        num_labels=3,
        **{**SMALL, "hidden_size": 20},
    ),
    "convnext-small": lambda name: convnext(
        name,
        4,
        {"size": {"shortest_edge": 48}, "crop_pct": 0.875, "resample": 3},
        hidden_sizes=[8, 12, 20, 24],
        depths=[1, 1, 2, 1],
        num_labels=3,
        names=["cat", "dog", "cow"],
    ),
    "convnext-whole": lambda name: convnext(
        name,
        5,
        {"size": {"shortest_edge": 384}, "resample": 2, "do_normalize": False},
        hidden_sizes=[4, 8],
        depths=[1, 1],
        num_stages=2,
        patch_size=16,
        hidden_act="relu",
        num_labels=5,
    ),
    "convnext-plain": lambda name: convnext(
        name,
        6,
        {"size": 40, "crop_pct": 0.9},
        kind="ConvNextFeatureExtractor",
        hidden_sizes=[16, 10, 18],
        depths=[2, 1, 1],
        num_stages=3,
        layer_scale_init_value=0.0,
        num_labels=4,
    ),
    "resnet-bottleneck": lambda name: resnet(
        name,
        7,
        {"size": {"shortest_edge": 64}, "crop_pct": 0.875},
        hidden_sizes=[16, 24, 32, 40],
        depths=[1, 2, 1, 1],
        embedding_size=8,
        num_labels=3,
        names=["a", "b", "c, d"],
    ),
    "resnet-basic": lambda name: resnet(
        name,
        8,
        {"size": {"shortest_edge": 50}, "crop_size": {"height": 44, "width": 47}},
        kind="BitImageProcessor",
        hidden_sizes=[8, 12, 16],
        depths=[2, 1, 2],
        embedding_size=8,
        layer_type="basic",
        hidden_act="gelu",
        num_labels=6,
    ),
    "resnet-early": lambda name: resnet(
        name,
        9,
        {"size": {"shortest_edge": 57}, "crop_pct": 0.95},
        hidden_sizes=[12, 20],
        depths=[2, 2],
        embedding_size=10,
        downsample_in_bottleneck=True,
        downsample_in_first_stage=True,
        num_labels=3,
    ),
    "mobilenet-tf": lambda name: mobilenet(
        name,
        10,
        {"size": {"shortest_edge": 72}, "crop_size": {"height": 64, "width": 64}, "resample": 2},
        depth_multiplier=0.1,
        min_depth=4,
        depth_divisible_by=4,
        finegrained_output=False,
        num_labels=3,
        names=["background", "cup", "plate"],
    ),
    "mobilenet-plain": lambda name: mobilenet(
        name,
        11,
        {"size": {"shortest_edge": 61}, "crop_size": {"height": 57, "width": 49}},
        depth_multiplier=0.15,
        depth_divisible_by=2,
        min_depth=3,
        tf_padding=False,
        output_stride=16,
        first_layer_is_expansion=False,
        finegrained_output=False,
        expand_ratio=3.5,
        num_labels=4,
    ),
    "mobilenet-fine": lambda name: mobilenet(
        name,
        12,
        {"size": {"shortest_edge": 40}, "crop_size": {"height": 40, "width": 40}},
        depth_multiplier=0.05,
        min_depth=4,
        depth_divisible_by=4,
        output_stride=8,
        hidden_act="relu",
        layer_norm_eps=1e-5,
        num_labels=2,
    ),
    "efficientnet-tf0": lambda name: efficientnet(
        name,
        "tf_efficientnet_lite0",
        5,
        {**TIMM, "input_size": [3, 48, 48], "crop_pct": 0.875},
        ["tench", "crane", "crane", "mug", "frying pan"],
    ),
    "efficientnet-plain1": lambda name: efficientnet(
        name,
        "efficientnet_lite1",
        4,
        {**TIMM, "input_size": [3, 45, 45], "crop_pct": 0.882, "interpolation": "bilinear"},
    ),
    "efficientnet-tf2": lambda name: efficientnet(
        name,
        "tf_efficientnet_lite2",
        3,
        {
            "input_size": [3, 40, 36],
            "crop_pct": 0.89,
            "crop_mode": "squash",
            "interpolation": "bicubic",
        },
        {"0": "a", "1": "b", "2": "c"},
    ),
}


def shape_of(rng, n):
    """One checkpoint of random shape, of each family in turn."""
    name, seed, labels = f"random-{n}", rng.randrange(10**6), rng.randrange(2, 9)
    side = rng.randrange(33, 80)
    act = rng.choice(["relu", "gelu", "silu", "gelu_new", "relu6"])
    match n % 5:
        case 0:
            heads, patch = rng.randrange(1, 5), rng.randrange(5, 17)
            height, width = rng.randrange(patch, 60), rng.randrange(patch, 60)
            vit(
                name,
                seed,
                {"size": {"height": height, "width": width}, "resample": rng.choice([0, 1, 2, 3])},
                image_size=[height, width],
                patch_size=patch,
                hidden_size=heads * rng.randrange(3, 12),
                num_attention_heads=heads,
                num_hidden_layers=rng.randrange(1, 4),
                num_labels=labels,
                intermediate_size=rng.randrange(8, 60),
                hidden_act=act.replace("relu6", "relu"),
                qkv_bias=rng.random() < 0.5,
            )
        case 1:
            stages = rng.randrange(1, 4)
            convnext(
                name,
                seed,
                {
                    "size": {"shortest_edge": rng.choice([side, 384])},
                    "crop_pct": rng.uniform(0.5, 1.0),
                },
                hidden_sizes=[rng.randrange(4, 30) for _ in range(stages)],
                num_stages=stages,
                depths=[rng.randrange(1, 3) for _ in range(stages)],
                patch_size=rng.randrange(2, 8),
                hidden_act=act,
                num_labels=labels,
                layer_scale_init_value=rng.choice([0.0, 1e-6]),
            )
        case 2:
            stages = rng.randrange(1, 4)
            resnet(
                name,
                seed,
                {"size": {"shortest_edge": side}, "crop_pct": rng.uniform(0.5, 1.0)},
                hidden_sizes=[rng.randrange(4, 40) for _ in range(stages)],
                embedding_size=rng.randrange(3, 20),
                depths=[rng.randrange(1, 3) for _ in range(stages)],
                num_labels=labels,
                hidden_act=act,
                layer_type=rng.choice(["basic", "bottleneck"]),
                downsample_in_first_stage=rng.random() < 0.5,
                downsample_in_bottleneck=rng.random() < 0.5,
            )
        case 3:
            mobilenet(
                name,
                seed,
                {
                    "size": {"shortest_edge": side + 9},
                    "crop_size": {"height": side, "width": rng.randrange(33, 80)},
                },
                depth_multiplier=rng.uniform(0.05, 0.4),
                depth_divisible_by=rng.randrange(1, 9),
                min_depth=rng.randrange(1, 9),
                expand_ratio=rng.uniform(1.0, 6.0),
                num_labels=labels,
                output_stride=rng.choice([8, 16, 32]),
                tf_padding=rng.random() < 0.5,
                hidden_act=act,
                first_layer_is_expansion=rng.random() < 0.5,
                finegrained_output=rng.random() < 0.5,
            )
        case _:
            variant = rng.choice(["", "tf_"]) + f"efficientnet_lite{rng.randrange(5)}"
            height, width = side, rng.choice([side, rng.randrange(33, 80)])
            settings = {
                "input_size": [3, height, width],
                "crop_pct": rng.uniform(0.6, 1.0),
                "interpolation": rng.choice(["bicubic", "bilinear", "lanczos"]),
                "crop_mode": "center" if height == width else "squash",
            }
            efficientnet(name, variant, labels, settings, stored=True)


if sys.argv[2:3] == ["random"]:
    rng = random.Random(int(sys.argv[4]))
    for n in range(int(sys.argv[3])):
        shape_of(rng, n)
else:
    for name, make in FIXTURES.items():
        if not sys.argv[2:] or name in sys.argv[2:]:
            make(name)
