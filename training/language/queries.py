"""Questions about random logs, as people type them."""

import re

import phrases
from day import questions, refusals
from language import newcomers, slips
from language.lessons import Writer
from language.lexicon import LOOSE_WORDS
from language.logs import by_clock

HEARD_KINDS = {"said": 4, "promised": 2, "met": 2, "unanswerable": 3}


def heard_cases(rng, segments, words, count):
    """Questions that sound alone answers, and some that it does not."""
    cases, asked = [], set()
    for kind in rng.choices(list(HEARD_KINDS), list(HEARD_KINDS.values()), k=2 * count):
        if kind == "unanswerable":
            case = rng.choice((refusals.too_late, refusals.unstated_general, refusals.unpromised))(
                rng, segments, words
            )
        else:
            case = questions.KINDS[kind](
                rng,
                segments,
                words,
                strict=False,
                **{"said": {"how": "at"}, "met": {"how": "any"}}.get(kind, {}),
            )
        if case and case.question not in asked and len(cases) < count:
            asked.add(case.question)
            case.question = casual(rng, case.question)
            cases.append(case)
    return cases


KIND_WEIGHTS = {
    "where_when": 11,
    "doing_at": 28,
    "when_last": 14,
    "did_i": 8,
    "how_many": 14,
    "after": 8,
    "before": 9,
    "last_seen": 19,
    "why": 13,
    "said": 40,
    "promised": 5,
    "met": 18,
    "people": 12,
    "unanswerable": 80,
}
NEWCOMERS = 0.22  # the share of the kinds of newcomers.py
REFUSAL_WEIGHTS = [2.5, 2, 1.5, 4.5, 1.5, 4, 4.5]  # in the order of refusals.REFUSALS
SHORT_TIME = re.compile(r"\b0(\d:\d\d)\b")
OPENINGS = (
    "please tell me: ",
    "hey, ",
    "ok, ",
    "so ",
    "and ",
    "well, ",
    "quick question: ",
    "one more thing: ",
    "sorry, ",
    "just tell me: ",
    "now ",
    "do you remember: ",
    "i forgot: ",
    "look it up: ",
    "i wonder, ",
    "can you tell me, ",
    "excuse me, ",
    "help me: ",
    "hm, ",
)
ENDINGS = (
    " today",
    " in the video",
    " please",
    " again",
    ", do you know",
    ", can you say",
    " earlier",
    " by any chance",
    ", i forgot",
    " then",
    " exactly",
    ", tell me",
    " this time",
)


def chatter(rng):
    """Words that have nothing to do with the question."""
    dice = rng.random()
    if dice < 0.35:
        return rng.choice(phrases.TALK).rstrip(".!?")
    if dice < 0.5:
        return rng.choice(
            ("hey ", "listen ", "please ", "sorry ", "ok ", "", "", "oh ")
        ) + rng.choice(phrases.CALLED)
    return " ".join(
        rng.choice(LOOSE_WORDS if rng.random() < 0.3 else phrases.MORE_WORDS)
        for _ in range(rng.randint(1, 7))
    )


def casual(rng, question):
    """The question as people type it: sometimes in small letters, without the mark, or with
    unrelated words around it."""
    if rng.random() < 0.04:
        question = phrases.to_you(question)
    dice = rng.random()
    if dice < 0.08:
        question = question.lower()
    elif dice < 0.12:
        question = question[:1].lower() + question[1:]
    elif dice < 0.19:
        ending = (
            rng.choice(ENDINGS)
            if rng.random() < 0.5
            else phrases.spun(rng, rng.choice(phrases.CLOSERS))
        )
        question = question.rstrip("?.!") + ending + rng.choice(("?", "?", "."))
    elif dice < 0.31:
        opening = phrases.spun(rng, rng.choice(phrases.OPENERS))
        question = (
            f"{opening} {question if rng.random() < 0.4 else question[:1].lower() + question[1:]}"
        )
    elif dice < 0.38:
        opening = (
            rng.choice(OPENINGS)
            if rng.random() < 0.4
            else chatter(rng) + rng.choice((", ", ": ", ". ", "... ", "! ", " "))
        )
        question = (opening[:1].upper() + opening[1:] if rng.random() < 0.8 else opening) + (
            question if rng.random() < 0.4 else question[:1].lower() + question[1:]
        )
    elif dice < 0.42:
        after = chatter(rng)
        return f"{question} {after[:1].upper() + after[1:]}{rng.choice(('.', '!', '?', ''))}"
    return question.rstrip("?.!") if rng.random() < 0.08 else question


def as_typed(rng, question):
    """The question as people type it: as `casual` has it, sometimes with errors or in capitals."""
    if rng.random() < 0.12:  # 0:07 for 00:07
        question = SHORT_TIME.sub(r"\1", question)
    return slips.typed(rng, casual(rng, question))


def random_cases(rng, segments, words, count):
    """Questions about a log. Ambiguous ones are answered from the last line that fits."""
    cases, asked = [], set()
    # the rest is as without a clock
    weights = {**KIND_WEIGHTS, "doing_at": 250} if by_clock(segments) else KIND_WEIGHTS
    kinds = rng.choices(list(weights), list(weights.values()), k=3 * count)
    for kind in kinds:
        if len(cases) == count:
            break
        if rng.random() < NEWCOMERS:
            case = newcomers.newcomers_case(rng, segments, words)
        elif kind == "unanswerable":
            case = rng.choices(refusals.REFUSALS, REFUSAL_WEIGHTS)[0](rng, segments, words)
        else:
            case = questions.KINDS[kind](rng, segments, words, strict=False)
        if case and case.question not in asked:
            asked.add(case.question)
            # a typing error hides the words that this reads
            case.named = case.named or Writer.named_field(case, segments)
            case.question = as_typed(rng, case.question)
            cases.append(case)
    return cases
