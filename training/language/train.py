"""Trains starter-lm."""

import collections
import ctypes
import json
import os
import random
import sys

import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from tokenizers import Tokenizer

import cards
import loop
import paths
from language import lexicon, logs, model, queries, tasks, tokenizing
from language.exam import quick_exam
from language.growing import grow
from language.model import Packed, Shape, StarterLm
from language.muon import Muon
from language.team import Team
from language.tokenizing import WORK, writer

CURVE = paths.curve("lm")
TASKS = {
    "video-qa": 50,
    "activities": 1,
    "caption": 5,
    "story": 5,
    "entities": 5,
    "sounds": 1,
    "summary": 7,
    "forecast": 5,
    "search": 2,
    "route": 2,
    "understand": 9,
    "claim": 8,
}  # lessons of a hundred
# ... after earlier weights, which know neither of the last two
CONTINUED = {
    "video-qa": 36,
    "activities": 3,
    "caption": 4,
    "story": 3,
    "entities": 2.5,
    "sounds": 3,
    "summary": 4,
    "forecast": 2.5,
    "search": 1.25,
    "route": 1.25,
    "understand": 22,
    "claim": 17.5,
}
PROMPTS_IN_LESSON = {
    "caption": 16,
    "story": 5,
    "entities": 14,
    "sounds": 16,
    "summary": 2,
    "forecast": 2,
    "search": 24,
    "route": 24,
    "understand": 14,
    "claim": 24,
}


def keep_memory():
    """Keeps freed memory. Otherwise the kernel maps, zeroes and unmaps every large tensor again."""
    for option, value in ((-3, 1 << 30), (-1, 1 << 30)):
        ctypes.CDLL("libc.so.6").mallopt(option, value)


def learn(model, probes, packed, coach, count=0.3):
    """The loss of one lesson, and the share of replies with the right first token. `count` weighs
    the probes: all log tokens must name their line, heard words the place of their line."""
    logits, early, middle, looking = model(packed)
    each = F.cross_entropy(logits, packed.target, reduction="none")
    weight = 1 + 2 * packed.decide  # the first token names the line, the rest is copied
    answer = (each * weight).sum() / weight.sum()
    loss = answer
    if coach > 0 and len(packed.look_rows):
        # two heads: enough for a word
        mass = (looking[:2, packed.look_rows].float() * packed.look_mask).sum(-1)
        missed = -(mass + 1e-5).log().mean(0)
        cites = packed.look_cites
        look = missed[cites].sum() / max(1, cites.sum()) + 0.5 * missed[~cites].sum() / max(
            1, len(missed)
        )
        inside, number, place = packed.line_of > 0, torch.zeros(()), torch.zeros(())
        if count > 0 and inside.any():
            number = F.cross_entropy(
                probes[0](early[: packed.prefix][inside]), packed.line_of[inside].clamp(max=63)
            )
        if count > 0 and len(packed.told):
            place = F.cross_entropy(
                probes[1](middle[packed.told]) @ model.model["embed_tokens"].weight.detach().T,
                packed.told_in,
            )
        loss = loss + coach * (0.5 * look + count * (number + place))
    else:
        look = number = place = torch.zeros(())
    best = logits.argmax(-1) == packed.target
    return loss, {
        "answer": answer.item(),
        "look": look.item(),
        "number": number.item(),
        "place": place.item(),
        "first": best[packed.decide].float().mean().item(),
    }


