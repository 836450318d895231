"""Trains starter-clip."""

import math
import os
import random
import time

import numpy as np
import torch
from tokenizers import Tokenizer

import cards
import loop
import paths
from eye.losses import WEIGHTS, augment, check_kept, losses_of
from eye.model import EXPORT, build_model, carry_over, export
from eye.pictures import MEAN, PERSON, STD, WORK, load_cache
from eye.words import build_tokenizer

CURVE = paths.curve("clip")


def optimizers_of(model, spot):
    """Muon for the matrices of the vision blocks, AdamW for all other parameters."""
    parameters = list(model.parameters()) + list(spot.parameters())
    matrices = [p for p in model.vision_model.encoder.parameters() if p.ndim == 2]
    chosen = {id(p) for p in matrices}
    others = [p for p in parameters if id(p) not in chosen]
    optimizers = [
        torch.optim.Muon(
            matrices, lr=2e-3, weight_decay=0.03, momentum=0.95, adjust_lr_fn="match_rms_adamw"
        ),
        torch.optim.AdamW(
            [
                {"params": [p for p in others if p.ndim > 1], "weight_decay": 0.03},
                {"params": [p for p in others if p.ndim < 2], "weight_decay": 0},
            ],
            lr=1e-3,
            betas=(0.9, 0.98),
            fused=True,
        ),
    ]
    return optimizers, parameters


class Eye(loop.Training):
    """The eye's part of a training: batches of cached pictures with their texts."""

    name = "clip"

    def __init__(self, tokenizer, batch, start, folder):
        self.tokenizer, self.batch, self.start, self.folder = tokenizer, batch, start, folder
        self.mean, self.std = (torch.tensor(v).view(1, 3, 1, 1) * 255 for v in (MEAN, STD))
        self.data, self.kept, self.known, self.looked = None, None, 0, 0.0
        self.losses, self.averages, self.rate_now = {}, {}, 0.0
        self.log = loop.Every(30)

    def begin(self, state):
        """Seeds the random draws by the step, so that a resumed training draws other batches."""
        self.rng, self.generator = random.Random(state.step), np.random.default_rng(state.step)
        torch.manual_seed(state.step)

    def look(self):
        """Loads the current cache; waits for its first pictures."""
        while self.data is None or time.time() - self.looked > 30:
            self.looked, loaded = time.time(), load_cache(self.known)
            if loaded:
                self.data, self.kept, self.known = loaded
                print(f"{len(self.data['images'])} pictures", flush=True)
            if self.data is None:
                time.sleep(5)

    def rate(self, state, done):
        """High for half of the time, then falling evenly to almost nothing."""
        return min(1, (state.step + 1) / 300) * max(0.01, min(1, (1 - done) / 0.5))

    def pull(self, step):
        return 1 - min(0.996, step / (step + 19))

    def step(self, state, done):
        self.look()
        pick = self.generator.integers(0, len(self.data["images"]), self.batch)
        images = torch.from_numpy(self.data["images"][pick]).permute(0, 3, 1, 2).float()
        self.losses = losses_of(
            state.model,
            state.heads["spot"],
            self.tokenizer,
            self.data,
            pick,
            (augment(images, self.rng) - self.mean) / self.std,
            self.rng,
            state.step % 2 == 0,
        )
        sum(WEIGHTS[k] * v for k, v in self.losses.items()).backward()

    @torch.no_grad()
    def settle(self, state):
        state.model.logit_scale.clamp_(0, math.log(100))

    def report(self, state, rate):
        self.rate_now = rate
        loop.smooth(self.averages, {k: v.item() for k, v in self.losses.items()}, 0.98)
        if self.log.due():
            print(
                f"step {state.step} {state.spent / 60:.1f} min rate {rate:.2f} scale "
                f"{state.model.logit_scale.exp().item():.1f} "
                + " ".join(f"{k} {v:.3f}" for k, v in self.averages.items()),
                flush=True,
            )

    def export(self, state):
        figures = check_kept(state.average, self.tokenizer, self.kept, self.mean, self.std)
        losses = {"loss " + k: round(self.averages[k], 4) for k in WEIGHTS if k in self.averages}
        kept = {"kept " + k: round(float(v), 4) for k, v in figures.items()}
        minutes, rate = round(state.spent / 60, 2), round(self.rate_now, 3)
        state.curve(minutes=minutes, rate=rate, **losses, **kept)
        print("held out:", " ".join(f"{k} {v:.3f}" for k, v in figures.items()), flush=True)
        export(state.average, self.tokenizer, self.folder, f"step {state.step}")
        return (
            cards.origin(self.start),
            f"{state.step * self.batch:,} pictures",
            f"{state.spent / 60:.0f} min of computing",
            1,
            "Right on 512 held-out pictures: "
            + ", ".join(f"{k} {v:.1%}" for k, v in figures.items())
            + ".",
        )


def train(minutes, batch, start=None, out=EXPORT):
    """Trains until this much computing time is spent in total; resumes."""
    torch.set_num_threads(1)
    os.makedirs(WORK, exist_ok=True)
    saved, words = os.path.join(WORK, "last.pt"), os.path.join(WORK, "tokenizer.json")
    tokenizer = Tokenizer.from_file(words) if os.path.exists(saved) else build_tokenizer()
    tokenizer.save(words)
    model = build_model(tokenizer)
    spot = torch.nn.Linear(model.config.vision_config.hidden_size, 1 + PERSON)
    optimizers, parameters = optimizers_of(model, spot)
    state = loop.State(saved, CURVE, model, optimizers, parameters, spot=spot)
    if not state.resume(start) and start:
        carry_over(model, tokenizer, start)
        state.average.load_state_dict(model.state_dict())
    training, budget = Eye(tokenizer, batch, start, out), loop.Minutes(minutes)
    training.begin(state)
    if budget.done(state) < 1:
        loop.run(training, state, budget, loop.Alone())
    print("done", flush=True)
