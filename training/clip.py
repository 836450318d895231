"""Trains starter-clip from scratch on pictures of the starter world. Run from anywhere:

  python training/clip.py cache [--chunks 30]      renders training pictures into training/work/clip/cache
  python training/clip.py train [--minutes 25]     trains on what the cache holds, resumes, exports again and again
  python training/clip.py measure [--days 6]       renders days nobody has seen to MP4 and measures on their frames

The two towers see no captions: a picture is scored against ALL place texts, ALL activity texts and ALL object texts,
each list in randomly chosen wordings. Places and activities have one right text; the right answer for the objects is
spread evenly over the visible ones, so that at run time `softmax > 0.15` means "it is there".
While training, a second head on the patches must say which object each patch shows; it is thrown away afterwards.
"""

import argparse
import glob
import io
import json
import math
import os
import random
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)

import numpy as np  # noqa: E402
from PIL import Image  # noqa: E402

import scene  # noqa: E402
import vocab  # noqa: E402

WORK = os.path.join(HERE, "work", "clip")
EXPORT = os.path.join(HERE, "..", "agents", "starter", "clip")
SIZE, PATCH, CONTEXT = 64, 8, 24
MEAN, STD = [0.48145466, 0.4578275, 0.40821073], [0.26862954, 0.26130258, 0.27577711]
GROUPS = {"place": vocab.PLACE_NAMES, "activity": vocab.ACTIVITY_NAMES, "object": vocab.OBJECT_NAMES}
GENERAL = ["{}", "a photo of {}", "a picture of {}", "this is {}", "a video frame of {}", "a first-person photo of {}"]
TEMPLATES = {
    "place": GENERAL + ["a photo of a {}", "a photo of the {}", "in the {}", "I am in the {}", "a {}", "the {}", "a photo taken in the {}",
                        "a photo taken in a {}", "this is the {}", "at the {}", "a picture of a {}", "I am in a {}", "a first-person photo of a {}"],
    "activity": GENERAL + ["a photo of someone {}", "I am {}", "someone is {}", "a photo of me {}", "a person {}", "someone {}",
                           "a photo of a person {}", "a photo of hands {}", "a first-person photo of someone {}", "a video of someone {}"],
    "object": GENERAL + ["a photo of a {}", "a photo of the {}", "a {}", "the {}", "there is a {}", "a photo of some {}", "I see a {}",
                         "I see the {}", "a picture of a {}", "a {} on the table", "a first-person photo of a {}", "a photo with a {}"],
}

# ---------------------------------------------------------------- pictures


def preprocess(image):
    """What preprocessor_config.json declares, up to rescaling: shortest edge to 64 (bicubic), central 64x64."""
    w, h = image.size
    short = min(w, h)
    nw, nh = (SIZE, int(SIZE * h / w)) if w <= h else (int(SIZE * w / h), SIZE)
    if short != SIZE or (w, h) != (nw, nh):
        image = image.resize((nw, nh), Image.BICUBIC)
    x, y = (nw - SIZE) // 2, (nh - SIZE) // 2
    return np.asarray(image.crop((x, y, x + SIZE, y + SIZE)).convert("RGB"))


def degrade(image, rng):
    """About what H.264 does to a frame."""
    out = io.BytesIO()
    image.save(out, "JPEG", quality=rng.randint(30, 80))
    return Image.open(out).convert("RGB")


