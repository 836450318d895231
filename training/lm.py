"""Trains and examines starter-lm, the language model of the starter cast.

    python training/lm.py train                   # resumable; writes agents/starter/lm at every
                                                  checkpoint
    python training/lm.py exam --days 10          # greedy replies of the written checkpoint,
                                                  figures by kind
    python training/lm.py verify                  # the training forward pass against transformers

A process for each of two cores. How it is done and why: training/LM.md.
"""

import argparse
import collections
import copy
import ctypes
import json
import os
import random
import re
import signal
import time

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

import lm_data
import lm_prose
import lm_tasks
import torch
import torch.nn.functional as F
import wordings
from lm_model import Muon, Packed, Shape, StarterLm, Team, grow
from safetensors.torch import load_file
from tokenizers import Tokenizer

import cards
import days

HERE = os.path.dirname(os.path.abspath(__file__))
WORK = os.path.join(HERE, "work", "lm")
OUT = os.path.join(HERE, "..", "agents", "starter", "lm")
CURVE = os.path.join(HERE, "curves", "lm.csv")
TASKS = {
    "video-qa": 60,
    "activities": 1,
    "caption": 6,
    "story": 6,
    "entities": 6,
    "sounds": 1,
    "summary": 8,
    "forecast": 6,
    "search": 3,
    "route": 3,
}  # lessons in a hundred
PROMPTS_IN_LESSON = {
    "caption": 16,
    "story": 5,
    "entities": 14,
    "sounds": 16,
    "summary": 2,
    "forecast": 2,
    "search": 24,
    "route": 24,
}
EXAM_SEED = 9_000_000  # days of the exam; training draws from days.plot with other generators


# Keep freed memory: otherwise every large tensor is mapped, zeroed and unmapped by the kernel
# again.
for option, value in ((-3, 1 << 30), (-1, 1 << 30)):
    ctypes.CDLL("libc.so.6").mallopt(option, value)


def writer():
    """Of lessons, with the tokenizer in training/work or, where there is none yet, a new one."""
    os.makedirs(WORK, exist_ok=True)
    path = os.path.join(WORK, "tokenizer.json")
    if not os.path.exists(path):
        lm_data.train_tokenizer(path)
    return lm_data.Writer(Tokenizer.from_file(path))


def learn(model, probes, packed, coach, count=0.3):
    """One lesson: the loss, and how often the first token of the reply was right. `count`: weight
    of what the probes ask of the log's tokens, all which line they stand in, those of what is heard
    in which place."""
    logits, early, middle, looking = model(packed)
    each = F.cross_entropy(logits, packed.target, reduction="none")
    weight = 1 + 2 * packed.decide  # the first token says which line, the rest is copied
    answer = (each * weight).sum() / weight.sum()
    loss = answer
    if coach > 0 and len(packed.look_rows):
        # two heads: room for a word
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


HELD_OUT = days.Words(
    days.VOCABULARY.places,
    days.VOCABULARY.objects,
    days.VOCABULARY.activities,
    days.VOCABULARY.plural,
    wordings.HELD_OUT,
)


@torch.no_grad()
def quick_exam(model, write, count):
    """Share of replies right in every token when the right ones before are given: a lower bound, by
    kind; then in words that no training used."""
    out = {}
    for name, words in (("", days.VOCABULARY), ("held-out ", HELD_OUT)):
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


