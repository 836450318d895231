"""The texts that starter-lm writes besides answers: captions, stories and lists of names, with
their prompts.

Each `*_example(rng)` gives (the rendered prompt, the reply, links). The inputs of a prompt have the
errors of perception: missing or added things, misheard words. A link names the source of a part of
the reply, so that the training can teach where to look: (start and end in the reply, start and end
in the prompt). `python training/lm.py examples` prints some of each.
"""

import re

import sayings
import vocab
from day import asking, daylog, plot
from day.daylog import Segment
from language import lexicon, logs, templates

# captions
MASS = {"bread", "cheese", "milk", "soap", "honey", "chocolate", "paint", "rope", "pizza"}


def article(thing, words):
    """'banana' -> 'a banana', 'keys' -> 'some keys'."""
    if thing in words.plural or thing in MASS:
        return "some " + thing
    return ("an " if thing[0] in "aeiou" else "a ") + thing


def span(text, part, start=0):
    """(start, end) of a part within a text."""
    at = text.index(part, start)
    return at, at + len(part)


CAPTIONS = ["I am {doing} {in}."]
CAPTIONS_WITH = [
    "I am {doing} {in}, with {thing} beside me.",
    "I am {in}, {doing} next to {thing}.",
    "I see {thing} while I am {doing} {in}.",
    "I am {doing} {in} and see {thing}.",
]


def caption(rng, segment, words):
    """One sentence with place and activity, in most cases with one or two of the things."""
    slots = {"doing": segment.activity, "in": words.in_place(segment.place)}
    if not segment.seen or rng.random() < 0.2:
        return rng.choice(CAPTIONS).format(**slots)
    named = rng.sample(segment.seen, 2 if len(segment.seen) > 1 and rng.random() < 0.3 else 1)
    return rng.choice(CAPTIONS_WITH).format(
        thing=" and ".join(article(t, words) for t in named), **slots
    )


def fits(prompt, reply):
    """Whether a caption is a possible one for its prompt, with any of the things."""
    place, activity, things = (line.split(": ", 1)[1] for line in prompt.splitlines()[-3:])
    words = asking.Words(
        {place: vocab.PLACES.get(place) or lexicon.MORE_PLACES.get(place)},
        [],
        {},
        vocab.PLURAL | lexicon.MORE_PLURAL,
    )
    if words.places[place] is None:  # a made-up place can have any preposition
        words.places[place] = {
            "in": next(
                (w + " the " + place for w in ("in", "on", "at") if w + " the " + place in reply),
                "",
            )
        }
    slots = {"doing": activity, "in": words.in_place(place)}
    named = [article(thing, words) for thing in things.split(", ")]
    named += [f"{a} and {b}" for a in named for b in named if a != b]
    return reply in [CAPTIONS[0].format(**slots)] + [
        c.format(thing=t, **slots) for c in CAPTIONS_WITH for t in named if things != "none"
    ]


def log_words(rng):
    """Words for one log: the starter world's or, in a tenth of the logs, others too."""
    return lexicon.open_words(rng) if rng.random() < 0.1 else asking.VOCABULARY


def caption_example(rng):
    words = log_words(rng)
    place = rng.choice(words.place_names)
    fit = (
        vocab.activities_of(place)
        if place in vocab.PLACES and rng.random() < 0.5
        else words.activity_names
    )
    segment = Segment(
        0, 1, place, rng.choice(fit), rng.sample(words.objects, rng.choice((0, 1, 1, 1, 2, 2, 3)))
    )
    text = templates.prompt("caption", place=place, activity=segment.activity, things=segment.seen)
    reply, fields = caption(rng, segment, words), text.index("Place: ")
    links = [
        (span(reply, part), span(text, part, text.index(field, fields) + len(field)))
        for field, part in [
            ("Place: ", place),
            ("Activity: ", segment.activity),
            *(("Things: ", t) for t in segment.seen),
        ]
        if part in reply
    ]
    return text, reply, links


# stories
OPENINGS = {
    1: ["I was"],
    2: ["First I was", "Then I was"],
    3: ["First I was", "Then I was", "Finally I was"],
}


def moments(told):
    """Without moments that only continue the one before."""

    def same(a, b):
        return (a[0].place, a[0].activity) == (b[0].place, b[0].activity)

    return [t for i, t in enumerate(told) if i == 0 or not same(t, told[i - 1])]