class Language(loop.Training):
    """The language model's part of a training: lessons, and their growing difficulty."""

    name = "lm"

    def __init__(self, args, write):
        self.args, self.write, self.folder = args, write, args.export
        self.tokens, self.mean, self.read = 0, {"first": 0.0}, collections.Counter()
        # lines of the longest logs; every process of the team uses the first one's number
        self.common = [5.0]
        self.share, self.reach = None, 0

    def take_up(self, saved):
        """Restores the saved state."""
        self.tokens, self.common = saved["tokens"], [saved["lines"]]
        self.mean = saved.get("mean") or self.mean
        self.read.update(saved["read"])

    def begin(self, state, team):
        """Draws lessons of its own for each process, and others after each interruption."""
        self.team, self.read_before = team, self.tokens
        seed = self.args.seed * 1_000_003 + state.step + 7_777_777 * team.part
        self.rng = random.Random(seed)

    def rate(self, state, done):
        warm = min(1.0, (state.step + 1) / 100)
        return warm * min(1.0, max(0.0, (1 - done) / self.args.decay)) + 1e-4

    def pull(self, step):
        return max(1 - self.args.average, 1 / (step + 1))

    def weigh(self, done):
        """Sets the share of the days' own wordings, which is largest at the beginning."""
        begun = done >= self.args.simple or self.args.start
        share = 0.33 if done > self.args.late else 0.25 if begun else 0.6
        if share != self.share:
            self.share = share
            lexicon.weigh_wordings(share)

    def log(self, done):
        """Segments of a log, and its questions."""
        rng, count = self.rng, self.args.questions
        if rng.random() < 0.03:
            words = lexicon.STARTER_WORDS
            segments = logs.heard_alone(rng, rng.randint(2, 12), words)
            return segments, queries.heard_cases(rng, segments, words, count)
        lines = self.reach if rng.random() > 0.04 or self.reach < 16 else 30
        segments, words = logs.random_log(rng, lines, done > self.args.late)
        return segments, queries.random_cases(rng, segments, words, count)

    def lesson(self, done):
        """(task, lesson, whether its times are clock times)"""
        rng, task = self.rng, "video-qa"
        if done >= self.args.simple or self.args.start:
            shares = CONTINUED if self.args.start else TASKS
            task = rng.choices(list(shares), shares.values())[0]
        if task == "activities":
            return task, self.write.activities_lesson(rng, 10), False
        if task == "video-qa":
            segments, cases = self.log(done)
            return task, self.write.lesson(segments, cases), logs.by_clock(segments)
        return task, tasks.lesson(self.write, rng, task, PROMPTS_IN_LESSON[task]), False

    def step(self, state, done):
        args, team = self.args, self.team
        coach = max(0.0, 1 - done / args.coach_until) if args.coach_until else 0.0
        self.weigh(done)
        self.reach = max(int(self.common[0]), int(20 * min(1.0, (done - 0.1) / 0.4)))
        for _ in range(args.batch):
            task, lesson, clocked = self.lesson(done)
            packed = Packed(lesson)
            self.read[task] += len(packed.ids)
            # the model learns last which hour lies in which line
            help_weight = 1.0 if clocked else coach
            count = 0.0 if args.start else 0.3
            loss, figures = learn(state.model, state.heads["probes"], packed, help_weight, count)
            (loss / args.batch).backward()
            team.tokens[team.part] += len(packed.ids)
            if task != "video-qa":
                figures = {task: figures["answer"], task + "-look": figures["look"]}
            loop.smooth(self.mean, figures, 0.97)

    def report(self, state, rate):
        self.tokens = self.read_before + self.team.tokens.sum().item()
        if self.mean["first"] > 0.75 and state.step % 20 == 0:
            self.common = [min(20.0, self.common[0] + 1)]
        if state.step % 50 == 0:
            print(
                f"step {state.step} min {state.spent / 60:.1f} Mtok {self.tokens / 1e6:.2f} tok/s "
                f"{self.tokens / max(state.spent, 1):.0f} lines {self.reach} "
                + " ".join(f"{k} {v:.3f}" for k, v in self.mean.items())
                + " read "
                + " ".join(f"{k} {v / self.read.total():.0%}" for k, v in self.read.items()),
                flush=True,
            )
        if state.step % self.args.exam_every == 0:
            figures = self.examine(state, 6)
            state.curve(
                minutes=f"{state.spent / 60:.1f}",
                million_tokens=f"{self.tokens / 1e6:.2f}",
                answer_loss=f"{self.mean['answer']:.3f}",
                first_token_right=f"{self.mean['first']:.3f}",
                exam=f"{figures['all']:.3f}",
                exam_held_out_wordings=f"{figures['held-out all']:.3f}",
            )

    def examine(self, state, count):
        """Examines the averaged weights on this many days."""
        figures = quick_exam(state.average, self.write, count)
        print("exam " + " ".join(f"{k} {v:.2f}" for k, v in figures.items()), flush=True)
        return figures

    def own(self):
        return {
            "tokens": self.tokens,
            "lines": self.common[0],
            "read": self.read,
            "mean": self.mean,
        }

    def export(self, state):
        args, mean, tokenizer = self.args, self.mean, os.path.join(WORK, "tokenizer.json")
        if self.folder:
            state.average.export(self.folder, tokenizer, tokenizing.CHAT_TEMPLATE)
        return (
            f"{cards.origin(args.start)}, {args.layers} layers of {args.hidden} channels",
            f"{self.tokens / 1e6:.1f} million tokens",
            f"{state.spent / 60:.0f} min",
            args.workers,
            f"Of the last lessons {mean['first']:.0%} of the answers began right; loss "
            f"{mean['answer']:.2f} per answer token."
            if "answer" in mean
            else "",
        )


