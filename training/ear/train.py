"""Trains starter-whisper."""

import os

import numpy as np
import torch
import torch.nn.functional as F

import cards
import loop
import paths
from ear.model import build_model, carry_over, encode, export, groups
from ear.pointing import Pointing
from ear.shape import UTTERANCES, WORK
from ear.speech import load_pool
from ear.windows import Windows
from ear.words import Ids, load_tokenizer

CURVE = paths.curve("whisper")
EXPORT = os.path.join(WORK, "export")


def rate_at(progress, step, warm=150, decay_from=0.45):
    """Warms up, holds, then falls in a straight line to a fiftieth."""
    scale = min(1.0, (step + 1) / warm)
    if progress > decay_from:
        scale *= max(0.02, 1 - (progress - decay_from) / (1 - decay_from))
    return scale


class Ear(loop.Training):
    """The ear's part of a training: windows of sound, heads that learn phonemes and words, and
    attention that learns where to look."""

    name, folder, save_every = "whisper", EXPORT, 240

    def __init__(self, tokenizer, pool, size, start):
        self.tokenizer, self.size, self.start, self.ids = tokenizer, size, start, Ids(tokenizer)
        self.windows = Windows(0, *pool, tokenizer)
        self.fixed = Windows(99, *pool, tokenizer).batch(48, augment=False)
        self.figures, self.sums, self.count, self.spent = [], np.zeros(6), 0, 0.0

    def heads(self):
        """The heads that read phonemes and words from each position during training."""
        sizes = (len(self.windows.phonemes), len(self.windows.words))
        return torch.nn.ModuleList([torch.nn.Linear(128, size + 1) for size in sizes])

    def begin(self, state):
        """Teaches the model's attention. Draws new windows from the current step on."""
        self.pointing, self.spent = Pointing(state.model), state.spent
        self.windows.rng.seed(state.step)

    def rate(self, state, done):
        return rate_at(done, state.step, *((60, 0.25) if self.start else ()))

    def pull(self, step):
        return 1 - min(0.99, (step + 1) / (step + 20))

    def step(self, state, done):
        start, model, heads = self.start, state.model, state.heads["heads"]
        help_weight = max(0.1, (0.5 if start else 1) - done * (0.8 if start else 1.8))
        short = not start and done < 0.4 and self.windows.rng.random() < 0.8
        mel, inputs, labels, phones, spoken, spans, firsts = self.windows.batch(
            self.size, short=short
        )
        with torch.autocast("cpu", dtype=torch.bfloat16):
            first, heard = encode(model.model.encoder, mel, firsts)
            out = model.model.decoder(
                input_ids=inputs, encoder_hidden_states=heard
            ).last_hidden_state
            mask = labels != -100
            logits = model.proj_out(out[mask])
            pointed = self.pointing.loss(heard, spans)
        first, heard = first.float(), heard.float()
        if start and state.step < 60:  # The heads are new: they learn before they teach.
            first, heard = first.detach(), heard.detach()
        loss = F.cross_entropy(logits.float(), labels[mask])
        phone = F.cross_entropy(heads[0](first).flatten(0, 1), phones.flatten())
        word = F.cross_entropy(heads[1](heard).flatten(0, 1), spoken.flatten())
        (loss + help_weight * (0.5 * phone + word + 0.3 * pointed)).backward()
        text = labels[mask] < self.ids.eot
        right = (logits.argmax(-1) == labels[mask])[text].float().mean()
        self.figures = [figure.item() for figure in (loss, phone, word, right, pointed)]

    def report(self, state, rate):
        self.sums += [*self.figures, state.spent - self.spent]
        self.count, self.spent = self.count + 1, state.spent
        if state.step % 25:
            return
        a = self.sums / self.count
        print(
            f"step {state.step} {state.spent / 60:.1f} min loss {a[0]:.3f} phone {a[1]:.3f} word "
            f"{a[2]:.3f} right {a[3]:.3f} point {a[4]:.3f} rate {rate:.2f} {a[5]:.2f} s/step",
            flush=True,
        )
        figures = zip(("loss", "phone", "word", "right", "point"), a[:5])
        state.curve(
            minutes=round(state.spent / 60, 2),
            **{name: f"{figure:.4f}" for name, figure in figures},
            rate=f"{rate:.3f}",
        )
        self.sums, self.count = np.zeros(6), 0

    @torch.no_grad()
    def export(self, state):
        shadow, (mel, inputs, labels, *_) = state.average.eval(), self.fixed
        export(shadow, self.tokenizer, self.folder)
        out = shadow(mel, decoder_input_ids=inputs).logits
        mask = labels != -100
        loss = F.cross_entropy(out[mask], labels[mask]).item()
        words = mask & (labels < self.ids.eot)
        right = (out.argmax(-1) == labels)[words].float().mean().item()
        print(
            f"== saved at step {state.step}: averaged weights, fixed loss {loss:.3f}, words right "
            f"(forced) {right:.3f}",
            flush=True,
        )
        return (
            cards.origin(self.start),
            f"{state.step * self.size:,} windows of 6 s",
            f"{state.spent / 60:.0f} min of computing",
            1,
            f"Of the words of 48 windows, the ones before given, {right:.1%} are right; loss "
            f"{loss:.3f}.",
        )


def train(minutes, size, muon_rate, adam_rate, start=None, utterances=UTTERANCES):
    """Trains until this much computing time is spent in total; resumes."""
    os.makedirs(WORK, exist_ok=True)
    tokenizer = load_tokenizer()
    pool = load_pool(utterances)
    model = build_model(Ids(tokenizer))
    training = Ear(tokenizer, pool, size, start)
    heads = training.heads()
    matrices, rest = groups(model, heads)
    optimizers = [
        torch.optim.Muon(
            matrices,
            lr=muon_rate,
            weight_decay=0.05,
            momentum=0.95,
            adjust_lr_fn="match_rms_adamw",
        ),
        torch.optim.AdamW(rest, lr=adam_rate, betas=(0.9, 0.98), weight_decay=0.01),
    ]
    path = os.path.join(WORK, "checkpoint.pt")
    state = loop.State(path, CURVE, model, optimizers, rest, heads=heads)
    if not state.resume(start) and start:
        carry_over(model, tokenizer, start)
        state.average.load_state_dict(model.state_dict())
    training.begin(state)
    print(
        f"{sum(p.numel() for p in model.parameters())} parameters, {len(pool[1])} utterances, "
        f"{training.ids.size} tokens, {len(training.windows.words)} words",
        flush=True,
    )
    loop.run(training, state, loop.Minutes(minutes), loop.Alone())