def story(rng, told):
    """At most three sentences from tuples (segment, span of its activity, span of its place, place
    in words). Up to three moments get one sentence each, and up to six get two in each. Of more
    moments, the story tells the first two, any two neighbours and the last two. A moment that
    continues is told once, and so is the place of two moments in one sentence."""
    new = moments(told)
    n = len(new)
    if n <= 3:
        parts = [new[i : i + 1] for i in range(n)]
    elif n <= 6:
        parts = [new[:2], new[2:4] if n > 4 else new[2:3], new[4:] if n > 4 else new[3:]]
    else:
        middle = rng.randint(2, n - 4)
        parts = [new[:2], new[middle : middle + 2], new[-2:]]
    openings = OPENINGS[len(parts)]
    out, links = "", []
    for opening, part in zip(openings, parts):
        out += (" " if out else "") + opening
        for i, (s, activity, place, where) in enumerate(part):
            out += " and" if i else ""
            goes_on = i + 1 < len(part) and part[i + 1][0].place == s.place
            for text, source in ((s.activity, activity), (where, place))[: 1 if goes_on else 2]:
                links.append(((len(out) + 1, len(out) + 1 + len(text)), source))
                out += " " + text
        out += "."
    return out, links


def true_story(told, reply):
    """Whether the reply has at most three sentences that tell moments of the log or the notes in
    their order, including the first and the last."""
    new, known = moments(told), {}
    for i, (s, _, _, where) in enumerate(new):
        known.setdefault(f"{s.activity} {where}", []).append((i, i))
        if i + 1 < len(new):
            t, there = new[i + 1][0], new[i + 1][3]
            known.setdefault(f"{s.activity} {where} and {t.activity} {there}", []).append(
                (i, i + 1)
            )
            if there == where:
                known.setdefault(f"{s.activity} and {t.activity} {there}", []).append((i, i + 1))
    sentences, told_until = reply.split(". "), -1
    if not 1 <= len(sentences) <= 3 or not reply.endswith("."):
        return False
    for number, (opening, sentence) in enumerate(zip(OPENINGS[len(sentences)], sentences)):
        told_here = (
            sentence.removeprefix(opening + " ").removesuffix(".")
            if sentence.startswith(opening)
            else ""
        )
        fit = [span for span in known.get(told_here, []) if span[0] > told_until]
        fit = [
            span
            for span in fit
            if (number > 0 or span[0] == 0)
            and (number + 1 < len(sentences) or span[1] == len(new) - 1)
        ]
        if not fit:
            return False
        told_until = fit[0][1]
    return True


def story_moments(rng):
    """(the prompt, its moments)"""
    words = log_words(rng)
    count = rng.choice((1, 2, 3, 4, 5, 6, 6, 6, 7, 7, 8, 9))
    segments = (
        plot.plot(rng, int(count * rng.uniform(7, 16)))
        if words is asking.VOCABULARY and rng.random() < 0.5
        else logs.shuffled(rng, count, words)
    )
    segments = logs.perceived(rng, segments, words) if rng.random() < 0.3 else segments
    every = rng.choice((5, 10, 15, 15, 15, 20, 30))
    notes, seen = [], []
    for i in range(count):
        s = (
            segments[i % len(segments)]
            if words is not asking.VOCABULARY
            else next(
                (s for s in segments if s.start <= i * every < s.end), segments[i % len(segments)]
            )
        )
        notes.append(f"{daylog.time_text(i * every)} {caption(rng, s, words)}")
        seen.append(s)
    text = templates.prompt("story", notes=notes)
    told, at = [], text.index(notes[0])
    for note, s in zip(notes, seen):
        where = words.in_place(s.place)
        told.append((s, span(text, s.activity, at), span(text, where, at), where))
        at += len(note) + 1
    return text, told


def story_example(rng):
    text, told = story_moments(rng)
    return (text, *story(rng, told))


