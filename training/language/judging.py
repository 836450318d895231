"""Further examinations of starter-lm: the two prompts that read a question and a claim, the kinds
of newcomers.py, and hasty typing."""

import collections
import json
import random

import torch

from day import asking, daylog
from language import claims, newcomers, slips, telling, templates, understanding

PRECISE = 0.95  # the share of kept claims that must be right


def batches(items, size=20):
    return [items[start : start + size] for start in range(0, len(items), size)]


def rows(args, pupil, make_day, plain):
    """Prints the figures, and returns the card's rows. `make_day(args, seed)` gives a day,
    `plain(text)` an answer as it is compared."""
    suffix = ", in wordings held out of the training" * args.held_out
    found = understand_rows(args, pupil) + claim_rows(args, pupil)
    found += newcomers_rows(args, pupil, make_day, plain)
    found = [(name + suffix, *row) for name, *row in found]
    return found if args.held_out else found + typed_rows(args, pupil, make_day, plain)


def understand_rows(args, pupil):
    """The share of right fields of the query."""
    made = [
        understanding.understand_example(random.Random(f"exam understand {n}"), args.held_out)[:2]
        for n in range(4 * args.prose)
    ]
    right, whole = collections.Counter(), 0
    for part in batches(made):
        replies = pupil.replies([text for text, _ in part], max_new_tokens=96, do_sample=False)
        for (text, reply), said in zip(part, replies):
            wanted, given = json.loads(reply), parsed(said)
            right.update(key for key, value in wanted.items() if given.get(key) == value)
            whole += given == wanted
            if given != wanted and args.show:
                print(f"understand: {text.splitlines()[-1]} -> {said!r}, not {reply!r}")
    shares = {key: round(right[key] / len(made), 4) for key in json.loads(made[0][1])}
    fields = sum(shares.values()) / len(shares)
    print(json.dumps({"prompt": "understand", "n": len(made), "right": whole / len(made)} | shares))
    return [
        ("prompt understand", len(made), f"{whole / len(made):.1%}"),
        ("prompt understand: fields", len(made) * len(shares), f"{fields:.1%}"),
    ]


def parsed(text):
    """The JSON object, or an empty one."""
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


@torch.no_grad()
def likely(pupil, prompts):
    """The likelihood of `yes` against `no` as the reply to each prompt."""
    texts = [
        pupil.tokenizer.apply_chat_template(
            [{"role": "user", "content": prompt}], tokenize=False, add_generation_prompt=True
        )
        for prompt in prompts
    ]
    batch = pupil.tokenizer(texts, return_tensors="pt", padding=True, add_special_tokens=False)
    first = [pupil.tokenizer.encode(word, add_special_tokens=False)[0] for word in ("yes", "no")]
    logits = pupil.model(**batch).logits[:, -1, first]
    return logits.softmax(-1)[:, 0].tolist()


def threshold(judged):
    """(the lowest likelihood from which on PRECISE of the claims are right, the share of right
    claims that it keeps); `judged`: (likelihood, whether it is right)."""
    judged = sorted(judged, reverse=True)
    rights = sum(good for _, good in judged)
    best, kept = (1.0, 0.0), 0
    for n, (likelihood, good) in enumerate(judged, 1):
        kept += good
        if kept / n >= PRECISE:
            best = (likelihood, kept / rights)
    return best


def claim_rows(args, pupil):
    """The share of claims that are judged right, and a threshold."""
    made = [
        claims.claim_example(random.Random(f"exam claim {n}"), args.held_out)[:2]
        for n in range(10 * args.prose)
    ]
    judged = []
    for part in batches(made):
        found = likely(pupil, [text for text, _ in part])
        judged += [(p, reply == "yes") for p, (_, reply) in zip(found, part)]
        for p, (text, reply) in zip(found, part):
            if (p > 0.5) != (reply == "yes") and args.show:
                print(f"claim: {text.split(chr(10), 2)[-1]!r} -> {p:.2f}, not {reply}")
    right = sum((p > 0.5) == good for p, good in judged) / len(judged)
    least, kept = threshold(judged)
    # how far likelihoods are from the truth: the mean square
    brier = sum((p - good) ** 2 for p, good in judged) / len(judged)
    figures = {"right": right, "threshold": least, "kept": kept, "brier": brier}
    figures = {key: round(value, 4) for key, value in figures.items()}
    print(json.dumps({"prompt": "claim", "n": len(made)} | figures))
    name = f"prompt claim: right claims kept from {least:.2f} on, of which {PRECISE:.0%} are right"
    return [("prompt claim", len(made), f"{right:.1%}"), (name, len(made), f"{kept:.1%}")]


def asked(args, pupil, cases_of, make_day, plain):
    """{kind: whether each reply was right}, for the cases that cases_of(rng, day) gives."""
    right = collections.defaultdict(list)
    for seed in range(args.seed, args.seed + args.days):
        day = make_day(args, seed)
        log, cases = daylog.log_text(day.segments), cases_of(random.Random(seed), day)
        prompts = [templates.prompt("video-qa", log=log, question=c.question) for c in cases]
        replies = pupil.replies(prompts, max_new_tokens=64, do_sample=False)
        for case, reply in zip(cases, replies):
            right[case.kind].append(plain(reply) == plain(case.answer))
            if not right[case.kind][-1] and args.show:
                print(f"{case.kind:12} {case.question} -> {reply!r}, not {case.reply()!r}")
    return right


def row_of(name, right):
    """Prints the figures by kind, and returns the card's row."""
    every = [good for kind in right.values() for good in kind]
    share = sum(every) / len(every)
    kinds = {kind: round(sum(v) / len(v), 3) for kind, v in sorted(right.items())}
    print(json.dumps({"asked": name, "n": len(every), "right": round(share, 4), "by_kind": kinds}))
    return name, f"{len(every)} questions", f"{share:.1%}"


def newcomers_rows(args, pupil, make_day, plain):
    """Questions of the kinds of newcomers.py about the first lines of days."""
    bank = {**telling.HELD_OUT, "how_many": telling.NEVER_HELD_OUT} if args.held_out else None

    def cases_of(rng, day):
        day.segments = day.segments[: rng.choice((4, 8, 99))]
        made = {}
        for _ in range(60):
            case = newcomers.newcomers_case(rng, day.segments, asking.VOCABULARY, bank)
            if case and len(made) < 24:
                made[case.question] = case
        return list(made.values())

    return [row_of("newcomers' kinds of questions", asked(args, pupil, cases_of, make_day, plain))]


def typed_rows(args, pupil, make_day, plain):
    """The days' own questions in capitals, in small letters and with typing errors."""
    found = []
    for name, change in {
        "with a typing error": lambda rng, question: slips.slipped(rng, question, 1),
        "in capitals": lambda rng, question: question.upper(),
        "in small letters": lambda rng, question: question.lower(),
    }.items():

        def cases_of(rng, day, change=change):
            for case in day.cases:
                case.question = change(rng, case.question)
            return day.cases

        found.append(
            row_of("days' questions " + name, asked(args, pupil, cases_of, make_day, plain))
        )
    return found