def new_model(args, tokenizer):
    """The untrained model, and the probes that teach it."""
    shape = Shape(
        vocab=tokenizer.get_vocab_size(),
        hidden=args.hidden,
        layers=args.layers,
        inner=args.inner,
        heads=args.heads,
    )
    lm = StarterLm(shape, torch.bfloat16 if args.bf16 else torch.float32)
    for form in ("{:02d}", "{:02d}:"):
        lm.smooth_times([tokenizer.token_to_id(form.format(n)) for n in range(60)], 0.1)
    sizes = (64, args.hidden)
    return lm, torch.nn.ModuleList([torch.nn.Linear(args.hidden, size) for size in sizes])


def grow_from(folder, lm, tokenizer):
    """Begins with the weights in a folder, which may be those of a smaller model."""
    weights = load_file(os.path.join(folder, "model.safetensors"))
    grow(lm, weights, Tokenizer.from_file(os.path.join(folder, "tokenizer.json")), tokenizer)


def train(args):
    """Trains for this many steps in total; resumes."""
    torch.manual_seed(args.seed)
    training = Language(args, writer())
    lm, probes = new_model(args, training.write.tokenizer)
    named = dict(lm.named_parameters())
    matrices = [p for n, p in named.items() if p.ndim == 2 and "embed" not in n]
    others = [p for n, p in named.items() if p.ndim != 2 or "embed" in n]
    others += probes.parameters()
    optimizers = [
        Muon(matrices, lr=args.muon_lr),
        torch.optim.AdamW(others, lr=args.adam_lr, betas=(0.9, 0.98), weight_decay=0.0),
    ]
    path = os.path.join(WORK, f"{args.name}.pt")
    sys.modules.setdefault("lm_model", model)  # states of older trainings use this name
    state = loop.State(path, CURVE, lm, optimizers, others, probes=probes)
    saved = state.resume(args.start)
    if saved:
        training.take_up(saved)
    if args.start and not state.step:
        grow_from(args.start, lm, training.write.tokenizer)
        state.average.load_state_dict(lm.state_dict())
        training.common = [16.0]
    print(json.dumps({"shape": lm.card(), "from_step": state.step}), flush=True)
    for p in [*lm.parameters(), *probes.parameters()]:
        p.data.share_memory_()
    for p in matrices:
        optimizers[0].state[p]["momentum"].share_memory_()
    team = Team(matrices + others, args.workers)
    team.fork()
    training.begin(state, team)
    # By steps, not by time, so that a busy machine trains the same model.
    loop.run(training, state, loop.Steps(args.steps), team)
    training.examine(state, 20)
