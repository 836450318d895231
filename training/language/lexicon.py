"""Words for random logs: the starter world's, others, and made-up ones; and the weights of the
wordings."""

import phrases
import texts
import vocab
import wordings
from day.asking import Words

# Words outside the starter world.
MORE_PLACES = {
    name: {"in": f"{preposition} the {name}"}
    for preposition, names in texts.sections("more_places").items()
    for name in names
}
MORE_OBJECTS = [t for t in texts.lines("more_objects") if t not in vocab.OBJECT_NAMES]
MORE_PLURAL = {"nails", "boots", "slippers", "cookies", "skates"}
MORE_ACTIVITIES = {
    line.split("/")[0]: dict(zip(("gerund", "base", "past"), line.split("/")))
    for line in texts.lines("more_activities")
}
LOOSE_WORDS = texts.words("loose_words")
# Wordings of the questions in training: often those of the days, and thousands more. Exams of days
# use wordings.PHRASINGS alone.
PHRASINGS = {}


def weigh_wordings(known_share):
    """Gives this share of the questions the days' own wordings. Of the others, half come from
    wordings.py and half from phrases.py; a few are short spoken forms."""
    for kind, known in wordings.PHRASINGS.items():
        made, written = phrases.made(kind), wordings.WORDINGS[kind]
        times = round(2 * len(made) * known_share / (1 - known_share) / len(known))
        spoken = wordings.SPOKEN[kind] * round(len(made) / 5 / len(wordings.SPOKEN[kind]))
        PHRASINGS[kind] = known * times + written * round(len(made) / len(written)) + made + spoken
    for bank, known in wordings.ABOUT.items():
        made = phrases.made(bank)
        PHRASINGS["about " + bank] = known * round(1.5 * len(made) / len(known)) + made


weigh_wordings(0.25)
STARTER_WORDS = Words(vocab.PLACES, vocab.OBJECT_NAMES, vocab.ACTIVITY, vocab.PLURAL, PHRASINGS)
SYLLABLES = (
    "ba be bi bo da de di do fa fe ga go ha ka ke ko la le li lo lu ma me mi mo na ne ni no pa pe "
    "po ra re ri ro sa se "
    "si so ta te ti to va ve vi wa za zu".split()
)


def made_up(rng):
    """A made-up word, so that the model learns to copy and not a list."""
    return "".join(rng.choice(SYLLABLES) for _ in range(rng.randint(2, 4))) + rng.choice(
        ("", "n", "r", "s", "t", "x")
    )


def open_words(rng):
    """A vocabulary for one log that mixes the starter world's words with others."""
    share = rng.choice((0.3, 0.6, 1.0))

    def mix(known, more):
        return rng.sample(known, int(len(known) * (1 - share))) + rng.sample(
            more, max(1, int(len(more) * share))
        )

    places = {
        p: (vocab.PLACES.get(p) or MORE_PLACES[p])
        for p in mix(vocab.PLACE_NAMES, list(MORE_PLACES))
    }
    objects = mix(vocab.OBJECT_NAMES, MORE_OBJECTS)
    activities = {
        a: (vocab.ACTIVITY.get(a) or MORE_ACTIVITIES[a])
        for a in mix(vocab.ACTIVITY_NAMES, list(MORE_ACTIVITIES))
    }
    if rng.random() < 0.3:
        objects += [made_up(rng) for _ in range(15)]
        places.update(
            {
                w: {"in": f"{rng.choice(('in', 'at', 'on'))} the {w}"}
                for w in (made_up(rng) for _ in range(3))
            }
        )
        for noun in [made_up(rng) for _ in range(8)] + rng.sample(MORE_OBJECTS, 8):
            verb = rng.choice(("moving", "pulling", "cleaning", "carrying", "holding", "painting"))
            stem = {"moving": "move"}.get(verb, verb[:-3])
            past = {"holding": "held", "carrying": "carried"}.get(verb, stem.rstrip("e") + "ed")
            activities[f"{verb} the {noun}"] = {
                "gerund": f"{verb} the {noun}",
                "base": f"{stem} the {noun}",
                "past": f"{past} the {noun}",
            }
    return Words(places, objects, activities, vocab.PLURAL | MORE_PLURAL, PHRASINGS)


# activities prompt
MORE_ACTIVITIES_IN = texts.sections("more_activities_in")
ACTIVITIES_IN = {
    **{p: vocab.activities_of(p) for p in vocab.PLACE_NAMES},
    **{
        p: doing + [vocab.CARRYING]
        for p, doing in MORE_ACTIVITIES_IN.items()
        if p not in vocab.PLACES
    },
}


def activities_reply(place, count):
    return "\n".join(ACTIVITIES_IN[place][:count])