def patch_labels(state, t):
    """For each of the 8x8 patches the number of the object it shows, 0 for none."""
    grid = np.zeros((SIZE // PATCH, SIZE // PATCH), np.int64)
    k = SIZE / scene.H
    for name, x, y, size in scene.object_centres(state, t):
        cx, cy, r = (x - (scene.W - scene.H) / 2) * k, y * k, size * k * .42
        for j in range(grid.shape[0]):
            for i in range(grid.shape[1]):
                if abs((i + .5) * PATCH - cx) < r and abs((j + .5) * PATCH - cy) < r:
                    grid[j, i] = 1 + vocab.OBJECT_NAMES.index(name)
    return grid.reshape(-1)


def cache(chunks, size=2000):
    folder = os.path.join(WORK, "cache")
    os.makedirs(folder, exist_ok=True)
    for n in range(chunks):
        path = os.path.join(folder, f"chunk_{n:03}.npz")
        if os.path.exists(path):
            continue
        rng, began = random.Random(f"clip cache {n}"), time.time()
        images, places, activities, objects, patches = [], [], [], [], []
        while len(images) < size:
            first = scene.random_state(rng)
            for _ in range(8):
                other = scene.random_state(rng)
                state = scene.State(first.place, rng.choice(vocab.activities_of(first.place)), other.objects, other.seed,
                                    first.visit, first.person)
                for _ in range(2):
                    t = rng.uniform(0, 10)
                    images.append(preprocess(degrade(scene.draw_frame(state, t), rng)))
                    places.append(vocab.PLACE_NAMES.index(state.place))
                    activities.append(vocab.ACTIVITY_NAMES.index(state.activity))
                    objects.append([name in state.objects for name in vocab.OBJECT_NAMES])
                    patches.append(patch_labels(state, t))
        with open(path + ".tmp", "wb") as out:
            np.savez(out, images=np.stack(images), place=np.array(places), activity=np.array(activities),
                     objects=np.array(objects), patches=np.stack(patches).astype(np.uint8))
        os.replace(path + ".tmp", path)
        print(f"chunk {n}: {len(images)} pictures, {time.time() - began:.0f} s", flush=True)


# ---------------------------------------------------------------- words


def build_tokenizer():
    """Byte-level BPE whose merges know the vocabulary's words; any other word falls apart into bytes, never fails."""
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
    texts = [t.format(label) for g, labels in GROUPS.items() for label in labels for t in TEMPLATES[g]]
    rng = random.Random("clip tokenizer")
    texts += [vocab.sample_sentence(rng) for _ in range(3000)]
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Lowercase()])
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator(texts, trainers.BpeTrainer(
        vocab_size=900, min_frequency=2, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False))
    tokenizer.add_special_tokens(["<|startoftext|>", "<|endoftext|>"])
    bos, eos = tokenizer.token_to_id("<|startoftext|>"), tokenizer.token_to_id("<|endoftext|>")
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<|startoftext|> $A <|endoftext|>", special_tokens=[("<|startoftext|>", bos), ("<|endoftext|>", eos)])
    tokenizer.enable_truncation(CONTEXT)
    return tokenizer


def encode(tokenizer, texts, eos):
    import torch
    rows = [e.ids for e in tokenizer.encode_batch(texts)]
    longest = max(map(len, rows))
    return torch.tensor([r + [eos] * (longest - len(r)) for r in rows])


# ---------------------------------------------------------------- the model


def build_model(tokenizer):
    import torch
    from transformers import CLIPConfig, CLIPModel
    bos, eos = tokenizer.token_to_id("<|startoftext|>"), tokenizer.token_to_id("<|endoftext|>")
    config = CLIPConfig(
        projection_dim=128, logit_scale_init_value=math.log(14),
        text_config=dict(vocab_size=tokenizer.get_vocab_size(), hidden_size=128, intermediate_size=256, num_hidden_layers=2,
                         num_attention_heads=4, max_position_embeddings=CONTEXT, projection_dim=128, hidden_act="quick_gelu",
                         bos_token_id=bos, eos_token_id=eos, pad_token_id=eos),
        vision_config=dict(hidden_size=160, intermediate_size=480, num_hidden_layers=4, num_attention_heads=5, image_size=SIZE,
                           patch_size=PATCH, projection_dim=128, hidden_act="quick_gelu"))
    torch.manual_seed(11)
    model = CLIPModel(config)
    model.set_attn_implementation("eager")
    return model


def export(model, tokenizer, note):
    import copy

    import torch
    os.makedirs(EXPORT, exist_ok=True)
    half = copy.deepcopy(model).to(torch.float16)
    half.save_pretrained(EXPORT)
    tokenizer.save(os.path.join(EXPORT, "tokenizer.json"))

    def write(name, value):
        with open(os.path.join(EXPORT, name), "w", encoding="utf-8") as out:
            json.dump(value, out, indent=2)
            out.write("\n")
    write("tokenizer_config.json", {
        "tokenizer_class": "PreTrainedTokenizerFast", "bos_token": "<|startoftext|>", "eos_token": "<|endoftext|>",
        "pad_token": "<|endoftext|>", "unk_token": "<|endoftext|>", "model_max_length": CONTEXT, "clean_up_tokenization_spaces": False})
    write("preprocessor_config.json", {
        "image_processor_type": "CLIPImageProcessor", "do_resize": True, "size": {"shortest_edge": SIZE}, "resample": 3,
        "do_center_crop": True, "crop_size": {"height": SIZE, "width": SIZE}, "do_rescale": True, "rescale_factor": 1 / 255,
        "do_normalize": True, "image_mean": MEAN, "image_std": STD, "do_convert_rgb": True})
    print("exported", note, flush=True)


