"""The words of the starter world: what the generator draws and says, and what the labels are
called.

Everything that the starter models are taught, and every label list that a dialogue shows them,
comes from here.
`python training/vocab.py` writes the label lists to vocab/*.txt and checks the promises made below.

  PLACES      name -> {"in": the phrase with its preposition, "outdoor": bool}
  OBJECTS     things that lie about: {"name", "emoji", "hold": can be held in a hand}
  ACTIVITIES  {"gerund", "base", "past", "places": 2..4 place names, "prop": emoji or "" when drawn
              by hand in scene.py}
  CARRYING    the one activity that can happen anywhere: something that can be held is carried,
              taken or put down
  PEOPLE      what is said of the persons in sight, from nobody on
  SOUNDS      what is heard besides speech: {name: {"activities", "places"} in which it is heard}
  SPEECH      sentence patterns; sample_sentence(rng) fills one in. Sentences are lower case, with
              their final mark.
  PROMISES, GREETINGS, ERRANDS   the patterns among them on which a day's plot hangs
  VOICES      espeak-ng voices of the days: {"name", "voice", "pitch", "speed"}; OTHER_VOICES speak
              only in days made to
              measure what strange voices cost (world.py --other-voices): no training hears them
"""

import os

PLACES = {
    "kitchen": {"in": "in the kitchen", "outdoor": False},
    "living room": {"in": "in the living room", "outdoor": False},
    "bedroom": {"in": "in the bedroom", "outdoor": False},
    "bathroom": {"in": "in the bathroom", "outdoor": False},
    "office": {"in": "in the office", "outdoor": False},
    "supermarket": {"in": "in the supermarket", "outdoor": False},
    "cafe": {"in": "in the cafe", "outdoor": False},
    "gym": {"in": "in the gym", "outdoor": False},
    "workshop": {"in": "in the workshop", "outdoor": False},
    "hallway": {"in": "in the hallway", "outdoor": False},
    "library": {"in": "in the library", "outdoor": False},
    "train station": {"in": "at the train station", "outdoor": True},
    "garden": {"in": "in the garden", "outdoor": True},
    "street": {"in": "on the street", "outdoor": True},
    "park": {"in": "in the park", "outdoor": True},
    "beach": {"in": "on the beach", "outdoor": True},
    "bus stop": {"in": "at the bus stop", "outdoor": True},
}


def _object(name, emoji, hold=True):
    return {"name": name, "emoji": emoji, "hold": hold}


OBJECTS = [
    _object("keys", "🔑"),
    _object("glasses", "👓"),
    _object("purse", "👛"),
    _object("hat", "🎩"),
    _object("cap", "🧢"),
    _object("scarf", "🧣"),
    _object("gloves", "🧤"),
    _object("socks", "🧦"),
    _object("shoes", "👟"),
    _object("watch", "⌚"),
    _object("ring", "💍"),
    _object("backpack", "🎒"),
    _object("handbag", "👜"),
    _object("suitcase", "🧳", False),
    _object("candle", "🕯️"),
    _object("torch", "🔦"),
    _object("alarm clock", "⏰"),
    _object("balloon", "🎈"),
    _object("ball", "⚽"),
    _object("basketball", "🏀"),
    _object("teddy bear", "🧸"),
    _object("present", "🎁"),
    _object("scissors", "✂️"),
    _object("magnet", "🧲"),
    _object("screwdriver", "🪛"),
    _object("banana", "🍌"),
    _object("watermelon", "🍉"),
    _object("grapes", "🍇"),
    _object("pineapple", "🍍"),
    _object("bread", "🍞"),
    _object("cheese", "🧀"),
    _object("egg", "🥚"),
    _object("cake", "🎂"),
    _object("doughnut", "🍩"),
    _object("bottle", "🍾"),
    _object("milk", "🥛"),
    _object("cactus", "🌵"),
    _object("rose", "🌹"),
    _object("sunflower", "🌻"),
    _object("radio", "📻", False),
    _object("drum", "🥁", False),
    _object("trumpet", "🎺"),
    _object("headphones", "🎧"),
    _object("dice", "🎲"),
    _object("trophy", "🏆"),
    _object("bell", "🔔"),
    _object("parcel", "📦"),
    _object("globe", "🌍", False),
    _object("crown", "👑"),
    _object("bucket", "🪣"),
    _object("lemon", "🍋"),
    _object("pizza", "🍕"),
    _object("teapot", "🫖"),
    _object("violin", "🎻"),
    _object("microphone", "🎤"),
    _object("boots", "👢"),
    _object("dress", "👗"),
    _object("map", "🗺️"),
    _object("compass", "🧭"),
    _object("yarn", "🧶"),
    _object("mirror", "🪞"),
    _object("medal", "🏅"),
]


def _activity(gerund, base, past, places, prop):
    return {"gerund": gerund, "base": base, "past": past, "places": places, "prop": prop}


