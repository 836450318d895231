"""Lessons of prompts/claim.md: a few cited lines, a question and an answer; `yes` if the answer is
right by these lines, else `no`.

What is right follows from the lines alone (`truth`); of several fitting lines the last one counts,
as in day/questions.py.
"""

import sayings
import vocab
from day import asking, refusals
from day.asking import TIMES_WORD
from day.daylog import (
    errands,
    greetings,
    lasting,
    listed,
    log_line,
    promises,
    sentence,
    time_text,
)
from language import lessons, lexicon, logs, queries, telling, templates
from language.telling import distinct, things

ACTIVITY = (
    "where_when when_last did_i how_many after before when_first how_long people_when said_while"
)
PLACE = "why said_in met people doing_in seen_in"
TIME = "doing_at said_at where_at people_at"
SLOT = {
    **dict.fromkeys(ACTIVITY.split(), "activity"),
    **dict.fromkeys(PLACE.split(), "place"),
    **dict.fromkeys(TIME.split(), "time"),
    **dict.fromkeys(("last_seen", "first_seen", "did_see"), "thing"),
    **dict.fromkeys(("met_when", "met_where", "did_meet"), "name"),
    **dict.fromkeys(("promised", "met_any"), ""),
}
# Kinds that do not ask for the last of several answers in so many words.
ANY = (
    "where_when said_in said_while met met_any met_where met_when people people_when why promised"
).split()
WEIGHTS = {kind: 2 for kind in SLOT} | {
    "where_when": 4,
    "doing_at": 4,
    "how_many": 5,
    "after": 4,
    "before": 4,
    "last_seen": 5,
    "when_last": 4,
    "said_in": 3,
    "why": 3,
    "met": 3,
    "people": 3,
    "did_i": 2,
    "did_see": 1,
    "did_meet": 1,
    "how_long": 1,
}


class Lines:
    """Some lines of a log, as (number in the log, segment), in their order."""

    def __init__(self, numbered, words):
        self.numbered, self.words = numbered, words
        self.segments = [s for _, s in numbered]

    def fitting(self, fits):
        return [(n, s) for n, s in self.numbered if fits(s)]

    def alone(self):
        """Each line by itself."""
        return [Lines([line], self.words) for line in self.numbered]

    def with_slot(self, slot, value):
        """The lines that show the subject of a question."""
        if slot == "time":
            return self.fitting(lambda s: s.start <= value < s.end)
        if slot == "thing":
            return self.fitting(lambda s: value in s.seen or value == s.held)
        if slot == "name":
            known = [i for i, name in greetings(self.segments) if name == value]
            return [self.numbered[i - 1] for i in known]
        return self.fitting(lambda s: getattr(s, slot) == value)


def truth(kind, value, lines):
    """The right answer by the lines, or None."""
    if kind in ("promised", "met_any"):
        made = promises(lines.segments) if kind == "promised" else greetings(lines.segments)
        return (
            (f"To {made[-1][1]}." if kind == "promised" else sentence(made[-1][1]))
            if made
            else None
        )
    found = lines.with_slot(SLOT[kind], value)
    if kind in ("did_i", "did_see", "did_meet"):
        return "Yes." if found else "No."
    if kind == "how_many":
        return TIMES_WORD.get(len(found), "Never.")
    if kind in ("after", "before"):
        number = found[-1][0] + (1 if kind == "after" else -1) if found else 0
        beside = next((s for n, s in lines.numbered if n == number), None)
        return beside and sentence(beside.activity)
    if kind == "why":
        asked = [what for _, place, what in errands(lines.segments) if place == value]
        if asked:
            return f"To {asked[-1]}."
        return found[-1][1].held == "" and aim(found[-1][1], lines) if found else None
    if not found:
        return None
    first, last = found[0][1], found[-1][1]
    place = lines.words.in_place
    if kind in ("said_in", "said_at", "said_while"):
        heard = [s.heard for _, s in found if s.heard]
        return sentence(heard[-1]) if heard and (kind == "said_in" or last.heard) else None
    if kind == "met":
        names = greetings([s for _, s in found])
        return sentence(names[-1][1]) if names else None
    return {
        "where_when": lambda: sentence(place(last.place)),
        "where_at": lambda: sentence(place(last.place)),
        "last_seen": lambda: sentence(place(last.place)),
        "first_seen": lambda: sentence(place(first.place)),
        "met_where": lambda: sentence(place(last.place)),
        "when_last": lambda: f"At {time_text(last.start)}.",
        "met_when": lambda: f"At {time_text(last.start)}.",
        "when_first": lambda: f"At {time_text(first.start)}.",
        "doing_at": lambda: sentence(last.activity),
        "doing_in": lambda: sentence(listed(distinct([s.activity for _, s in found]))),
        "seen_in": lambda: things(last) if last.seen and len(found) == 1 else None,
        "people": lambda: sentence(vocab.PEOPLE[last.people]),
        "people_at": lambda: sentence(vocab.PEOPLE[last.people]),
        "people_when": lambda: sentence(vocab.PEOPLE[last.people]),
        "how_long": lambda: sentence(lasting(sum(s.end - s.start for _, s in found))),
    }[kind]()