def pooled(output):
    return output if hasattr(output, "norm") else output.pooler_output


def half_precision(module):
    """Runs the module in bfloat16 on its float32 weights: on this CPU almost twice as fast, with eager attention."""
    import torch
    weights = {k: v.bfloat16() for k, v in module.named_parameters()}

    def run(**inputs):
        return torch.func.functional_call(module, weights, kwargs=inputs)
    return run


def text_vectors(model, tokenizer, templates=None):
    """Unit vectors of every label, places, activities, objects in one matrix; {group: slice}."""
    import torch
    texts, where = [], {}
    for group, labels in GROUPS.items():
        template = (templates or {}).get(group)
        where[group] = slice(len(texts), len(texts) + len(labels))
        texts += [template.format(label) for label in labels]
    ids = encode(tokenizer, texts, model.config.text_config.eos_token_id)
    out = model.text_projection(half_precision(model.text_model)(input_ids=ids).pooler_output.float())
    return torch.nn.functional.normalize(out, dim=-1), where


def train(minutes, batch):
    import torch
    from torch.nn import functional as F
    torch.set_num_threads(1)
    os.makedirs(WORK, exist_ok=True)
    tokenizer = build_tokenizer()
    model = build_model(tokenizer)
    spot = torch.nn.Linear(model.config.vision_config.hidden_size, 1 + len(vocab.OBJECT_NAMES))
    parameters = list(model.parameters()) + list(spot.parameters())
    # Muon for the matrices of the vision blocks, AdamW for everything else
    matrices = [p for p in model.vision_model.encoder.parameters() if p.ndim == 2]
    chosen = {id(p) for p in matrices}
    others = [p for p in parameters if id(p) not in chosen]
    optimizers = [
        torch.optim.Muon(matrices, lr=2e-3, weight_decay=.03, momentum=.95, adjust_lr_fn="match_rms_adamw"),
        torch.optim.AdamW([{"params": [p for p in others if p.ndim > 1], "weight_decay": .03},
                           {"params": [p for p in others if p.ndim < 2], "weight_decay": 0}], lr=1e-3, betas=(.9, .98), fused=True)]
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["peak"] = group["lr"]
    step, spent, averages = 0, 0.0, {}
    ema = {k: v.detach().clone() for k, v in model.state_dict().items()}
    saved = os.path.join(WORK, "last.pt")
    if os.path.exists(saved):
        state = torch.load(saved)
        model.load_state_dict(state["model"]), spot.load_state_dict(state["spot"])
        for optimizer, saved_state in zip(optimizers, state.get("optimizers", [])):
            optimizer.load_state_dict(saved_state)
        step, spent, ema = state["step"], state["spent"], state["ema"]
        print(f"resumed at step {step}, {spent / 60:.1f} min", flush=True)
    mean, std = (torch.tensor(v).view(1, 3, 1, 1) * 255 for v in (MEAN, STD))
    rng, generator = random.Random(step), np.random.default_rng(step)
    chunks, data = {}, None
    budget, last_log, last_save, last_look = minutes * 60, time.time(), time.time(), 0.0
    clock = time.process_time()
    class_weight = torch.ones(1 + len(vocab.OBJECT_NAMES))
    class_weight[0] = .2
    model.train()
    while spent < budget:
        if time.time() - last_look > 30:
            last_look = time.time()
            found = sorted(glob.glob(os.path.join(WORK, "cache", "chunk_*.npz")))
            if len(found) > len(chunks):
                for path in found:
                    if path not in chunks:
                        with np.load(path) as z:
                            chunks[path] = {k: z[k] for k in z.files}
                data = {k: np.concatenate([c[k] for c in chunks.values()]) for k in next(iter(chunks.values()))}
                print(f"{len(data['images'])} pictures", flush=True)
        if data is None:
            time.sleep(5)
            continue
        pick = generator.integers(0, len(data["images"]), batch)
        images = torch.from_numpy(data["images"][pick]).permute(0, 3, 1, 2).float()
        # small shifts, brightness, contrast, tint, noise
        dx, dy = rng.randint(-3, 3), rng.randint(-3, 3)
        patches = torch.from_numpy(data["patches"][pick].astype(np.int64))
        if dx or dy:
            images = F.pad(images, (3, 3, 3, 3), mode="replicate")[:, :, 3 + dy:67 + dy, 3 + dx:67 + dx]
        images = images * (1 + .22 * (torch.rand(batch, 1, 1, 1) - .5)) * (1 + .10 * (torch.rand(batch, 3, 1, 1) - .5))
        images = images + 24 * (torch.rand(batch, 1, 1, 1) - .5) + rng.uniform(0, 7) * torch.randn_like(images)
        images = (images.clamp(0, 255) - mean) / std

        seen = half_precision(model.vision_model)(pixel_values=images.bfloat16(), output_hidden_states=True)
        vectors = F.normalize(model.visual_projection(seen.pooler_output.float()), dim=-1)
        words, where = text_vectors(model, tokenizer, {g: rng.choice(TEMPLATES[g]) for g in GROUPS})
        logits = model.logit_scale.exp() * vectors @ words.T
        place, act = torch.from_numpy(data["place"][pick]), torch.from_numpy(data["activity"][pick])
        there = torch.from_numpy(data["objects"][pick]).float()
        there[there.sum(1) == 0] = 1
        target = there / there.sum(1, keepdim=True)
        loss_place = F.cross_entropy(logits[:, where["place"]], place)
        loss_act = F.cross_entropy(logits[:, where["activity"]], act)
        loss_obj = F.cross_entropy(logits[:, where["object"]], target) - (-(target * target.clamp_min(1e-9).log()).sum(1)).mean()
        loss_spot = F.cross_entropy(spot(seen.hidden_states[-2][:, 1:].float()).flatten(0, 1), patches.flatten(), class_weight)
        loss = loss_place + loss_act + 1.5 * loss_obj + loss_spot

        rate = min(1, (step + 1) / 300) * max(.02, .5 + .5 * math.cos(math.pi * min(1, spent / budget)))
        for optimizer in optimizers:
            optimizer.zero_grad(set_to_none=True)
            for group in optimizer.param_groups:
                group["lr"] = group["peak"] * rate
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        for optimizer in optimizers:
            optimizer.step()
        with torch.no_grad():
            model.logit_scale.clamp_(0, math.log(100))
            keep = min(.996, (step + 1) / (step + 20))
            for k, v in model.state_dict().items():
                if v.dtype.is_floating_point:
                    ema[k].lerp_(v, 1 - keep)
                else:
                    ema[k].copy_(v)
        step += 1
        now, used = time.time(), time.process_time()
        spent, clock = spent + used - clock, used  # computing time, so that a busy machine does not cut the schedule short
        figures = {"place": loss_place, "act": loss_act, "obj": loss_obj, "spot": loss_spot,
                   "place@1": (logits[:, where["place"]].argmax(1) == place).float().mean(),
                   "act@1": (logits[:, where["activity"]].argmax(1) == act).float().mean()}
        for k, v in figures.items():
            averages[k] = v.item() if k not in averages else .98 * averages[k] + .02 * v.item()
        if now - last_log > 20:
            last_log = now
            print(f"step {step} {spent / 60:.1f} min rate {rate:.2f} scale {model.logit_scale.exp().item():.1f} "
                  + " ".join(f"{k} {v:.3f}" for k, v in averages.items()), flush=True)
        if now - last_save > 240 or spent >= budget:
            last_save = now
            torch.save({"model": model.state_dict(), "spot": spot.state_dict(), "optimizers": [o.state_dict() for o in optimizers],
                        "step": step, "spent": spent, "ema": ema}, saved + ".tmp")
            os.replace(saved + ".tmp", saved)
            raw = {k: v.clone() for k, v in model.state_dict().items()}
            model.load_state_dict(ema)
            export(model, tokenizer, f"step {step}")
            model.load_state_dict(raw)
    print("done", flush=True)


