"""The speech of the starter world, and its voices.

SPEECH      sentence patterns; sample_sentence(rng) fills one in. Sentences are in lower case, with
            their final mark.
PROMISES, GREETINGS, ERRANDS   the patterns that carry a day's plot VOICES      espeak-ng voices of
the days: {"name", "voice", "pitch", "speed"}. OTHER_VOICES occur
            only in days that measure the cost of strange voices (world.py --other-voices). No
            training hears them.
"""

from vocab import ACTIVITIES, OBJECT_NAMES, PLACE_NAMES, PLURAL, in_place

NAMES = [
    "anna",
    "ben",
    "clara",
    "david",
    "emma",
    "frank",
    "grace",
    "henry",
    "julia",
    "martin",
    "nora",
    "peter",
    "sarah",
    "tom",
    "alice",
    "lucy",
    "oscar",
    "victor",
]
TIMES = [
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
]
NUMBERS = ["two", "three", "four", "five", "six", "ten", "twelve", "twenty"]
DAYS = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
FOODS = [
    "milk",
    "butter",
    "rice",
    "sugar",
    "tea",
    "honey",
    "onions",
    "tomatoes",
    "potatoes",
    "fish",
]
COLOURS = ["red", "blue", "green", "yellow", "black", "white", "brown", "pink"]
# The sentences that carry a plot: promises, greetings and errands.
PROMISES = [
    "i promise to {base}.",
    "i promise to call {name}.",
    "i promise to bring the {object}.",
    "i promise to buy {food}.",
]
GREETINGS = ["hello, i am {name}.", "hello, my name is {name}.", "nice to meet you, i am {name}."]
ERRANDS = [
    "please go to the {place} and {errand}.",
    "can you go to the {place} and {errand}?",
    "you should go to the {place} and {errand}.",
]
# Aims of errands: the first two belong to a supermarket, the rest to any place.
ERRAND = [
    "buy {food}",
    "buy {number} bags of {food}",
    "meet {name}",
    "fetch the {object}",
    "look for {name}",
    "return the {object}",
]
SPEECH = (
    PROMISES
    + GREETINGS
    + ERRANDS
    + [
        "we need {food}.",
        "we need {food} and {food2}.",
        "please buy {number} bags of {food}.",
        "have you seen the {object}?",
        "where did you put the {object}?",
        "the {object} belong to {name}.",
        "do not forget the {object}.",
        "bring the {object} tomorrow.",
        "{name} called this morning.",
        "{name} comes at {time}.",
        "{name} is waiting {in}.",
        "meet me {in} at {time}.",
        "see you {in} on {day}.",
        "let us go to the {place}.",
        "i want to {base}.",
        "can you {base} today?",
        "{name} likes to {base}.",
        "it is {time} already.",
        "dinner is at {time}.",
        "the train leaves at {time}.",
        "my birthday is on {day}.",
        "call {name} on {day}.",
        "{name} lost the {colour} {object}.",
        "i found a {colour} umbrella.",
        "the door is {colour}.",
        "it costs {number} pounds.",
        "only {number} minutes left.",
        "good morning {name}.",
        "thank you {name}, see you on {day}.",
        "it will rain on {day}.",
        "turn left after the {place}.",
        "give the {object} to {name}.",
        "who took the {object}?",
        "i cannot find the {object}.",
        "the {object} is very old.",
        "{name} sold the {object}.",
        "{name} wants a new {object}.",
        "do you like my {object}?",
        "put the {object} in the {place}.",
        "{name} left the {object} {in}.",
        "there is no {food} left.",
        "would you like some {food}?",
        "the {food} is too expensive.",
        "do not eat the {food}.",
        "{name} cooks {food} on {day}.",
        "open the window please.",
        "close the door please.",
        "what a beautiful day.",
        "i am very tired.",
        "you are late again.",
        "the bus leaves in {number} minutes.",
        "we meet again on {day}.",
        "{name} and {name2} are here.",
        "{name} forgot to {base}.",
        "tell {name} to wait {in}.",
        "is {name} still {in}?",
        "the {place} closes at {time}.",
        "we have lunch at {time}.",
        "wake me up at {time}.",
        "my phone number ends with {number}.",
        "that makes {number} pounds please.",
        "the {colour} one is mine.",
        "i like the {colour} {object}.",
        "have a nice {day}.",
    ]
)
VOICES = [
    {"name": "alice", "voice": "en+f2", "pitch": 55, "speed": 145},
    {"name": "brian", "voice": "en", "pitch": 42, "speed": 140},
    {"name": "carol", "voice": "en-us+f3", "pitch": 60, "speed": 150},
    {"name": "duncan", "voice": "en-gb-scotland+m3", "pitch": 38, "speed": 140},
    {"name": "edgar", "voice": "en-us+m7", "pitch": 48, "speed": 155},
    {"name": "fiona", "voice": "en-gb-scotland+f4", "pitch": 58, "speed": 145},
    {"name": "gordon", "voice": "en-us+m1", "pitch": 45, "speed": 150},
    {"name": "hazel", "voice": "en-gb-x-rp+f1", "pitch": 52, "speed": 140},
]
OTHER_VOICES = [
    {"name": "ivan", "voice": "en+m4", "pitch": 44, "speed": 145},
    {"name": "june", "voice": "en-us+f5", "pitch": 57, "speed": 150},
    {"name": "keith", "voice": "en-gb-x-rp+m2", "pitch": 40, "speed": 150},
    {"name": "lynn", "voice": "en-gb-scotland+f1", "pitch": 54, "speed": 140},
]


def fill(rng, pattern, **known):
    """The pattern with its slots filled. `known` gives the values of some; `rng` is a
    random.Random."""
    food, food2 = rng.sample(FOODS, 2)
    name, name2 = rng.sample(NAMES, 2)
    place = rng.choice(PLACE_NAMES)
    base = rng.choice(
        [a["base"] for a in ACTIVITIES if "{name}" not in pattern or " my " not in a["base"]]
    )
    holes = {
        "name": name,
        "name2": name2,
        "object": rng.choice(OBJECT_NAMES),
        "place": place,
        "in": in_place(place),
        "time": rng.choice(TIMES),
        "number": rng.choice(NUMBERS),
        "day": rng.choice(DAYS),
        "food": food,
        "food2": food2,
        "colour": rng.choice(COLOURS),
        "base": base,
        **known,
    }
    if "{errand}" in pattern:
        fit = ERRAND[:2] if holes["place"] == "supermarket" else ERRAND[2:]
        holes.setdefault("errand", rng.choice(fit).format(**holes))
    if holes["object"] in PLURAL:
        pattern = pattern.replace("the {object} is", "the {object} are").replace(
            "a new {object}", "new {object}"
        )
    else:
        pattern = pattern.replace("{object} belong ", "{object} belongs ")
    return pattern.format(**holes)


def sample_sentence(rng):
    """One spoken sentence in lower case with its final mark; `rng` is a random.Random."""
    return fill(rng, rng.choice(SPEECH))
