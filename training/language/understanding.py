"""Lessons of prompts/understand.md: a question, and the query in JSON.

The words of the topic and of the event are marked in the question while it is made, so that they
are copied as the question has them, with its typing errors and capitals.
"""

import json
import re

import sayings
import texts
import vocab
import wordings
from day.daylog import time_text
from language import lexicon, queries, slips, telling, templates

ASKS = "where when who what why how_many how_many_of how_long yes_no list".split()
TOPIC, EVENT, CLOSE = "\ue000", "\ue002", "\ue001"
MARKED = re.compile(f"([{TOPIC}{EVENT}])(.*?){CLOSE}")
# Words of a phrase that name nothing.
EMPTY = set(
    "a an the my your our his her their this that some any it them of on in at to for with from "
    "into up out off me you i was were is are did do".split()
)
PARTICIPLES = {
    "ate": "eaten",
    "drank": "drunk",
    "wrote": "written",
    "took": "taken",
    "rode": "ridden",
    "flew": "flown",
    "drew": "drawn",
    "threw": "thrown",
    "drove": "driven",
    "blew": "blown",
}
LONG = {
    head: patterns
    for name in ("places_and_times", "persons_and_things", "numbers", "others")
    for head, patterns in texts.sections(f"understand/{name}").items()
}
LONG_HELD_OUT = texts.sections("understand_held_out")
OTHERS = texts.sections("others")
VERBS = [dict(zip(("base", "gerund", "past", "done"), v.split("/"))) for v in OTHERS["verbs"]]

# {kind: (asks, order, side)}, and the words of a pattern that say what is asked, best first
KINDS = {
    "where_when": ("where", "", "none"),
    "doing_at": ("what", "none", "none"),
    "when_last": ("when", "", "none"),
    "did_i": ("yes_no", "none", "none"),
    "how_many": ("how_many", "none", "none"),
    "after": ("what", "none", "after"),
    "before": ("what", "none", "before"),
    "last_seen": ("where", "last", "none"),
    "why": ("why", "none", "none"),
    "said_at": ("what", "none", "none"),
    "said_in": ("what", "none", "none"),
    "promised": ("what", "none", "none"),
    "met": ("who", "none", "none"),
    "met_any": ("who", "none", "none"),
    "people": ("how_many_of", "none", "none"),
}
SAID = "said spoken spoke heard told saying telling words speech sentence say hear".split()
MET = "met meet introduced introduce name names hello greeted greet person acquaintance".split()
LITERALS = {
    "said_at": SAID,
    "said_in": SAID,
    "promised": "promised promise promises agreed swore swear word committed".split(),
    "met": MET,
    "met_any": MET,
    "people": "people persons person others strangers faces headcount company group".split(),
}
LAST = re.compile(r"\b(?:last|latest|most recent|most recently|recently)\b", re.IGNORECASE)
NEWCOMERS = {
    "where_at": ("where", "none", "none"),
    "doing_in": ("what", "none", "none"),
    "list_in": ("list", "every", "none"),
    "list_where": ("list", "every", "none"),
    "how_long": ("how_long", "none", "none"),
    "how_long_in": ("how_long", "none", "none"),
    "when_first": ("when", "first", "none"),
    "first_seen": ("where", "first", "none"),
    "did_see": ("yes_no", "none", "none"),
    "did_visit": ("yes_no", "none", "none"),
    "did_in": ("yes_no", "none", "none"),
    "doing_after": ("what", "none", "none"),
    "where_after": ("where", "none", "none"),
    "did_last": ("what", "last", "none"),
    "did_first": ("what", "first", "none"),
    "where_after_event": ("where", "none", "after"),
    "where_before_event": ("where", "none", "before"),
}


def query(asks, topic="", order="none", side="none", event=""):
    """The reply. Topic and event begin with a space, because a word without it has other tokens
    than in the question, and could not be copied."""
    topic, event = (text and " " + text for text in (topic, event))
    parts = {"asks": asks, "topic": topic, "order": order, "side": side, "event": event}
    return json.dumps(parts, ensure_ascii=False)


# words
def noun_of(gerund):
    """'washing the dishes' -> 'dishes'; '' if the verb takes none."""
    words = gerund.split()[1:]
    if words and words[0] in ("a", "an", "the", "my"):
        words = words[1:]
    return "" if not words or words[0] in EMPTY else " ".join(words)


