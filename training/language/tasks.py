"""Every prompt that starter-lm learns besides video-qa and activities, as lessons: those of
prose.py and seven short ones.

  sounds     sounds that may occur in a place during an activity
  summary    at most three sentences about a log
  forecast   the next event: an errand that is not run yet, a promise that is not kept yet, or more
             of the same
  search     a question as a phrase for a search in pictures
  route      the senses that a question needs
  understand a question as a query in JSON (understanding.py)
  claim      whether an answer is right by the lines that it cites (claims.py)

Each `*_example(rng)` gives the same as those of prose.py. `python training/lm.py examples` prints
some of each.
"""

import vocab
import wordings
from day import asking, daylog
from language import claims, lessons, lexicon, logs, prose, queries, templates, understanding
from language.prose import span


def sounds_example(rng):
    place = rng.choice(vocab.PLACE_NAMES)
    activity = rng.choice(
        vocab.activities_of(place) if rng.random() < 0.8 else vocab.SEEN_ACTIVITIES
    )
    if activity == vocab.CARRYING and rng.random() < 0.5:
        activity = vocab.carrying(rng.choice(vocab.HELD_NAMES))
    count = rng.choice((1, 2, 3, 3, 4, 5))
    text = templates.prompt("sounds", place=place, activity=activity, count=count)
    return text, "\n".join(vocab.sounds_of(place, activity)[:count]), []


def log_for(rng, most):
    """Segments, words, and the log's text for a prompt."""
    segments, words = logs.random_log(rng, most)
    return segments, words, daylog.log_text(segments)


def line_starts(text, segments):
    """The position of each line of the log in the prompt."""
    return [text.index("\n" + daylog.log_line(i, s)) + 1 for i, s in enumerate(segments, 1)]


def summary_moments(rng):
    """(the prompt, its moments)"""
    segments, words, log = log_for(rng, rng.choice((4, 8, 12, 16, 20)))
    text = templates.prompt("summary", log=log)
    told = []
    for s, at in zip(segments, line_starts(text, segments)):
        place = span(text, " " + s.place, at)
        told.append(
            (s, span(text, s.activity, place[1]), (place[0] + 1, place[1]), words.in_place(s.place))
        )
    return text, told


def summary_example(rng):
    text, told = summary_moments(rng)
    return (text, *prose.story(rng, told))


def open_errand(segments):
    """The last errand whose place was not reached after it was asked for."""
    left = [e for e in daylog.errands(segments) if all(s.place != e[1] for s in segments[e[0] :])]
    return left[-1] if left else None


def open_promise(segments, words):
    """The last promise that was not kept later."""

    def done(what, line):
        return any(words.forms(s.activity)["base"] == what for s in segments[line:])

    left = [p for p in daylog.promises(segments) if not done(p[1], p[0])]
    return left[-1] if left else None


def forecast(segments, words):
    """(line, next event, the words of it that the line has)"""
    errand, promise = open_errand(segments), open_promise(segments, words)
    if errand:
        return (
            errand[0],
            f"I will go to the {errand[1]} and {errand[2]}.",
            f"{errand[1]} and {errand[2]}",
        )
    if promise:
        return promise[0], f"I will {promise[1]}.", promise[1]
    return len(segments), f"I will go on {segments[-1].activity}.", segments[-1].activity


def forecast_example(rng):
    segments, words, log = log_for(rng, rng.choice((4, 8, 12, 16, 20)))
    text = templates.prompt("forecast", log=log)
    line, comes, copied = forecast(segments, words)
    reply = f"[{line}] {comes}"
    at = line_starts(text, segments)[line - 1]
    source = span(text, copied, at)
    return text, reply, [((0, len(f"[{line}] ")), source), (span(reply, copied), source)]


WITH = {
    "activity": ("where_when", "when_last", "did_i", "how_many", "after", "before"),
    "thing": ("last_seen",),
    "place": ("why", "said_in", "met", "people"),
    "time": ("doing_at", "said_at"),
    "": ("promised", "met_any"),
}
SENSES = {
    "sight": (
        "where_when",
        "doing_at",
        "when_last",
        "did_i",
        "how_many",
        "after",
        "before",
        "last_seen",
        "people",
    ),
    "hearing": ("said_at", "promised", "met_any"),
    "both": ("why", "said_in", "met"),
}