def aim(segment, lines):
    return f"To {lines.words.forms(segment.activity)['base']}."


def right(kind, value, lines, answer):
    """Whether the answer is right by the lines. An answer about what came before or after often
    rests on its own line alone."""
    if kind in ("after", "before") and not lines.with_slot("activity", value):
        return len(lines.numbered) == 1 and answer == sentence(lines.segments[0].activity)
    return truth(kind, value, lines) == answer


# questions
def subject(rng, kind, lines):
    """The subject of a question of the kind from the lines, or None."""
    slot, s = SLOT[kind], rng.choice(lines.segments)
    if slot in ("activity", "place"):
        if kind == "why" and (asked := errands(lines.segments)) and rng.random() < 0.6:
            place = rng.choice(asked)[1]
            return place if place in lines.words.places else None
        return getattr(s, slot)
    if slot == "time":
        return rng.randrange(s.start, s.end)
    if slot == "thing":
        known = [*s.seen, s.held] if s.held else s.seen
        return rng.choice(known) if known else None
    if slot == "name":
        known = greetings(lines.segments)
        return rng.choice(known)[1] if known else None
    return ""


def strange(rng, kind, lines, whole):
    """A subject that the lines do not have: of the rest of the log, or of none."""
    slot, words = SLOT[kind], lines.words
    if rng.random() < 0.5:
        value = subject(rng, kind, whole)
    else:
        value = {
            "activity": lambda: rng.choice(words.activity_names),
            "place": lambda: rng.choice(words.place_names),
            "thing": lambda: rng.choice(words.objects),
            "name": lambda: rng.choice(sayings.NAMES),
            "time": lambda: rng.randrange(whole.segments[-1].end + 60),
            "": lambda: "",
        }[slot]()
    return value


def worded(rng, kind, value, words, held):
    """The question."""
    slot = SLOT[kind]
    known = {slot: value} if slot in ("activity", "place", "thing", "time") else {}
    own = (
        (lexicon.wordings.HELD_OUT if held else words.phrasings)
        if kind in words.phrasings
        else None
    )
    if own:
        question = asking.filled(rng.choice(own[kind]), words, **known)
    else:
        name = telling.shown(rng, value) if slot == "name" else ""
        bank = telling.HELD_OUT if held else None
        question = telling.worded(rng, kind, words, bank, name, **known)
    return question if held else queries.as_typed(rng, question)


TYPE = {
    "place": "where_when where_at last_seen first_seen met_where",
    "time": "when_last met_when when_first",
    "activity": "doing_at after before doing_in",
    "heard": "said_in said_at said_while",
    "people": "people people_at people_when",
    "name": "met met_any",
    "aim": "why promised",
    "count": "how_many",
    "things": "seen_in",
    "long": "how_long",
    "yes": "did_i did_see did_meet",
}
TYPE_OF = {kind: name for name, kinds in TYPE.items() for kind in kinds.split()}