def deed(rng, words):
    """The forms of an activity, and its noun and participle ('' without a noun). Without `words`,
    one of another subject."""
    if words:
        name = rng.choice(words.activity_names)
        name = vocab.carrying(rng.choice(words.objects)) if rng.random() < 0.08 else name
        forms = dict(words.forms(name))
        verb = forms["past"].split()[0]
        return forms | {"noun": noun_of(forms["gerund"]), "done": PARTICIPLES.get(verb, verb)}
    verb = rng.choice(VERBS)
    noun = thing(rng, None)
    article = rng.choice(("the ", "the ", "my ", "" if noun.endswith("s") else "a "))
    return {k: f"{verb[k]} {article}{noun}" for k in ("base", "gerund", "past")} | {
        "noun": noun,
        "done": verb["done"],
    }


def thing(rng, words):
    if rng.random() < 0.12:
        return lexicon.made_up(rng)
    return rng.choice(words.objects if words else OTHERS["nouns"])


def where(rng, words):
    """(place with its preposition, place)"""
    if words:
        place = rng.choice(words.place_names)
        return words.in_place(place), place
    if rng.random() < 0.15:
        place = lexicon.made_up(rng)
        return f"{rng.choice(('in', 'at', 'on'))} the {place}", place
    return rng.choice(OTHERS["places"]).split("/")


def are_many(words, noun):
    return noun in (words.plural if words else ()) or noun.endswith("s") and noun[-2:] != "ss"


class Slots:
    """The words for the slots of one pattern. Slots with a 2 belong to the event."""

    def __init__(self, rng, words, pattern):
        self.rng, self.words = rng, words
        self.things = {"": thing(rng, words), "2": thing(rng, words)}
        self.places = {"": where(rng, words), "2": where(rng, words)}
        self.deeds = {end: deed(rng, words) for end in ("", "2")}
        for end, known in self.deeds.items():
            while ("{noun" + end + "}" in pattern or "{done" + end + "}" in pattern) and not known[
                "noun"
            ]:
                known = self.deeds[end] = deed(rng, words)

    def text(self, slot):
        rng, end = self.rng, "2" if slot.endswith("2") else ""
        name = slot.removesuffix("2")
        known, item = self.deeds[end], self.things[end]
        if name in known:
            return known[name]
        if name in ("verb", "verbed", "verbing"):
            return rng.choice(VERBS)[{"verb": "base", "verbed": "past", "verbing": "gerund"}[name]]
        if name in ("in", "place"):
            return self.places[end][name == "place"]
        many = are_many(self.words, known["noun"] if name == "was" else item)
        return {
            "object": lambda: item,
            "objects": lambda: item if many else item + "s",
            "are": lambda: "are" if many else "is",
            "were": lambda: "were" if many else "was",
            "them": lambda: "them" if many else "it",
            "was": lambda: "were" if many else "was",
            "agent": lambda: rng.choice(OTHERS["agents"]),
            "name": lambda: telling.shown(
                rng, lexicon.made_up(rng) if rng.random() < 0.2 else rng.choice(sayings.NAMES)
            ),
            "time": lambda: moment(rng),
            "long": lambda: rng.choice(list(telling.LONGS.values())),
            "end": lambda: rng.choice(list(telling.ENDS)),
        }[name]()


def moment(rng):
    return rng.choice(
        (
            time_text(rng.randrange(3600)),
            time_text(rng.randrange(600)).removeprefix("0"),
            f"{rng.randint(6, 22)}:{rng.randrange(60):02d}",
            f"{rng.randint(1, 12)} " + rng.choice(("am", "pm", "o'clock")),
            rng.choice(("noon", "half past nine", "a quarter to three", "midnight")),
        )
    )


UNMARKED = {"are", "were", "them", "was", "time", "long", "end"}


def filled(rng, pattern, words, role, once=False):
    """The pattern with its slots filled and their words marked. `role`: the mark of slots without a
    2. `once`: only the first one is marked, because the others repeat it."""
    slots, marked = Slots(rng, words, pattern), []

    def put(found):
        if found.group(1):
            return TOPIC + found.group(1) + CLOSE
        slot = found.group(2)
        text = slots.text(slot)
        if slot.removesuffix("2") in UNMARKED or once and marked:
            return text
        marked.append(slot)
        return (EVENT if slot.endswith("2") else role) + text + CLOSE

    return re.sub(r"\*(.+?)\*|\{(\w+)\}", put, pattern)


def with_literal(kind, pattern):
    """The pattern with the word that says what is asked between stars."""
    for word in LITERALS.get(kind, ()):
        starred, count = re.subn(rf"(?i)\b({word})\b", r"*\1*", pattern, count=1)
        if count:
            return starred
    return pattern


def content(text):
    """Without words that name nothing."""
    return " ".join(w for w in text.split() if w.lower() not in EMPTY)