def train(args):
    torch.manual_seed(args.seed)
    write = writer()
    model = StarterLm(
        Shape(
            vocab=write.tokenizer.get_vocab_size(),
            hidden=args.hidden,
            layers=args.layers,
            inner=args.inner,
            heads=args.heads,
        ),
        torch.bfloat16 if args.bf16 else torch.float32,
    )
    for form in ("{:02d}", "{:02d}:"):
        model.smooth_times([write.tokenizer.token_to_id(form.format(n)) for n in range(60)], 0.1)
    probes = torch.nn.ModuleList(
        [torch.nn.Linear(args.hidden, 64), torch.nn.Linear(args.hidden, args.hidden)]
    )
    matrices = [p for n, p in model.named_parameters() if p.ndim == 2 and "embed" not in n]
    others = [p for n, p in model.named_parameters() if p.ndim != 2 or "embed" in n] + list(
        probes.parameters()
    )
    optimizers = [
        Muon(matrices, lr=args.muon_lr),
        torch.optim.AdamW(others, lr=args.adam_lr, betas=(0.9, 0.98), weight_decay=0.0),
    ]
    peaks = [args.muon_lr, args.adam_lr]
    # of the last few hundred steps: what is examined and exported
    average = copy.deepcopy(model)
    checkpoint = os.path.join(WORK, f"{args.name}.pt")
    step, spent, tokens, lines, mean, read = 0, 0.0, 0, 5.0, {"first": 0.0}, collections.Counter()
    if os.path.exists(checkpoint):
        saved = torch.load(checkpoint, weights_only=False)
        model.load_state_dict(saved["model"])
        average.load_state_dict(saved.get("average", saved["model"]))
        probes.load_state_dict(saved["probes"])
        read.update(saved["read"])
        for o, state in zip(optimizers, saved["optimizers"]):
            o.load_state_dict(state)
        step, spent, tokens, lines = saved["step"], saved["spent"], saved["tokens"], saved["lines"]
        before, mean = saved.get("before") or cards.earlier(args.start), saved.get("mean") or mean
    else:
        before = cards.earlier(args.start)
        if os.path.exists(CURVE):
            os.remove(CURVE)
    if args.start and not step:
        grow(
            model,
            load_file(os.path.join(args.start, "model.safetensors")),
            Tokenizer.from_file(os.path.join(args.start, "tokenizer.json")),
            write.tokenizer,
        )
        average.load_state_dict(model.state_dict())
        lines = 16.0
    print(json.dumps({"shape": model.card(), "from_step": step}), flush=True)
    for p in [*model.parameters(), *probes.parameters()]:
        p.data.share_memory_()
    for p in matrices:
        optimizers[0].state[p]["momentum"].share_memory_()
    team, stop, known, read_before = Team(matrices + others, args.workers), [], None, tokens
    team.fork()
    first = team.part == 0
    signal.signal(signal.SIGTERM, lambda *_: stop.append(1))
    rng = random.Random(args.seed * 1_000_003 + step + 7_777_777 * team.part)
    began, saved_at = time.time() - spent, time.time()
    while True:
        if first:
            spent = time.time() - began
            team.plan[:] = torch.tensor([spent, lines, bool(stop)], dtype=torch.float64)
        team.wait()
        spent, lines, stopped = team.plan.tolist()
        # not by the clock, so that a busy machine trains the same model
        done = step / args.steps
        if done >= 1 or stopped:
            break
        rate = min(1.0, (step + 1) / 100) * min(1.0, max(0.0, (1 - done) / args.decay)) + 1e-4
        for o, peak in zip(optimizers, peaks):
            for group in o.param_groups:
                group["lr"] = peak * rate
        coach = max(0.0, 1 - done / args.coach_until) if args.coach_until else 0.0
        share = 0.33 if done > args.late else 0.25 if done >= args.simple or args.start else 0.6
        if share != known:
            known = share
            lm_data.weigh_wordings(known)
        reach = max(int(lines), int(20 * min(1.0, (done - 0.1) / 0.4)))
        for i in range(args.batch):
            task = (
                rng.choices(list(TASKS), TASKS.values())[0]
                if done >= args.simple or args.start
                else "video-qa"
            )
            if task == "activities":
                lesson = write.activities_lesson(rng, 10)
            elif task == "video-qa":
                if rng.random() < 0.03:
                    segments, words = (
                        lm_data.heard_alone(rng, rng.randint(2, 12), lm_data.STARTER_WORDS),
                        lm_data.STARTER_WORDS,
                    )
                    cases = lm_data.heard_cases(rng, segments, words, args.questions)
                else:
                    segments, words = lm_data.random_log(
                        rng, reach if rng.random() > 0.04 or reach < 16 else 30, done > args.late
                    )
                    cases = lm_data.random_cases(rng, segments, words, args.questions)
                lesson = write.lesson(segments, cases)
            else:
                lesson = lm_tasks.lesson(write, rng, task, PROMPTS_IN_LESSON[task])
            packed, help_ = Packed(lesson), coach
            if task == "video-qa" and lm_data.by_clock(segments):
                help_ = 1.0  # which hour lies in which line is learnt last
            read[task] += len(packed.ids)
            loss, figures = learn(model, probes, packed, help_, 0.0 if args.start else 0.3)
            (loss / args.batch).backward()
            team.tokens[team.part] += len(packed.ids)
            for key, value in (
                figures.items()
                if task == "video-qa"
                else ((task, figures["answer"]), (task + "-look", figures["look"]))
            ):
                mean[key] = 0.97 * mean.get(key, value) + 0.03 * value
        team.mean_gradients()
        optimizers[0].step(team.part, team.parts)
        if first:
            torch.nn.utils.clip_grad_norm_(others, 1.0)
            optimizers[1].step()
        for o in optimizers:
            o.zero_grad(set_to_none=True)
        step += 1
        team.wait()
        if not first:
            continue
        tokens = read_before + team.tokens.sum().item()
        with torch.no_grad():
            for slow, fast in zip(average.parameters(), model.parameters()):
                slow.lerp_(fast, max(1 - args.average, 1 / (step + 1)))
        if mean["first"] > 0.75 and step % 20 == 0:
            lines = min(20.0, lines + 1)
        if step % 50 == 0:
            print(
                f"step {step} min {spent / 60:.1f} Mtok {tokens / 1e6:.2f} tok/s "
                f"{tokens / max(spent, 1):.0f} lines {reach} "
                + " ".join(f"{k} {v:.3f}" for k, v in mean.items())
                + " read "
                + " ".join(f"{k} {v / read.total():.0%}" for k, v in read.items()),
                flush=True,
            )
        if step % args.exam_every == 0:
            figures = quick_exam(average, write, 6)
            print("exam " + " ".join(f"{k} {v:.2f}" for k, v in figures.items()), flush=True)
            draw_curve(step, spent, tokens, mean, figures)
        if time.time() - saved_at > 180:
            saved_at = time.time()
            save(
                args,
                checkpoint,
                model,
                average,
                probes,
                optimizers,
                step,
                spent,
                tokens,
                lines,
                read,
                before,
                mean,
            )
    if not first:
        os._exit(0)
    save(
        args,
        checkpoint,
        model,
        average,
        probes,
        optimizers,
        step,
        spent,
        tokens,
        lines,
        read,
        before,
        mean,
    )
    print(
        "exam " + " ".join(f"{k} {v:.2f}" for k, v in quick_exam(average, write, 20).items()),
        flush=True,
    )