# ---------------------------------------------------------------- measuring


def measure(count, seed=900000, folder=None):
    """Days nobody has seen, as MP4, one frame a second, through the exported checkpoint and transformers alone."""
    import subprocess

    import torch
    import transformers
    import world
    torch.set_num_threads(1)
    folder = folder or EXPORT
    model = transformers.CLIPModel.from_pretrained(folder).float().eval()
    processor = transformers.CLIPImageProcessor.from_pretrained(folder)
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    wording = {"place": "a photo of a {}", "activity": "a photo of someone {}", "object": "a photo of a {}"}
    with torch.no_grad():
        words = {}
        for group, labels in GROUPS.items():
            batch = tokenizer([wording[group].format(label) for label in labels], padding=True, return_tensors="pt")
            words[group] = torch.nn.functional.normalize(
                pooled(model.get_text_features(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"])), dim=-1)
    tally, confused, missed, invented = {}, {}, {}, {}

    def count_one(key, right, total=1):
        a = tally.setdefault(key, [0, 0])
        a[0], a[1] = a[0] + right, a[1] + total
    for n in range(count):
        path = os.path.join(WORK, "days", f"{seed + n}")
        video = os.path.join(path, "day.mp4")
        if not os.path.exists(video):
            world.write_day(seed + n, path)
        with open(os.path.join(path, "log.jsonl"), encoding="utf-8") as lines:
            log = [json.loads(line) for line in lines]
        raw = subprocess.run(["ffmpeg", "-v", "error", "-i", video, "-vf", "fps=2", "-f", "rawvideo", "-pix_fmt", "rgb24", "-"],
                             capture_output=True, check=True).stdout
        pictures = np.frombuffer(raw, np.uint8).reshape(-1, scene.H, scene.W, 3)
        pictures = [Image.fromarray(p) for p in pictures[1::2]]  # near the middle of each second
        with torch.no_grad():
            pixels = processor(pictures, return_tensors="pt")["pixel_values"]
            vectors = torch.nn.functional.normalize(pooled(model.get_image_features(pixel_values=pixels)), dim=-1)
            logits = {g: model.logit_scale.exp() * vectors @ w.T for g, w in words.items()}
        for segment in log:
            allowed = [vocab.ACTIVITY_NAMES.index(a) for a in vocab.activities_of(segment["place"])]
            rows = list(range(segment["start"], min(segment["end"], len(pictures))))
            for unit, group in [("frame", [r]) for r in rows] + [("segment", rows)]:
                mean = {g: x[group].softmax(-1).mean(0) for g, x in logits.items()}
                place = vocab.PLACE_NAMES[mean["place"].argmax()]
                act = vocab.ACTIVITY_NAMES[mean["activity"].argmax()]
                among = vocab.ACTIVITY_NAMES[allowed[mean["activity"][allowed].argmax()]]
                count_one(unit + " place", place == segment["place"])
                count_one(unit + " activity, all", act == segment["activity"])
                count_one(unit + " activity, place's", among == segment["activity"])
                found = {vocab.OBJECT_NAMES[i] for i in (mean["object"] > .15).nonzero().flatten().tolist()}
                there = set(segment["seen"])
                count_one(unit + " object precision", len(found & there), len(found))
                count_one(unit + " object recall", len(found & there), len(there))
                if unit == "segment":
                    for a, b, book in ((segment["place"], place, confused), (segment["activity"], act, confused)):
                        if a != b:
                            book[(a, b)] = book.get((a, b), 0) + 1
                    for name in there - found:
                        missed[name] = missed.get(name, 0) + 1
                    for name in found - there:
                        invented[name] = invented.get(name, 0) + 1
    for key, (right, total) in tally.items():
        print(f"{key:28} {100 * right / max(1, total):5.1f} %  ({right}/{total})")
    print("confused:", sorted(confused.items(), key=lambda x: -x[1])[:12])
    print("missed:", sorted(missed.items(), key=lambda x: -x[1])[:12])
    print("invented:", sorted(invented.items(), key=lambda x: -x[1])[:12])
    print(f"logit scale {model.logit_scale.exp().item():.1f}, {count} days from seed {seed}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("do", choices=["cache", "train", "measure"])
    parser.add_argument("--chunks", type=int, default=30)
    parser.add_argument("--minutes", type=float, default=25, help="computing time of the training")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--days", type=int, default=6)
    args = parser.parse_args()
    if args.do == "cache":
        cache(args.chunks)
    elif args.do == "train":
        train(args.minutes, args.batch)
    else:
        measure(args.days)