# persons and things
ACTIVITY_THINGS = (
    "dishes,vegetables,soup,coffee,sandwich,book,newspaper,laptop,letter,guitar,video "
    "game,laundry,plants,flowers,"
    "apples,cat,dog,bike,umbrella,trolley,bill,list,weights,juice,nail,wood,picture,kite,photo,"
    "ice cream"
).split(",")
HEARD_THINGS = "train,door,car,window,water,food,money,paper,book,phone".split(",")
PERSONS = "friend,mother,father,sister,brother,doctor,teacher".split(",")
MORE_NAMES = (
    "alice,paul,mary,john,lucy,max,sophie,george,helen,jack,laura,oscar,rose,simon,victor,zoe,maria,daniel,ruth,leo,"
    "eva,hugo,nina,otto,iris,karl,linda,oliver,rita,sam"
).split(",")
# The longest come first, because the pattern must not stop at the beginning of a longer name. Names
# of one length are in alphabetical order: a set's order differs from process to process.
NAMED = sorted(
    {
        *sayings.NAMES,
        *vocab.OBJECT_NAMES,
        *sayings.FOODS,
        *ACTIVITY_THINGS,
        *HEARD_THINGS,
        *PERSONS,
        *lexicon.MORE_OBJECTS,
        *MORE_NAMES,
    },
    key=lambda name: (-len(name), name),
)
# "can you water the plants" does not name water.
NAMED_PATTERN = re.compile(
    r"\b(?!(?<=to )(?:water|saw|paint|hammer)\b)(?!(?<=you )(?:water|saw|paint|hammer)\b)(?:"
    + "|".join(map(re.escape, NAMED))
    + r")\b",
    re.IGNORECASE,
)
MORE_SAID = [
    "{name} gave {other} the {thing}.",
    "i lost my {thing}.",
    "{name} and {other} have the {thing} and the {more}.",
    "is that your {thing}, {name}?",
    "put the {thing} next to the {more}.",
    "{name} took the {thing}.",
    "where is {name}?",
    "tell {name} about the {thing}.",
    "the {thing} is broken.",
    "my {person} needs a {thing}.",
]


def named(text):
    """The persons and things of a text as they are written, in order, each once."""
    first = {}
    for found in NAMED_PATTERN.findall(text):
        first.setdefault(found.lower(), found)
    return list(first.values())


def sentence_said(rng):
    if rng.random() < 0.75:
        return sayings.sample_sentence(rng)
    name, other = rng.sample(sayings.NAMES + MORE_NAMES, 2)
    thing, more = rng.sample(vocab.OBJECT_NAMES + lexicon.MORE_OBJECTS, 2)
    return rng.choice(MORE_SAID).format(
        name=name, other=other, thing=thing, more=more, person=rng.choice(PERSONS)
    )


def entities_example(rng):
    said = [sentence_said(rng) for _ in range(rng.choice((1, 1, 1, 1, 1, 1, 1, 2, 2, 3)))]
    noisy = rng.random() < 0.5
    said = [
        logs.misheard(rng, s, asking.VOCABULARY) if noisy and rng.random() < 0.6 else s
        for s in said
    ]
    if noisy and rng.random() < 0.3:  # the ear's segments begin and end at pauses
        said = [
            " ".join(s.split()[rng.choice((0, 0, 0, 1, 2)) :][: rng.choice((9, 9, 2, 3, 4))])
            for s in said
        ]
    if noisy and rng.random() < 0.3:
        said = [s.rstrip(".?") if rng.random() < 0.3 else s for s in said]
    if rng.random() < 0.25:  # in written style, not as heard
        said = [
            re.sub(
                r"\b(" + "|".join(sayings.NAMES + MORE_NAMES) + r"|i)\b",
                lambda m: m.group().capitalize(),
                s,
            )
            for s in said
        ]
        said = [s[:1].upper() + s[1:] for s in said]
    text = " ".join(said)
    right, known = named(text), []
    if rng.random() < 0.5:  # names from this sentence and from others
        known = [t for t in right if rng.random() < 0.8] + rng.sample(
            NAMED, rng.choice((0, 1, 2, 3, 5, 8))
        )
        known = sorted({t.lower() for t in known})
    prompt, reply, links = templates.prompt("entities", text=text, known=known), "", []
    begins = prompt.index("Text: ") + 6
    for thing in right:
        reply += "\n- " if reply else "- "
        found = re.search(rf"\b{re.escape(thing)}\b", text)
        links.append(
            ((len(reply), len(reply) + len(thing)), (begins + found.start(), begins + found.end()))
        )
        reply += thing
    return prompt, reply or "none", links


EXAMPLES = {"caption": caption_example, "story": story_example, "entities": entities_example}