def part(rng, name, lines):
    """An answer of a type from the lines, or None."""
    s = rng.choice(lines.segments)
    known = {
        "place": lambda: sentence(lines.words.in_place(s.place)),
        "time": lambda: f"At {time_text(rng.choice((s.start, s.start, s.end)))}.",
        "activity": lambda: sentence(s.activity),
        "heard": lambda: s.heard and sentence(s.heard),
        "people": lambda: sentence(rng.choice(vocab.PEOPLE)),
        "name": lambda: sentence(
            rng.choice([name for _, name in greetings(lines.segments)] or sayings.NAMES)
        ),
        "aim": lambda: f"To {rng.choice(aims(lines))}.",
        "count": lambda: rng.choice([TIMES_WORD[n] for n in range(1, 6)] + ["Never."]),
        "things": lambda: things(s) if s.seen else None,
        "long": lambda: sentence(lasting(rng.choice((s.end - s.start, rng.randint(2, 70))))),
        "yes": lambda: rng.choice(("Yes.", "No.")),
    }
    return known[name]()


def aims(lines):
    told = [what for _, _, what in errands(lines.segments)]
    told += [what for _, what in promises(lines.segments)]
    done = [lines.words.forms(s.activity)["base"] for s in lines.segments if s.activity]
    return told + done[: max(1, len(told))]


def true_claim(rng, lines, whole):
    """(kind, subject, answer) of a right answer, or None."""
    kind = rng.choices(list(WEIGHTS), WEIGHTS.values())[0]
    value = subject(rng, kind, lines)
    if value is None:
        return None
    if kind in ("after", "before") and len(lines.numbered) == 1:
        # the event itself lies beside the cited line
        number = lines.numbered[0][0] + (-1 if kind == "after" else 1)
        beside = [s.activity for n, s in whole.numbered if n == number]
        if not beside or beside[0] == lines.segments[0].activity:
            return None
        return kind, beside[0], sentence(lines.segments[0].activity)
    if kind in ("did_i", "did_see", "did_meet") and rng.random() < 0.3:
        value = strange(rng, kind, lines, whole)
    answer = value is not None and truth(kind, value, lines)
    return (kind, value, answer) if answer else None


def false_claim(rng, lines, whole):
    """(kind, subject, answer) of a wrong answer, or None."""
    kind = rng.choices(list(WEIGHTS), WEIGHTS.values())[0]
    how = rng.choices(("answer", "elsewhere", "subject", "type"), (45, 15, 32, 8))[0]
    if how == "answer":  # another answer of the same type
        value = subject(rng, kind, lines)
        answer = part(rng, TYPE_OF[kind], whole if rng.random() < 0.6 else lines)
    elif how == "elsewhere":  # right by lines that are not cited
        value = subject(rng, kind, whole)
        answer = value is not None and truth(kind, value, whole)
    elif how == "subject":  # the lines show the answer, of something else
        value = strange(rng, kind, lines, whole)
        answer = part(rng, TYPE_OF[kind], lines)
    else:  # right words for another question
        value = subject(rng, kind, lines)
        answer = part(rng, rng.choice([name for name in TYPE if name != TYPE_OF[kind]]), lines)
    if not answer or value is None or right(kind, value, lines, answer):
        return None
    if kind in ANY and any(truth(kind, value, one) == answer for one in lines.alone()):
        return None  # right by an earlier line
    return kind, value, answer


def claim(rng, lines, whole, held=False):
    """(question, answer, whether it is right, (kind, subject)); no kind if no log answers."""
    good = rng.random() < 0.5
    while True:
        if not good and rng.random() < 0.05:
            question = refusals.unstated(rng, whole.segments, lines.words).question
            question = question if held else queries.as_typed(rng, question)
            kind, value, answer = "", "", part(rng, rng.choice(list(TYPE)), lines)
        else:
            made = (true_claim if good else false_claim)(rng, lines, whole)
            if not made or made[0] == "how_long" and logs.by_clock(whole.segments):
                continue
            kind, value, answer = made
            question = worded(rng, kind, value, lines.words, held)
        if answer:
            return question, plainer(rng, answer), good, (kind, value)