def draw_curve(step, spent, tokens, mean, figures):
    """Adds a line to training/curves/lm.csv: the last lessons' loss and the examination of six
    days."""
    os.makedirs(os.path.dirname(CURVE), exist_ok=True)
    new = not os.path.exists(CURVE)
    with open(CURVE, "a", encoding="utf-8") as out:
        if new:
            out.write(
                "step,minutes,million_tokens,answer_loss,first_token_right,exam,exam_held_out_wordings\n"
            )
        out.write(
            f"{step},{spent / 60:.1f},{tokens / 1e6:.2f},{mean['answer']:.3f},{mean['first']:.3f},{figures['all']:.3f},{figures['held-out all']:.3f}\n"
        )


def save(
    args,
    checkpoint,
    model,
    average,
    probes,
    optimizers,
    step,
    spent,
    tokens,
    lines,
    read,
    before,
    mean,
):
    torch.save(
        {
            "model": model.state_dict(),
            "average": average.state_dict(),
            "probes": probes.state_dict(),
            "optimizers": [o.state_dict() for o in optimizers],
            "step": step,
            "spent": spent,
            "tokens": tokens,
            "lines": lines,
            "read": read,
            "before": before,
            "mean": mean,
            "shape": model.shape,
        },
        checkpoint + ".new",
    )
    os.replace(checkpoint + ".new", checkpoint)
    if args.export:
        average.export(args.export, os.path.join(WORK, "tokenizer.json"), lm_data.CHAT_TEMPLATE)
        what = f"{cards.origin(args.start)}, {args.layers} layers of {args.hidden} channels"
        said = (
            f"Of the last lessons {mean['first']:.0%} of the answers began right; loss "
            f"{mean['answer']:.2f} per answer token."
            if "answer" in mean
            else ""
        )
        cards.write_training(
            "lm",
            args.export,
            before,
            what,
            step,
            f"{tokens / 1e6:.1f} million tokens",
            f"{spent / 60:.0f} min",
            args.workers,
            said,
        )