def question_about(rng, kind):
    """(question, its subject): a question of a kind in WITH, or one that no log answers if `kind`
    is empty."""
    words = prose.log_words(rng)
    words = asking.Words(
        words.places, words.objects, words.activities, words.plural, lexicon.PHRASINGS
    )
    thing, place, activity = (
        rng.choice(words.objects),
        rng.choice(words.place_names),
        rng.choice(words.activity_names),
    )
    activity = vocab.carrying(thing) if rng.random() < 0.1 else activity
    if not kind:
        pattern, known, named = rng.choice(
            (
                (rng.choice(wordings.ABOUT["thing"]), {"thing": thing}, thing),
                (rng.choice(wordings.ABOUT["place"]), {"place": place}, place),
                (rng.choice(wordings.ABOUT["activity"]), {"activity": activity}, activity),
                (rng.choice(wordings.GENERAL)[0], {}, ""),
                (rng.choice(wordings.GENERAL)[0], {}, ""),
            )
        )
        return queries.casual(rng, asking.filled(pattern, words, **known)), named
    slot = next(slot for slot, kinds in WITH.items() if kind in kinds)
    known = {
        "activity": {"activity": activity},
        "thing": {"thing": thing},
        "place": {"place": place},
        "time": {"time": rng.randrange(3600)},
        "": {},
    }
    named = {"activity": activity, "thing": thing, "place": place}.get(slot, "")
    return queries.casual(rng, asking.phrase(rng, kind, words, **known[slot])), named


def search_example(rng):
    kind = rng.choice([k for kinds in WITH.values() for k in kinds] + [""])
    question, named = question_about(rng, kind)
    text, reply = (
        templates.prompt("search", question=question),
        "- " + named.lower() if named else "none",
    )
    at = text.lower().rindex("question:")
    there = text.lower().find(named.lower(), at) if named else -1
    return text, reply, [((2, len(reply)), (there, there + len(named)))] if there >= 0 else []


def route_example(rng):
    senses = rng.choice([*SENSES, "neither"])
    kind = "" if senses == "neither" else rng.choice(SENSES[senses])
    return templates.prompt("route", question=question_about(rng, kind)[0]), senses, []


EXAMPLES = {
    **prose.EXAMPLES,
    "sounds": sounds_example,
    "summary": summary_example,
    "forecast": forecast_example,
    "search": search_example,
    "route": route_example,
    "understand": understanding.understand_example,
    "claim": claims.claim_example,
}
MOMENTS = {"story": prose.story_moments, "summary": summary_moments}
HOLES = {
    "caption": {"place": "HOLE", "activity": "", "things": []},
    "story": {"notes": ["HOLE"]},
    "entities": {"text": "HOLE"},
    "sounds": {"place": "HOLE"},
    "summary": {"log": "HOLE"},
    "forecast": {"log": "HOLE"},
    "search": {"question": "HOLE"},
    "route": {"question": "HOLE"},
    "understand": {"question": "HOLE"},
}
USER = "<|user|>"


def head(name):
    """The common beginning of a kind's prompts: up to the first slot, without the space there."""
    return templates.prompt(name, **HOLES[name]).split("HOLE")[0].removesuffix("Text: ").rstrip(" ")


def lesson(write, rng, name, count):
    """A lessons.Lesson of `count` different prompts of one kind, which share their beginning."""
    if name == "claim":
        return claims.claims_lesson(write, rng, count)
    start = write.ids(USER + head(name))
    made = lessons.Lesson(list(start), [0] * len(start))
    for _ in range(count):
        text, reply, links = EXAMPLES[name](rng)
        asked = write.tokenizer.encode(USER + text, add_special_tokens=False)
        assert asked.ids[: len(start)] == start, "the common beginning must end between two tokens"
        said = write.tokenizer.encode(reply, add_special_tokens=False)
        first = len(asked.ids) - len(start) + 2
        looks = []
        for (a, b), (c, d) in links:
            spots = [
                i
                for i, (x, y) in enumerate(asked.offsets)
                if x < d + len(USER) and y > c + len(USER)
            ]
            looks += [
                (first + i - 1, spots) for i, (x, y) in enumerate(said.offsets) if x < b and y > a
            ]
        made.asks.append(
            (asked.ids[len(start) :] + [write.end, write.assistant] + said.ids + [write.end], first)
        )
        made.looks.append(looks)
    return made