def plainer(rng, answer):
    """The answer, now and then without its mark or its capital."""
    dice = rng.random()
    if dice < 0.06:
        return answer.rstrip(".")
    return answer[:1].lower() + answer[1:] if dice < 0.09 else answer


def cited(rng):
    """(one to four lines of a log, the whole log)"""
    while True:
        segments, words = logs.random_log(rng, rng.choice((4, 8, 12, 20)))
        whole = Lines(list(enumerate(segments, 1)), words)
        count = min(len(segments), rng.choices((1, 2, 3, 4), (45, 27, 16, 12))[0])
        n = rng.randint(1, len(segments))
        s = segments[n - 1]
        dice = rng.random()
        if dice < 0.35:  # lines of one activity or place
            slot = rng.choice(("activity", "activity", "place"))
            same = [m for m, other in whole.numbered if getattr(other, slot) == getattr(s, slot)]
            chosen = rng.sample(same, min(len(same), count))
        elif dice < 0.75:  # neighbours
            chosen = range(n, min(n + count, len(segments) + 1))
        else:
            chosen = rng.sample(range(1, len(segments) + 1), count)
        chosen = sorted(chosen)
        if len(chosen) >= min(count, 2):
            return Lines([(m, segments[m - 1]) for m in chosen], words), whole


def log_of(lines):
    """The lines as the prompt has them: numbered from 1."""
    return "\n".join(log_line(i, s) for i, s in enumerate(lines.segments, 1))


def claim_example(rng, held=False):
    """(prompt, reply, no links) of one claim. `held`: in wordings that no training uses."""
    lines, whole = cited(rng)
    question, answer, good, _ = claim(rng, lines, whole, held)
    prompt = templates.prompt("claim", log=log_of(lines), question=question, answer=answer)
    return prompt, "yes" if good else "no", []


USER = "<|user|>"


def claims_lesson(write, rng, count):
    """A lessons.Lesson of `count` claims about the same lines."""
    lines, whole = cited(rng)
    log = log_of(lines)
    head = templates.prompt("claim", log=log, question="HOLE", answer="").split(" HOLE")[0]
    start = write.tokenizer.encode(USER + head, add_special_tokens=False)
    made = lessons.Lesson(list(start.ids), [0] * len(start.ids))
    for _ in range(count):
        question, answer, good, about = claim(rng, lines, whole)
        text = templates.prompt("claim", log=log, question=question, answer=answer)
        asked = write.tokenizer.encode(text[len(head) :], add_special_tokens=False).ids
        asked += [write.end, write.assistant]
        reply = write.ids("yes" if good else "no") + [write.end]
        made.asks.append((asked + reply, len(asked)))
        # where the lines show the subject; at the very first token if they do not
        shown = [
            i
            for i, (x, y) in enumerate(start.offsets)
            if any(x < b + len(USER) and y > a + len(USER) for a, b in spans(head, lines, *about))
        ]
        made.looks.append([(len(asked) - 1, shown or [0])])
    return made


def spans(head, lines, kind, value):
    """Where the lines in the beginning of the prompt show the subject of a question."""
    found = []
    for i, (number, s) in enumerate(lines.numbered, 1):
        begin = head.index(f"\n[{i}] ") + 1
        line = log_line(i, s)
        if kind in ("promised", "met_any"):
            made = (promises if kind == "promised" else greetings)([s])
            name = made[0][1] if made else None
        elif not kind or number not in [n for n, _ in lines.with_slot(SLOT[kind], value)]:
            continue
        elif SLOT[kind] == "time":
            name = line.split()[1]
        else:
            name = value
        if name and name in line:
            at = begin + line.index(name)
            found.append((at, at + len(name)))
    return found