# questions: each function gives (marked question, asks, order, side)
def of_kind(rng, words, held):
    """A question of a kind that days ask."""
    kind = rng.choice(list(KINDS))
    asks, order, side = KINDS[kind]
    pattern = rng.choice((wordings.HELD_OUT if held else lexicon.PHRASINGS)[kind])
    order = order or ("last" if LAST.search(pattern) else "none")
    role = EVENT if side != "none" else TOPIC
    return filled(rng, with_literal(kind, pattern), words, role, once=True), asks, order, side


def of_newcomers(rng, words, held):
    """A question of a kind of newcomers.py."""
    kind = rng.choice(list(NEWCOMERS))
    asks, order, side = NEWCOMERS[kind]
    pattern = rng.choice((telling.HELD_OUT if held else telling.PATTERNS)[kind])
    role = EVENT if side != "none" else TOPIC
    return filled(rng, pattern, words, role), asks, order, side


def of_list(rng, words, held):
    """A question of texts/understand.txt, with capitals and marks or without."""
    bank = LONG_HELD_OUT if held else LONG
    asks = rng.choice(ASKS)
    heads = [head for head in bank if head.split()[0] == asks]
    sizes = [len(bank[head]) ** 0.5 for head in heads]
    head = rng.choices(heads, sizes)[0]
    asks, order, side = head.split()[:3]
    text = filled(rng, rng.choice(bank[head]), words, TOPIC)
    if rng.random() < 0.6:
        text = text[:1].upper() + text[1:]
    if rng.random() < 0.65 and text[-1] not in ".?!":
        text += "?"
    return text, asks, order, side


FIRST_WORD = {
    "What": "what",
    "Which": "what",
    "Who": "who",
    "When": "when",
    "Where": "where",
    "Why": "why",
    "Did": "yes_no",
    "Was": "yes_no",
    "Am": "yes_no",
    "{were}": "yes_no",
    "{are}": "yes_no",
}
PLAIN = [
    p
    for p in (
        *wordings.ABOUT["thing"],
        *wordings.ABOUT["place"],
        *(question for question, _ in wordings.GENERAL),
    )
    if p.split()[0] in FIRST_WORD
    and not re.search(r"\b(?:when|while|like|(?:What|Which) (?:time|day|month|year))\b", p)
]
NO_CONTENT = set("what which who when where why did was am will would can had have has be".split())


def of_unstated(rng, words, held):
    """A question that no log answers: all its words of content are the topic."""
    pattern = rng.choice(PLAIN)
    asks = FIRST_WORD[pattern.split()[0]]
    parts = re.findall(r"\{\w+\}|[\w']+|[^\w\s{}]+|\s+", pattern)

    def star(part):
        word = part.lower()
        plain = word.isalpha() and word not in EMPTY | NO_CONTENT
        return f"*{part}*" if plain else part

    return filled(rng, "".join(map(star, parts)), words, TOPIC), asks, "none", "none"


SOURCES = {of_kind: 42, of_newcomers: 10, of_list: 43, of_unstated: 5}


def understand_example(rng, held=False):
    """(prompt, reply, links) of a question. `held`: in wordings that no training uses."""
    dice = rng.random()
    words = (
        lexicon.STARTER_WORDS if dice < 0.35 else lexicon.open_words(rng) if dice < 0.55 else None
    )
    sources = {s: w for s, w in SOURCES.items() if not held or s is not of_unstated}
    make = rng.choices(list(sources), sources.values())[0]
    text, asks, order, side = make(rng, words, held)
    text = text if held else slips.typed(rng, queries.casual(rng, text))
    found = {TOPIC: [], EVENT: []}
    for mark, phrase in MARKED.findall(text):
        found[mark].append(content(phrase))
    topic, event = (" ".join(filter(None, found[mark])) for mark in (TOPIC, EVENT))
    question = re.sub(f"[{TOPIC}{EVENT}{CLOSE}]", "", text)
    prompt = templates.prompt("understand", question=question)
    reply = query(asks, topic, order, side, event)
    return prompt, reply, links(prompt, text, reply)


def links(prompt, text, reply):
    """The links from each word of topic and event to its place in the question."""
    start = prompt.rindex("Question: ") + len("Question: ")
    begin, made = {TOPIC: '"topic": "', EVENT: '"event": "'}, []
    reached = {mark: reply.index(key) + len(key) for mark, key in begin.items()}
    skipped = len(text) - len(text.lstrip())
    for found in MARKED.finditer(text):
        mark, phrase = found.groups()
        for word in re.finditer(r"\S+", phrase):
            if word.group().lower() in EMPTY:
                continue
            before = text[skipped : found.start(2) + word.start()]
            at = start + len(re.sub(f"[{TOPIC}{EVENT}{CLOSE}]", "", before))
            here = reply.index(word.group(), reached[mark])
            reached[mark] = here + len(word.group())
            made.append(((here, reached[mark]), (at, at + len(word.group()))))
    return made
