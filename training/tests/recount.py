"""Answers questions again from the records of a log, by brute force: a check of training/day.

`right(question, log)` gives for each reading of a question all answers that are right.
"""

import re

import sayings
import texts
import vocab
import wordings
from day import refusals

COUNTS = "once twice three four five six seven eight nine ten eleven twelve".split()
NTH = {"second": 2, "third": 3, "fourth": 4, "fifth": 5}
SLOT = {
    "time": r"(?:\d\d:)?\d\d:\d\d",
    "from": r"(?:\d\d:)?\d\d:\d\d",
    "to": r"(?:\d\d:)?\d\d:\d\d",
    "name": r"[A-Z][a-z]+",
    "nth": "|".join(NTH),
    "are": "are|is",
    "were": "were|was",
    "them": "them|it",
}


def forms():
    """{form: {words: activity}}, with the carrying of every thing."""
    out = {
        form: {a[form]: a["gerund"] for a in vocab.ACTIVITIES}
        for form in ("base", "past", "gerund")
    }
    for thing in vocab.OBJECT_NAMES:
        for form, verb in (("base", "carry"), ("past", "carried"), ("gerund", "carrying")):
            out[form][f"{verb} the {thing}"] = f"carrying the {thing}"
    return out


FORMS = forms()
PLACES = {vocab.in_place(place): place for place in vocab.PLACE_NAMES}


# Each slot with the words that it can hold, the longer first.
for _name, _words in [*FORMS.items(), ("in", PLACES), ("place", vocab.PLACE_NAMES)]:
    SLOT[_name] = "|".join(sorted(_words, key=len, reverse=True))
for _name in FORMS:
    SLOT[_name + "2"] = SLOT[_name]


def parsers():
    """[(kind, regular expression)] of all wordings."""
    out = []
    for bank in (wordings.PHRASINGS, texts.sections("phrasings_long")):
        for kind, patterns in bank.items():
            for pattern in patterns:
                parts = re.split(r"\{(\w+)\}", pattern)
                text = "".join(
                    f"(?P<{part}>{SLOT.get(part, '.+')})" if i % 2 else re.escape(part)
                    for i, part in enumerate(parts)
                )
                out.append((kind, re.compile(text)))
    return out


PARSERS = parsers()


def seconds(text):
    """'01:07' -> 67, '01:00:07' -> 3607"""
    total = 0
    for part in text.split(":"):
        total = 60 * total + int(part)
    return total


def shown(second):
    """67 -> '01:07', 3607 -> '01:00:07'"""
    hours, rest = divmod(second, 3600)
    return (f"{hours:02d}:" if hours else "") + f"{rest // 60:02d}:{rest % 60:02d}"


def value(name, text):
    """What a slot means, or None if it holds no word of the world."""
    bare = name.rstrip("2")
    if bare in FORMS:
        return FORMS[bare].get(text)
    if name == "in":
        return PLACES.get(text)
    if name == "place":
        return text if text in vocab.PLACE_NAMES else None
    if name == "object":
        return text if text in vocab.OBJECT_NAMES or text in refusals.STRANGE else None
    if name in ("time", "from", "to"):
        return seconds(text)
    if name == "nth":
        return NTH[text]
    if name == "name":
        return text.lower() if text.lower() in sayings.NAMES else None
    return text


def readings(question):
    """[(kind, {slot: meaning})]"""
    out = []
    for kind, pattern in PARSERS:
        found = pattern.fullmatch(question)
        if not found:
            continue
        slots = {name: value(name, text) for name, text in found.groupdict().items()}
        if None in slots.values():
            continue
        named = {
            "deed": next((slots[f] for f in FORMS if f in slots), None),
            "other": next((slots[f + "2"] for f in FORMS if f + "2" in slots), None),
            "place": slots.get("place") or slots.get("in"),
            "thing": slots.get("object"),
            "where": question.startswith(("Where", "In which place")),
        }
        out.append(
            (
                kind,
                named
                | {k: v for k, v in slots.items() if k in ("time", "from", "to", "name", "nth")},
            )
        )
    return out


def bare(text):
    """An answer without its final mark and articles, in small letters."""
    return re.sub(r"\bthe ", "", text.rstrip(".?!").lower())


def joined(names):
    return ", ".join(names[:-1]) + " and " + names[-1] if len(names) > 1 else names[0]


