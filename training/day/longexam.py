"""The questions of a day of more than three minutes: every kind in turn, and a fifth without an
answer."""

import sayings
from day.asking import absent_activities
from day.longer import LONG_KINDS, many
from day.ordered import by_activity, inside, times, window, worded
from day.questions import KINDS, did_i, how_many, said, why
from day.refusals import REFUSALS, refused, strange_thing

MOST_CASES = 600


def wanted(seconds):
    """The number of questions: 60, and three for every two minutes; at most 600."""
    return min(MOST_CASES, 60 + seconds * 3 // 120)


def unmet(rng, segments, words):
    """When or where was it that I met somebody whose name nobody said?"""
    told = " ".join(s.heard for s in segments)
    fit = [name for name in sayings.NAMES if name not in told]
    if not fit:
        return None
    kind = rng.choice(("met_when", "met_where"))
    return refused(worded(rng, kind, words, name=rng.choice(fit).capitalize()))


def not_between(rng, segments, words):
    """When did I do between two times what I did at other times only?"""
    ends = window(rng, segments, 3, 40)
    deed = rng.choice(list(by_activity(segments)))
    if not ends or any(s.activity == deed for s in segments[ends[0] - 1 : ends[1]]):
        return None
    slots = times(rng, segments, *ends)
    return refused(worded(rng, "when_between", words, deed, **slots))


def never_done(rng, segments, words):
    """A question by order or duration that assumes an event that never happened."""
    absent = absent_activities(segments, words)
    if not absent:
        return None
    kind = rng.choice(
        ("when_first", "where_first", "where_last", "after_first", "before_last", "how_long")
    )
    return refused(worded(rng, kind, words, rng.choice(absent)))


def silent_between(rng, segments, words):
    """What was said between two times without speech?"""
    ends = window(rng, segments, 1, 4)
    if not ends or any(s.heard for s in segments[ends[0] - 1 : ends[1]]):
        return None
    return refused(worded(rng, "said_between", words, **times(rng, segments, *ends)))


def beyond(rng, segments, words):
    """A question about times after the end of the day."""
    last = segments[-1].end + rng.randint(20, 600)
    if rng.random() < 0.4:
        return refused(worded(rng, "where_at", words, time=last))
    kind = rng.choice(("list_between", "said_between", "where_between"))
    return refused(worded(rng, kind, words, **{"from": last, "to": last + rng.randint(60, 300)}))


def never_seen(rng, segments, words):
    """Where did I first see what was never there?"""
    thing = strange_thing(rng, segments, words)
    return refused(worded(rng, "first_seen", words, thing=thing))


def never_again(rng, segments, words):
    """When did I first do after a time what I did before it only, or the other way round?"""
    deed, lines = rng.choice(list(by_activity(segments).items()))
    after = rng.random() < 0.5
    rest = segments[lines[-1] :] if after else segments[: lines[0] - 1]
    if not rest:
        return None
    kind = "when_after" if after else "when_before"
    return refused(worded(rng, kind, words, deed, time=inside(rng, rng.choice(rest))))


LONG_REFUSALS = [
    *REFUSALS,
    unmet,
    not_between,
    never_done,
    silent_between,
    beyond,
    never_seen,
    never_again,
]


def askers():
    """{name: function of (rng, segments, words)}: what an exam asks in turn."""
    out = {
        kind: make
        for kind, make in KINDS.items()
        if kind not in ("did_i", "how_many", "said", "why")
    }
    for name, make, choice in (
        ("did_i", did_i, "yes"),
        ("how_many", how_many, "several"),
        ("why", why, "sent"),
    ):
        for value in (True, False):
            out[f"{name} {value}"] = lambda *now, m=make, c=choice, v=value: m(*now, **{c: v})
    for how in ("at", "in"):
        out[f"said {how}"] = lambda *now, h=how: said(*now, how=h)
    return out | {"how_many many": many} | LONG_KINDS


def long_examine(rng, segments, words):
    """(cases, gaps): questions of every kind in turn until there are enough, all different; a fifth
    without an answer. The gaps are the kinds that the day lacks."""
    count, asked = wanted(segments[-1].end), set()

    def one(make):
        """A question that nobody has asked yet, or None."""
        for _ in range(200):
            case = make(rng, segments, words)
            if not case:
                continue
            signs = {case.question.lower()}
            if case.kind != "unanswerable":
                signs.add((case.kind, case.answer, tuple(case.lines)))
            if not signs & asked:
                asked.update(signs)
                return case
        return None

    def turns(makers, count):
        """(cases, makers that made none): the makers in turn, each until it finds nothing new."""
        found, first, makers = [], True, list(makers)
        lacking = 0
        while makers and len(found) < count:
            rng.shuffle(makers)
            for make in list(makers):
                case = one(make) if len(found) < count else None
                if case:
                    found.append(case)
                elif len(found) < count:
                    makers.remove(make)
                    lacking += first
            first = False
        return found, lacking

    cases, gaps = turns(askers().values(), count - count // 5)
    unknown, more = turns(LONG_REFUSALS, len(cases) // 4)
    cases += unknown
    rng.shuffle(cases)
    return cases, gaps + more