ACTIVITIES = [
    _activity(
        "washing the dishes", "wash the dishes", "washed the dishes", ["kitchen", "cafe"], "🍽️"
    ),
    _activity(
        "chopping vegetables",
        "chop vegetables",
        "chopped vegetables",
        ["kitchen", "garden"],
        "🔪🥕",
    ),
    _activity("cooking soup", "cook soup", "cooked soup", ["kitchen", "cafe"], "🍲🥄"),
    _activity(
        "drinking coffee",
        "drink coffee",
        "drank coffee",
        ["kitchen", "office", "cafe", "bus stop"],
        "☕",
    ),
    _activity(
        "eating a sandwich",
        "eat a sandwich",
        "ate a sandwich",
        ["office", "park", "bus stop", "train station"],
        "🥪",
    ),
    _activity(
        "reading a book",
        "read a book",
        "read a book",
        ["living room", "bedroom", "garden", "library"],
        "📖",
    ),
    _activity(
        "reading the newspaper",
        "read the newspaper",
        "read the newspaper",
        ["living room", "cafe", "bus stop", "train station"],
        "📰",
    ),
    _activity(
        "typing on the laptop",
        "type on the laptop",
        "typed on the laptop",
        ["living room", "office", "cafe", "library"],
        "💻",
    ),
    _activity(
        "writing a letter",
        "write a letter",
        "wrote a letter",
        ["bedroom", "office", "library"],
        "✉️✏️",
    ),
    _activity(
        "calling a friend",
        "call a friend",
        "called a friend",
        ["bedroom", "office", "street", "bus stop"],
        "📱",
    ),
    _activity(
        "playing the guitar",
        "play the guitar",
        "played the guitar",
        ["living room", "bedroom", "beach"],
        "🎸",
    ),
    _activity(
        "playing a video game",
        "play a video game",
        "played a video game",
        ["living room", "bedroom"],
        "🎮",
    ),
    _activity("brushing my teeth", "brush my teeth", "brushed my teeth", ["bathroom", "gym"], "🪥"),
    _activity(
        "washing my hands",
        "wash my hands",
        "washed my hands",
        ["kitchen", "bathroom", "workshop"],
        "🧼",
    ),
    _activity("shaving", "shave", "shaved", ["bathroom", "gym"], "🪒"),
    _activity(
        "folding the laundry",
        "fold the laundry",
        "folded the laundry",
        ["bedroom", "bathroom", "hallway"],
        "👕",
    ),
    _activity(
        "watering the plants",
        "water the plants",
        "watered the plants",
        ["living room", "office", "garden", "hallway"],
        "",
    ),
    _activity("planting flowers", "plant flowers", "planted flowers", ["garden", "park"], "🌷"),
    _activity("picking apples", "pick apples", "picked apples", ["supermarket", "garden"], "🍎"),
    _activity(
        "feeding the cat",
        "feed the cat",
        "fed the cat",
        ["kitchen", "living room", "street", "hallway"],
        "🐈",
    ),
    _activity(
        "walking the dog", "walk the dog", "walked the dog", ["street", "park", "beach"], "🐕"
    ),
    _activity("riding a bike", "ride a bike", "rode a bike", ["street", "park"], ""),
    _activity(
        "holding an umbrella",
        "hold an umbrella",
        "held an umbrella",
        ["street", "beach", "bus stop"],
        "☂️",
    ),
    _activity(
        "pushing a trolley", "push a trolley", "pushed a trolley", ["supermarket", "street"], "🛒"
    ),
    _activity("paying the bill", "pay the bill", "paid the bill", ["supermarket", "cafe"], "💳"),
    _activity(
        "checking the list",
        "check the list",
        "checked the list",
        ["supermarket", "office", "workshop", "hallway"],
        "📋",
    ),
    _activity(
        "sweeping the floor",
        "sweep the floor",
        "swept the floor",
        ["supermarket", "workshop", "hallway"],
        "🧹",
    ),
    _activity("lifting weights", "lift weights", "lifted weights", ["gym", "bedroom"], ""),
    _activity("boxing", "box", "boxed", ["gym", "workshop"], "🥊"),
    _activity(
        "playing table tennis", "play table tennis", "played table tennis", ["gym", "park"], "🏓"
    ),
    _activity(
        "drinking juice",
        "drink juice",
        "drank juice",
        ["gym", "park", "beach", "train station"],
        "🧃",
    ),
    _activity("hammering a nail", "hammer a nail", "hammered a nail", ["workshop", "garden"], "🔨"),
    _activity("sawing wood", "saw wood", "sawed wood", ["workshop", "garden"], "🪚🪵"),
    _activity(
        "painting a picture",
        "paint a picture",
        "painted a picture",
        ["workshop", "beach", "park"],
        "🎨🖌️",
    ),
    _activity("flying a kite", "fly a kite", "flew a kite", ["park", "beach"], "🪁"),
    _activity(
        "taking a photo",
        "take a photo",
        "took a photo",
        ["street", "beach", "bathroom", "train station"],
        "📷",
    ),
    _activity(
        "eating ice cream",
        "eat ice cream",
        "ate ice cream",
        ["supermarket", "beach", "street"],
        "🍦",
    ),
]

CARRYING = "carrying something"


def carrying(thing):
    """'keys' -> 'carrying the keys'."""
    return "carrying the " + thing


