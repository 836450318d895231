"""Examines starter-lm: greedy replies of the exported folder, and the training's forward pass."""

import collections
import json
import os
import random
import re

import torch

import cards
import days
import wordings
from day import asking, daylog
from language import judging, lexicon, logs, prose, tasks, templates, tokenizing
from language.model import Packed, Shape, StarterLm
from language.tokenizing import WORK, writer

EXAM_SEED = 9_000_000  # seed of the exam's days; training draws other days
HELD_OUT = asking.Words(
    asking.VOCABULARY.places,
    asking.VOCABULARY.objects,
    asking.VOCABULARY.activities,
    asking.VOCABULARY.plural,
    wordings.HELD_OUT,
)


@torch.no_grad()
def quick_exam(model, write, count):
    """The share of replies whose every token is right, given the right tokens before: a lower
    bound, by kind; then the same in wordings that no training used."""
    out = {}
    for name, words in (("", asking.VOCABULARY), ("held-out ", HELD_OUT)):
        right = collections.defaultdict(list)
        for seed in range(EXAM_SEED, EXAM_SEED + count):
            day = days.make_day(seed)
            cases = (
                day.cases if not name else days.examine(random.Random(seed), day.segments, words)[0]
            )
            packed = Packed(write.lesson(day.segments, cases))
            hit = model(packed)[0].argmax(-1) == packed.target
            for i, case in enumerate(cases):
                right[case.kind].append(hit[packed.question_of == i].all().item())
        every = [x for kind in right.values() for x in kind]
        out[name + "all"] = sum(every) / len(every)
        out.update({name + k: sum(v) / len(v) for k, v in sorted(right.items())})
    return out


def plain(text):
    """The answer as evaluation compares it: no citations, case, punctuation or articles."""
    text = re.sub(r"\[\d+\]", " ", text).lower()
    return " ".join(w for w in re.sub(r"[^\w\s]", "", text).split() if w not in ("a", "an", "the"))


class Pupil:
    """A checkpoint through transformers."""

    def __init__(self, folder):
        from transformers import AutoModelForCausalLM, AutoTokenizer

        self.tokenizer = AutoTokenizer.from_pretrained(folder, padding_side="left")
        self.model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()

    @torch.no_grad()
    def replies(self, prompts, **how):
        """The replies to the prompts, all in one batch."""
        texts = [
            self.tokenizer.apply_chat_template(
                [{"role": "user", "content": prompt}], tokenize=False, add_generation_prompt=True
            )
            for prompt in prompts
        ]
        batch = self.tokenizer(texts, return_tensors="pt", padding=True, add_special_tokens=False)
        out = self.model.generate(**batch, **how)[:, batch.input_ids.shape[1] :]
        return self.tokenizer.batch_decode(out, skip_special_tokens=True)


def exam_day(args, seed):
    """A day for the exam, by the options."""
    day = days.make_day(seed, args.seconds)
    if args.noisy:
        rng = random.Random(seed)
        day.segments = logs.perceived(rng, day.segments, asking.VOCABULARY)
        day.cases = days.examine(rng, day.segments)[0]
    if args.held_out:
        day.cases = days.examine(random.Random(seed), day.segments, HELD_OUT)[0]
    return day


