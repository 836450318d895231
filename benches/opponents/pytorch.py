"""PyTorch with transformers and torchvision: pictures, texts, a look, prepared pictures, and the limits of the machine."""

import json
import os
from pathlib import Path

import numpy as np
import torch
from serve import Refused, Sentences, picture, serve

DTYPES = {"f32": torch.float32, "bf16": torch.bfloat16, "f16": torch.float16}


class Model:
    """A model of transformers on a device, perhaps compiled."""

    def __init__(self, asked, kind):
        self.device = torch.device(asked.get("device", "cpu"))
        self.dtype = DTYPES[asked.get("dtype", "f32")]
        self.model = kind.from_pretrained(asked["path"], dtype=self.dtype).eval().to(self.device)
        self.compiled = bool(asked.get("compile"))

    def function(self, function):
        """`function`, compiled if that was asked for. Batches and lengths differ, so the shapes are dynamic."""
        return torch.compile(function, dynamic=None) if self.compiled else function


class Pictures(Model):
    """Vectors of pictures, from decoded pixels."""

    def __init__(self, asked):
        from transformers import AutoModel

        super().__init__(asked, AutoModel)
        settings = json.loads((Path(asked["path"]) / "preprocessor_config.json").read_text())
        self.side = asked["side"]
        self.mean, self.std = (
            torch.tensor(settings[key], device=self.device).view(1, 3, 1, 1)
            for key in ("image_mean", "image_std")
        )
        self.pool = [picture(self.side, self.side, 7 * n) for n in range(32)]
        self.shown = 0
        self.features = self.function(
            lambda pixels: self.model.get_image_features(pixel_values=pixels).pooler_output
        )

    def embed(self, pictures):
        """Unit vectors. The pixels are normalised as the image processor does it."""
        pixels = torch.from_numpy(np.stack(pictures)).to(self.device).permute(0, 3, 1, 2)
        pixels = (pixels.float() / 255 - self.mean) / self.std
        found = self.features(pixels.to(self.dtype)).float()
        return (found / found.norm(dim=-1, keepdim=True)).cpu().numpy()

    def once(self, asked):
        shown = []
        for _ in range(asked["batch"]):
            self.shown += 1
            shown.append(self.pool[self.shown % len(self.pool)])
        self.embed(shown)
        return asked["batch"]

    def check(self, _):
        return self.embed([picture(self.side, self.side, 1000 * n) for n in (1, 2, 3)]).tolist()


class Texts(Sentences, Model):
    """Unit vectors of texts: the mean of the last states."""

    def __init__(self, asked):
        from transformers import AutoModel

        super().__init__(asked, AutoModel)
        self.open_texts(asked)
        self.states = self.function(
            lambda ids, mask: self.model(input_ids=ids, attention_mask=mask).last_hidden_state
        )

    def embed(self, texts):
        read = self.tokenizer.encode_batch(texts)
        ids = torch.tensor([one.ids for one in read], device=self.device)
        mask = torch.tensor([one.attention_mask for one in read], device=self.device)
        states, kept = self.states(ids, mask).float(), mask.unsqueeze(-1)
        found = (states * kept).sum(1) / kept.sum(1)
        return (found / found.norm(dim=-1, keepdim=True)).cpu().numpy()


class Looking(Model):
    """Greedy replies about one picture."""

    def __init__(self, asked):
        from transformers import AutoModelForImageTextToText, AutoProcessor

        super().__init__(asked, AutoModelForImageTextToText)
        self.processor = AutoProcessor.from_pretrained(asked["path"])
        self.side, self.shown = asked["side"], 0

    def look(self, number, reply):
        from PIL import Image

        shown = Image.fromarray(picture(self.side, self.side, number))
        said = [{"type": "image"}, {"type": "text", "text": "What is here?"}]
        chat = self.processor.apply_chat_template(
            [{"role": "user", "content": said}], tokenize=False, add_generation_prompt=True
        )
        given = self.processor(text=[chat], images=[shown], return_tensors="pt").to(self.device)
        given["pixel_values"] = given["pixel_values"].to(self.dtype)
        self.model.model.rope_deltas = None
        more = {"do_sample": False, "eos_token_id": None, "pad_token_id": 0}
        found = self.model.generate(**given, max_new_tokens=reply, min_new_tokens=reply, **more)
        return found[0, given["input_ids"].shape[1] :].tolist()

    def once(self, asked):
        self.shown += 1
        self.look(self.shown, asked["reply"])
        return 1

    def check(self, _):
        return self.look(1_000_000, 8)


class Prepare:
    """Pictures of 1280 × 720 pixels, resized (bicubic, antialiased), cropped and normalised by torchvision."""

    def __init__(self, asked):
        from torchvision.transforms import InterpolationMode, v2

        settings = json.loads((Path(asked["path"]) / "preprocessor_config.json").read_text())
        self.transform = v2.Compose(
            [
                v2.Resize(asked["side"], InterpolationMode.BICUBIC, antialias=True),
                v2.CenterCrop(asked["side"]),
                v2.ToDtype(torch.float32, scale=True),
                v2.Normalize(settings["image_mean"], settings["image_std"]),
            ]
        )
        self.frames = [torch.from_numpy(picture(1280, 720, 7 * n)) for n in range(8)]

    def apply(self, frame):
        return self.transform(frame.permute(2, 0, 1)).contiguous()

    def once(self, _):
        for frame in self.frames:
            self.apply(frame)
        return len(self.frames)

    def check(self, _):
        return [self.apply(self.frames[1]).flatten()[::101].tolist()]


class Product:
    """A large product of matrices: floating-point operations."""

    def __init__(self, asked):
        device = asked.get("device", "cpu")
        self.side = 2048 if device == "cpu" else 8192
        kind = DTYPES[asked.get("dtype", "f32")]
        self.a = torch.rand(self.side, self.side, device=device, dtype=kind)

    def once(self, _):
        float((self.a @ self.a)[0, 0])
        return 2 * self.side**3

    def check(self, _):
        return []


class Reading:
    """A sum over half a gigabyte: bytes that the memory gives."""

    def __init__(self, asked):
        self.values = torch.rand(1 << 27, device=asked.get("device", "cpu"))

    def once(self, _):
        float(self.values.sum())
        return 4 << 27

    def check(self, _):
        return []


WORKS = {
    "pictures": Pictures,
    "texts": Texts,
    "look": Looking,
    "prepare": Prepare,
    "product": Product,
    "reading": Reading,
}


def load(asked):
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    torch.set_grad_enabled(False)
    if asked.get("device", "cpu") != "cpu" and not torch.cuda.is_available():
        raise Refused("PyTorch finds no CUDA device")
    work = WORKS[asked["work"]](asked)
    work.about = f"PyTorch {torch.__version__}"
    return work


if __name__ == "__main__":
    serve(load)