PEOPLE = ["nobody", "one person", "two people", "three people"]


def _sound(activities=(), places=()):
    return {"activities": list(activities), "places": list(places)}


SOUNDS = {
    "running water": _sound(
        ["washing the dishes", "washing my hands", "brushing my teeth", "watering the plants"]
    ),
    "doorbell": _sound(places=["hallway", "living room", "bedroom"]),
    "dog barking": _sound(["walking the dog"], ["park"]),
    "cat meowing": _sound(["feeding the cat"]),
    "footsteps": _sound([CARRYING], ["street", "hallway"]),
    "kettle": _sound(["drinking coffee", "cooking soup"], ["kitchen"]),
    "traffic": _sound(["riding a bike"], ["street", "bus stop"]),
    "birds": _sound(["planting flowers", "picking apples"], ["garden", "park"]),
    "waves": _sound(places=["beach"]),
    "typing": _sound(["typing on the laptop"], ["office"]),
    "hammering": _sound(["hammering a nail"], ["workshop"]),
    "sawing": _sound(["sawing wood"]),
    "music": _sound(["playing the guitar", "boxing"], ["gym", "cafe"]),
    "clock ticking": _sound(["reading a book", "writing a letter"], ["library", "living room"]),
    "train": _sound(places=["train station"]),
    "crowd": _sound(places=["supermarket", "cafe", "train station"]),
    "beeping": _sound(["paying the bill", "playing a video game"], ["supermarket"]),
}


def sounds_of(place, activity):
    """What may be heard there: the activity's own sounds first, then the place's; at least one."""
    activity = CARRYING if activity.startswith("carrying") else activity
    own = [name for name, s in SOUNDS.items() if activity in s["activities"]]
    return own + [
        name for name, s in SOUNDS.items() if place in s["places"] and name not in own
    ] or ["footsteps"]


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

# What a plot hangs on: what was promised, who was met, who was sent where and why.
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
# What one can be sent for: the first two to a supermarket, the rest anywhere.
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

PLACE_NAMES = list(PLACES)
OBJECT_NAMES = [o["name"] for o in OBJECTS]
HELD_NAMES = [o["name"] for o in OBJECTS if o["hold"]]
ACTIVITY_NAMES = [a["gerund"] for a in ACTIVITIES]
SEEN_ACTIVITIES = ACTIVITY_NAMES + [CARRYING]  # what the eye tells apart
OBJECT = {o["name"]: o for o in OBJECTS}
ACTIVITY = {a["gerund"]: a for a in ACTIVITIES}


def in_place(place):
    """'kitchen' -> 'in the kitchen'."""
    return PLACES[place]["in"]


def activities_of(place):
    """What can happen in a place: its own gerunds in vocabulary order, and that something is
    carried."""
    return [a["gerund"] for a in ACTIVITIES if place in a["places"]] + [CARRYING]


PLURAL = {
    "keys",
    "boots",
    "glasses",
    "gloves",
    "socks",
    "shoes",
    "scissors",
    "grapes",
    "headphones",
    "dice",
}


def fill(rng, pattern, **known):
    """The pattern with its holes filled, those in `known` as given; `rng` is a random.Random."""
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
    """One spoken sentence, lower case with its final mark; `rng` is a random.Random."""
    return fill(rng, rng.choice(SPEECH))


def check():
    assert (
        len(PLACES) >= 16
        and len(OBJECTS) >= 60
        and len(ACTIVITIES) >= 30
        and len(SOUNDS) >= 12
        and len(SPEECH) >= 60
        and len(VOICES) >= 6
    )
    assert sum(o["hold"] for o in OBJECTS) >= 30
    for names in (
        PLACE_NAMES,
        OBJECT_NAMES,
        ACTIVITY_NAMES,
        [a["base"] for a in ACTIVITIES],
        [o["emoji"] for o in OBJECTS],
        SPEECH,
    ):
        assert len(set(names)) == len(names)
    for a in ACTIVITIES:
        assert 2 <= len(a["places"]) <= 6 and set(a["places"]) <= set(PLACES), a
    for place in PLACES:
        assert 4 <= len(activities_of(place)) <= 9, (place, activities_of(place))
    for sound in SOUNDS.values():
        assert set(sound["activities"]) <= set(SEEN_ACTIVITIES) and set(sound["places"]) <= set(
            PLACES
        ), sound
    assert not {v["voice"] for v in VOICES} & {v["voice"] for v in OTHER_VOICES}


def write_lists(folder):
    os.makedirs(folder, exist_ok=True)
    for name, labels in (
        ("places", PLACE_NAMES),
        ("objects", OBJECT_NAMES),
        ("held", HELD_NAMES),
        ("activities", SEEN_ACTIVITIES),
        ("people", PEOPLE),
        ("sounds", list(SOUNDS)),
    ):
        with open(os.path.join(folder, name + ".txt"), "w", encoding="utf-8") as out:
            out.write("".join(label + "\n" for label in labels))


if __name__ == "__main__":
    check()
    write_lists(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "vocab"))
    for place in PLACES:
        print(f"{place:12} {len(activities_of(place))}  {', '.join(activities_of(place))}")