def exam_questions(args, pupil):
    """Asks the questions of days. Prints figures by kind and returns the card's row."""
    right, cited, refused = collections.defaultdict(list), [], []
    for seed in range(args.seed, args.seed + args.days):
        day = exam_day(args, seed)
        log = daylog.log_text(day.segments)
        prompts = [templates.prompt("video-qa", log=log, question=c.question) for c in day.cases]
        replies = pupil.replies(prompts, max_new_tokens=48, do_sample=False)
        for case, reply in zip(day.cases, replies):
            good = plain(reply) == plain(case.answer)
            right[case.kind].append(good)
            if case.kind != "unanswerable":
                refused.append(plain(reply) == plain(asking.REFUSAL))
                if good:
                    cited.append([int(n) for n in re.findall(r"\[(\d+)\]", reply)] == case.lines)
            if not good and args.show:
                print(
                    f"seed {seed} {case.kind:12} {case.question} -> {reply!r}, not {case.reply()!r}"
                )
    every = [x for kind in right.values() for x in kind]
    figures = {
        "days": args.days,
        "seconds": args.seconds,
        "n": len(every),
        "exact_match": round(sum(every) / len(every), 4),
        "by_kind": {k: round(sum(v) / len(v), 3) for k, v in sorted(right.items())},
        "answerable_refused": round(sum(refused) / len(refused), 4),
        "right_answers_with_right_citations": round(sum(cited) / max(1, len(cited)), 4),
    }
    print(json.dumps(figures))
    asked = (
        f"{args.days} days of {args.seconds} s from seed {args.seed}"
        + ", logs as imperfect eyes and ears write them" * args.noisy
        + ", in wordings held out of the training" * args.held_out
    )
    return asked, f"{len(every)} questions", f"{sum(every) / len(every):.1%}"


def exam_prompts(count):
    """{prompt's name: [(text, right reply)]}, `count` of each."""
    prompts = {
        name: [example(random.Random(f"exam {name} {n}"))[:2] for n in range(count)]
        for name, example in tasks.EXAMPLES.items()
        if name not in ("understand", "claim")  # see judging.py
    }
    prompts["activities"] = [
        (templates.prompt("activities", place=p, count=10), lexicon.activities_reply(p, 10))
        for p in lexicon.ACTIVITIES_IN
    ]
    return prompts


def exam_prompt(args, pupil, name, examples):
    """Asks the examples of a prompt. Returns whether each reply was right."""
    moments, good = tasks.MOMENTS.get(name), []
    for start in range(0, len(examples), 20):
        part = examples[start : start + 20]
        replies = pupil.replies(
            [text for text, _ in part], max_new_tokens=96, do_sample=name == "caption"
        )
        for (text, right), reply in zip(part, replies):
            if moments:
                told = moments(random.Random(f"exam {name} {len(good)}"))[1]
                good.append(prose.true_story(told, reply))
            else:
                good.append(prose.fits(text, reply) if name == "caption" else reply == right)
            if not good[-1] and args.show:
                print(f"{name}: {text.split(chr(10), 2)[-1]!r} -> {reply!r}, such as {right!r}")
    share = round(sum(good) / max(1, len(good)), 4)
    print(json.dumps({"prompt": name, "n": len(good), "right": share}))
    return good


def exam(args):
    """Examines the greedy replies of the written folder by transformers. The results go into its
    card."""
    pupil = Pupil(args.model)
    found = [exam_questions(args, pupil)]
    for name, examples in exam_prompts(args.prose).items():
        good = exam_prompt(args, pupil, name, examples)
        if good:
            found.append((f"prompt {name}", len(good), f"{sum(good) / len(good):.1%}"))
    if args.judging:
        found += judging.rows(args, pupil, exam_day, plain)
    cards.write_measured(args.model, ["`lm.py exam`", "asked", "right"], found)


@torch.no_grad()
def verify(args):
    """The largest difference between the training forward pass and transformers, over every reply
    token of a day."""
    from transformers import AutoModelForCausalLM

    write = writer()
    model = StarterLm(Shape(vocab=write.tokenizer.get_vocab_size()))
    folder = os.path.join(WORK, "verify")
    for p in model.parameters():
        p.copy_(p.half().float() * (1 if p.ndim == 1 else 1.5))
        p.copy_(p.half().float())
    model.export(folder, os.path.join(WORK, "tokenizer.json"), tokenizing.CHAT_TEMPLATE)
    other = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    day = days.make_day(3)
    lesson = write.lesson(day.segments, day.cases)
    packed = Packed(lesson)
    mine, worst = model(packed)[0], 0.0
    for i, (ids, first) in enumerate(lesson.asks):
        theirs = other(torch.tensor([lesson.prefix + ids])).logits[
            0, len(lesson.prefix) + first - 1 : -1
        ]
        worst = max(worst, (mine[packed.question_of == i] - theirs).abs().max().item())
    print(f"largest difference of logits: {worst:.2e} (their spread: {mine.std():.2f})")