def plain(text):
    """As evaluation compares answers: no citations, case, punctuation or articles."""
    text = re.sub(r"\[\d+\]", " ", text).lower()
    return " ".join(w for w in re.sub(r"[^\w\s]", "", text).split() if w not in ("a", "an", "the"))


@torch.no_grad()
def exam(args):
    """Greedy replies by transformers from the written folder."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(args.model, padding_side="left")
    model = AutoModelForCausalLM.from_pretrained(args.model, dtype=torch.float32).eval()
    right, cited, refused = collections.defaultdict(list), [], []
    for seed in range(args.seed, args.seed + args.days):
        day = days.make_day(seed, args.seconds)
        if args.noisy:
            rng = random.Random(seed)
            day.segments = lm_data.perceived(rng, day.segments, days.VOCABULARY)
            day.cases = days.examine(rng, day.segments)[0]
        if args.held_out:
            day.cases = days.examine(random.Random(seed), day.segments, HELD_OUT)[0]
        log = days.log_text(day.segments)
        texts = [
            tokenizer.apply_chat_template(
                [
                    {
                        "role": "user",
                        "content": lm_data.prompt("video-qa", log=log, question=c.question),
                    }
                ],
                tokenize=False,
                add_generation_prompt=True,
            )
            for c in day.cases
        ]
        batch = tokenizer(texts, return_tensors="pt", padding=True, add_special_tokens=False)
        out = model.generate(**batch, max_new_tokens=48, do_sample=False)[
            :, batch.input_ids.shape[1] :
        ]
        for case, reply in zip(day.cases, tokenizer.batch_decode(out, skip_special_tokens=True)):
            good = plain(reply) == plain(case.answer)
            right[case.kind].append(good)
            if case.kind != "unanswerable":
                refused.append(plain(reply) == plain(days.REFUSAL))
                if good:
                    cited.append([int(n) for n in re.findall(r"\[(\d+)\]", reply)] == case.lines)
            if not good and args.show:
                print(
                    f"seed {seed} {case.kind:12} {case.question} -> {reply!r}, not {case.reply()!r}"
                )
    every = [x for kind in right.values() for x in kind]
    print(
        json.dumps(
            {
                "days": args.days,
                "seconds": args.seconds,
                "n": len(every),
                "exact_match": round(sum(every) / len(every), 4),
                "by_kind": {k: round(sum(v) / len(v), 3) for k, v in sorted(right.items())},
                "answerable_refused": round(sum(refused) / len(refused), 4),
                "right_answers_with_right_citations": round(sum(cited) / max(1, len(cited)), 4),
            }
        )
    )
    found = [
        (
            f"{args.days} days of {args.seconds} s from seed {args.seed}"
            + ", logs as imperfect eyes and ears write them" * args.noisy
            + ", in wordings held out of the training" * args.held_out,
            f"{len(every)} questions",
            f"{sum(every) / len(every):.1%}",
        )
    ]
    prompts = {
        name: [
            lm_tasks.EXAMPLES[name](random.Random(f"exam {name} {n}"))[:2]
            for n in range(args.prose)
        ]
        for name in lm_tasks.EXAMPLES
    }
    prompts["activities"] = [
        (lm_data.prompt("activities", place=p, count=10), lm_data.activities_reply(p, 10))
        for p in lm_data.ACTIVITIES_IN
    ]
    told = {
        name: [example(random.Random(f"exam {name} {n}"))[1] for n in range(args.prose)]
        for name, example in lm_tasks.MOMENTS.items()
    }
    for name, examples in prompts.items():
        good = []
        for start in range(0, len(examples), 20):
            texts = [
                tokenizer.apply_chat_template(
                    [{"role": "user", "content": text}], tokenize=False, add_generation_prompt=True
                )
                for text, _ in examples[start : start + 20]
            ]
            batch = tokenizer(texts, return_tensors="pt", padding=True, add_special_tokens=False)
            out = model.generate(**batch, max_new_tokens=96, do_sample=name == "caption")[
                :, batch.input_ids.shape[1] :
            ]
            for (text, right), reply in zip(
                examples[start:], tokenizer.batch_decode(out, skip_special_tokens=True)
            ):
                if name in told:
                    good.append(lm_prose.true_story(told[name][len(good)], reply))
                else:
                    good.append(lm_prose.fits(text, reply) if name == "caption" else reply == right)
                if not good[-1] and args.show:
                    print(f"{name}: {text.split(chr(10), 2)[-1]!r} -> {reply!r}, such as {right!r}")
        print(
            json.dumps(
                {"prompt": name, "n": len(good), "right": round(sum(good) / max(1, len(good)), 4)}
            )
        )
        if good:
            found.append((f"prompt {name}", len(good), f"{sum(good) / len(good):.1%}"))
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
    model.export(folder, os.path.join(WORK, "tokenizer.json"), lm_data.CHAT_TEMPLATE)
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


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    verbs = parser.add_subparsers(required=True)
    t = verbs.add_parser("train")
    t.set_defaults(run=train)
    for name, value in {
        "steps": 12_000,
        "batch": 2,
        "workers": 2,
        "questions": 24,
        "hidden": 192,
        "layers": 6,
        "heads": 6,
        "inner": 512,
        "seed": 1,
        "muon-lr": 0.004,
        "adam-lr": 0.001,
        "coach-until": 0.9,
        "decay": 0.65,
        "average": 0.997,
        "late": 0.6,
        "simple": 0.1,
        "exam-every": 500,
    }.items():
        t.add_argument("--" + name, type=type(value), default=value)
    t.add_argument("--name", default="starter-lm")
    t.add_argument(
        "--start",
        help="a folder as --export writes it, to go on from its weights where there is no "
        "training/work",
    )
    t.add_argument("--bf16", action="store_true", help="matrix products in bfloat16")
    t.add_argument("--export", default=OUT, help="folder for the checkpoint; '' for none")
    e = verbs.add_parser(
        "exam",
        description="Asks the checkpoint in a folder, and writes what it finds into that folder's "
        "card, if it has one.",
    )
    e.set_defaults(run=exam)
    e.add_argument("--model", default=OUT)
    e.add_argument("--days", type=int, default=10)
    e.add_argument("--seconds", type=int, default=120)
    e.add_argument("--seed", type=int, default=EXAM_SEED + 500)
    e.add_argument("--prose", type=int, default=100, help="so many of each other prompt")
    e.add_argument(
        "--held-out", action="store_true", help="questions in wordings held out of the training"
    )
    e.add_argument("--show", action="store_true", help="print the wrong replies")
    e.add_argument(
        "--noisy",
        action="store_true",
        help="logs as imperfect eyes and ears write them; answers as those logs say",
    )
    verbs.add_parser("verify").set_defaults(run=verify)
    args = parser.parse_args()
    torch.set_num_threads(1)
    args.run(args)


if __name__ == "__main__":
    main()