def duration(whole):
    units = ((whole // 3600, "hour"), (whole // 60 % 60, "minute"), (whole % 60, "second"))
    return joined([f"{n} {unit}{'' if n == 1 else 's'}" for n, unit in units if n])


def times(count):
    if not count:
        return set()
    return {COUNTS[count - 1] + (" times" if count > 2 else "")}


def runs(log):
    """[[line, …]] of stays in one place."""
    out = []
    for s in log:
        if out and out[-1][-1]["place"] == s["place"]:
            out[-1].append(s)
        else:
            out.append([s])
    return out


def names(lines):
    """[(line, name)] of persons who say their names."""
    found = [(s, re.search(r"(?:i am|my name is) (\w+)\.$", s["heard"])) for s in lines]
    start = ("hello, ", "nice to meet you, ")
    return [(s, m[1]) for s, m in found if m and s["heard"].startswith(start)]


def at(s):
    return f"at {shown(s['start'])}"


def there(s):
    return vocab.in_place(s["place"])


def things(s):
    held = s["activity"].removeprefix("carrying the ")
    return {*s["seen"]} | ({held} if held in vocab.OBJECT_NAMES else set())


def answers(kind, a, log):
    """All right answers of a reading."""
    done = [i for i, s in enumerate(log) if a["deed"] and s["activity"] == a["deed"]]
    lines = [log[i] for i in done]
    in_place = [s for s in log if s["place"] == a["place"]]
    thing = [s for s in log if a["thing"] and a["thing"] in things(s)]
    now = [s for s in log if "time" in a and s["start"] <= a["time"] < s["end"]]
    windows = []
    if "from" in a:
        overlap = [s for s in log if s["start"] < a["to"] and s["end"] > a["from"]]
        windows = [overlap, [s for s in overlap if s["start"] >= a["from"] and s["end"] <= a["to"]]]
    if kind == "where_when":
        return {there(s) for s in lines}
    if kind == "doing_at":
        return {s["activity"] for s in now}
    if kind == "where_at":
        return {there(s) for s in now}
    if kind == "people_at":
        return {s["people"] or "nobody" for s in now}
    if kind == "seen_at":
        return {t for s in now for t in things(s)}
    if kind == "said_at":
        return {s["heard"] for s in now if s["heard"]}
    if kind == "said_in":
        return {s["heard"] for s in in_place if s["heard"]}
    if kind == "people":
        return {s["people"] or "nobody" for s in in_place}
    if kind == "doing_in":
        return {s["activity"] for s in in_place}
    if kind in ("when_last", "when_first", "where_last", "where_first"):
        s = lines[-1 if kind.endswith("last") else 0] if lines else None
        return {(at if kind.startswith("when") else there)(s)} if s else set()
    if kind == "when_nth":
        return {at(lines[a["nth"] - 1])} if len(lines) >= a["nth"] else set()
    if kind == "did_i":
        return {"yes" if done else "no"}
    if kind == "how_many":
        return times(len(done))
    if kind in ("after", "before", "after_first", "after_last", "before_first", "before_last"):
        step = 1 if kind.startswith("after") else -1
        which = done[:1] if "first" in kind else done[-1:] if "last" in kind else done
        return {log[i + step]["activity"] for i in which if 0 <= i + step < len(log)}
    if kind in ("last_seen", "first_seen"):
        return {there(thing[-1 if kind == "last_seen" else 0])} if thing else set()
    if kind == "why":
        aims = [re.search(rf"go to the {a['place']} and (.+)[.?]$", s["heard"]) for s in log]
        told = {"to " + m[1] for m in aims if m}
        base = {gerund: words for words, gerund in FORMS["base"].items()}
        return told or {"to " + base[s["activity"]] for s in in_place}
    if kind == "promised":
        made = [re.match(r"i promise to (.+)\.$", s["heard"]) for s in log]
        return {"to " + m[1] for m in made if m}
    if kind in ("met", "met_any"):
        return {name for _, name in names(in_place if kind == "met" else log)}
    if kind in ("met_when", "met_where"):
        met = [s for s, name in names(log) if name == a["name"]]
        return {(at if kind == "met_when" else there)(s) for s in met}
    if kind in ("when_after", "when_before"):
        out = {at(s) for s in lines if s in now}
        late = [s for s in lines if s["start"] > a["time"]]
        early = [s for s in lines if s["end"] <= a["time"]]
        return out | {at(s) for s in (late[:1] if kind == "when_after" else early[-1:])}
    if kind in ("order", "did_before"):
        others = [i for i, s in enumerate(log) if s["activity"] == a["other"]]
        if not done or not others:
            return set()
        befores = {done[i] < others[k] for i in (0, -1) for k in (0, -1)}
        said = (
            {True: a["deed"], False: a["other"]} if kind == "order" else {True: "yes", False: "no"}
        )
        return {said[before] for before in befores}
    if kind == "visits":
        return times(sum(run[0]["place"] == a["place"] for run in runs(log)))
    if kind == "count_in":
        return times(sum(s["place"] == a["place"] for s in lines))
    if kind == "how_long":
        return {duration(s["end"] - s["start"]) for s in lines}
    if kind == "how_long_total":
        return {duration(sum(s["end"] - s["start"] for s in lines))} if lines else set()
    if kind == "how_long_in":
        return {
            duration(run[-1]["end"] - run[0]["start"])
            for run in runs(log)
            if run[0]["place"] == a["place"]
        }
    if kind == "count_between":
        return set().union(*(times(sum(s in lines for s in w)) for w in windows))
    if kind == "when_between":
        return {(there if a["where"] else at)(s) for w in windows for s in w if s in lines}
    if kind == "did_between":
        return {"yes" if any(s in lines for s in w) else "no" for w in windows}
    if kind == "said_between":
        return {s["heard"] for s in windows[0] if s["heard"]}
    if kind == "met_between":
        return {joined([n for _, n in names(w)]) for w in windows if names(w)}
    if kind == "list_between":
        return {joined([s["activity"] for s in windows[0]])} if windows[0] else set()
    if kind == "places_between":
        return {joined([run[0]["place"] for run in runs(windows[0])])} if windows[0] else set()
    if kind == "where_between":
        return {there(s) for s in windows[0]}
    raise AssertionError(kind)


def right(question, log):
    """[(kind, all right answers)] of each reading of the question."""
    return [(kind, {bare(x) for x in answers(kind, a, log)}) for kind, a in readings(question)]
