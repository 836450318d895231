"""The words of the starter world: what the generator draws and says, and what the labels are called.

Everything that the starter models are taught, and every label list that a dialogue shows them, comes from here.
`python training/vocab.py` writes the label lists to vocab/*.txt and checks the promises made below.

  PLACES      name -> {"in": the phrase with its preposition, "outdoor": bool}
  OBJECTS     things that lie about: {"name", "emoji", "hold": can be held in a hand}
  ACTIVITIES  {"gerund", "base", "past", "places": 2..4 place names, "prop": emoji or "" when drawn by hand in scene.py}
  SPEECH      sentence patterns; sample_sentence(rng) fills one in. Sentences are lower case, with their final mark.
  VOICES      espeak-ng voices: {"name", "voice", "pitch", "speed"}
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
]


def _activity(gerund, base, past, places, prop):
    return {"gerund": gerund, "base": base, "past": past, "places": places, "prop": prop}


ACTIVITIES = [
    _activity("washing the dishes", "wash the dishes", "washed the dishes", ["kitchen", "cafe"], "🍽️"),
    _activity("chopping vegetables", "chop vegetables", "chopped vegetables", ["kitchen", "garden"], "🔪🥕"),
    _activity("cooking soup", "cook soup", "cooked soup", ["kitchen", "cafe"], "🍲🥄"),
    _activity("drinking coffee", "drink coffee", "drank coffee", ["kitchen", "office", "cafe", "bus stop"], "☕"),
    _activity("eating a sandwich", "eat a sandwich", "ate a sandwich", ["office", "park", "bus stop"], "🥪"),
    _activity("reading a book", "read a book", "read a book", ["living room", "bedroom", "garden"], "📖"),
    _activity("reading the newspaper", "read the newspaper", "read the newspaper", ["living room", "cafe", "bus stop"], "📰"),
    _activity("typing on the laptop", "type on the laptop", "typed on the laptop", ["living room", "office", "cafe"], "💻"),
    _activity("writing a letter", "write a letter", "wrote a letter", ["bedroom", "office"], "✉️✏️"),
    _activity("calling a friend", "call a friend", "called a friend", ["bedroom", "office", "street", "bus stop"], "📱"),
    _activity("playing the guitar", "play the guitar", "played the guitar", ["living room", "bedroom", "beach"], "🎸"),
    _activity("playing a video game", "play a video game", "played a video game", ["living room", "bedroom"], "🎮"),
    _activity("brushing my teeth", "brush my teeth", "brushed my teeth", ["bathroom", "gym"], "🪥"),
    _activity("washing my hands", "wash my hands", "washed my hands", ["kitchen", "bathroom", "workshop"], "🧼"),
    _activity("shaving", "shave", "shaved", ["bathroom", "gym"], "🪒"),
    _activity("folding the laundry", "fold the laundry", "folded the laundry", ["bedroom", "bathroom"], "👕"),
    _activity("watering the plants", "water the plants", "watered the plants", ["living room", "office", "garden"], ""),
    _activity("planting flowers", "plant flowers", "planted flowers", ["garden", "park"], "🌷"),
    _activity("picking apples", "pick apples", "picked apples", ["supermarket", "garden"], "🍎"),
    _activity("feeding the cat", "feed the cat", "fed the cat", ["kitchen", "living room", "street"], "🐈"),
    _activity("walking the dog", "walk the dog", "walked the dog", ["street", "park", "beach"], "🐕"),
    _activity("riding a bike", "ride a bike", "rode a bike", ["street", "park"], ""),
    _activity("holding an umbrella", "hold an umbrella", "held an umbrella", ["street", "beach", "bus stop"], "☂️"),
    _activity("pushing a trolley", "push a trolley", "pushed a trolley", ["supermarket", "street"], "🛒"),
    _activity("paying the bill", "pay the bill", "paid the bill", ["supermarket", "cafe"], "💳"),
    _activity("checking the list", "check the list", "checked the list", ["supermarket", "office", "workshop"], "📋"),
    _activity("sweeping the floor", "sweep the floor", "swept the floor", ["supermarket", "workshop"], "🧹"),
    _activity("lifting weights", "lift weights", "lifted weights", ["gym", "bedroom"], ""),
    _activity("boxing", "box", "boxed", ["gym", "workshop"], "🥊"),
    _activity("playing table tennis", "play table tennis", "played table tennis", ["gym", "park"], "🏓"),
    _activity("drinking juice", "drink juice", "drank juice", ["gym", "park", "beach"], "🧃"),
    _activity("hammering a nail", "hammer a nail", "hammered a nail", ["workshop", "garden"], "🔨"),
    _activity("sawing wood", "saw wood", "sawed wood", ["workshop", "garden"], "🪚🪵"),
    _activity("painting a picture", "paint a picture", "painted a picture", ["workshop", "beach", "park"], "🎨🖌️"),
    _activity("flying a kite", "fly a kite", "flew a kite", ["park", "beach"], "🪁"),
    _activity("taking a photo", "take a photo", "took a photo", ["street", "beach", "bathroom"], "📷"),
    _activity("eating ice cream", "eat ice cream", "ate ice cream", ["supermarket", "beach", "street"], "🍦"),
]

NAMES = ["anna", "ben", "clara", "david", "emma", "frank", "grace", "henry", "julia", "martin", "nora", "peter", "sarah", "tom"]
TIMES = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"]
NUMBERS = ["two", "three", "four", "five", "six", "ten", "twelve", "twenty"]
DAYS = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
FOODS = ["milk", "butter", "rice", "sugar", "tea", "honey", "onions", "tomatoes", "potatoes", "fish"]
COLOURS = ["red", "blue", "green", "yellow", "black", "white", "brown", "pink"]

SPEECH = [
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
]

VOICES = [
    {"name": "alice", "voice": "en+f2", "pitch": 55, "speed": 145},
    {"name": "brian", "voice": "en", "pitch": 42, "speed": 140},
    {"name": "carol", "voice": "en-us+f3", "pitch": 60, "speed": 150},
    {"name": "duncan", "voice": "en-gb-scotland+m3", "pitch": 38, "speed": 140},
    {"name": "edgar", "voice": "en-us+m7", "pitch": 48, "speed": 155},
]

PLACE_NAMES = list(PLACES)
OBJECT_NAMES = [o["name"] for o in OBJECTS]
ACTIVITY_NAMES = [a["gerund"] for a in ACTIVITIES]
OBJECT = {o["name"]: o for o in OBJECTS}
ACTIVITY = {a["gerund"]: a for a in ACTIVITIES}


def in_place(place):
    """'kitchen' -> 'in the kitchen'."""
    return PLACES[place]["in"]


def activities_of(place):
    """The gerunds that can happen in a place, in vocabulary order."""
    return [a["gerund"] for a in ACTIVITIES if place in a["places"]]


PLURAL = {"keys", "glasses", "gloves", "socks", "shoes", "scissors", "grapes", "headphones", "dice"}


def sample_sentence(rng):
    """One spoken sentence, lower case with its final mark; `rng` is a random.Random."""
    pattern = rng.choice(SPEECH)
    food, food2 = rng.sample(FOODS, 2)
    if "belong to" in pattern:
        thing = rng.choice(OBJECT_NAMES)
        if thing not in PLURAL:
            pattern = pattern.replace("belong to", "belongs to")
    else:
        thing = rng.choice(OBJECT_NAMES)
    place = rng.choice(PLACE_NAMES)
    return pattern.format(**{
        "name": rng.choice(NAMES), "object": thing, "place": place, "in": in_place(place), "time": rng.choice(TIMES),
        "number": rng.choice(NUMBERS), "day": rng.choice(DAYS), "food": food, "food2": food2,
        "colour": rng.choice(COLOURS), "base": rng.choice(ACTIVITIES)["base"],
    })


def check():
    assert len(PLACES) >= 12 and len(OBJECTS) >= 40 and len(ACTIVITIES) >= 24 and len(SPEECH) >= 20 and len(VOICES) >= 4
    assert sum(o["hold"] for o in OBJECTS) >= 30
    for names in (PLACE_NAMES, OBJECT_NAMES, ACTIVITY_NAMES, [a["base"] for a in ACTIVITIES], [o["emoji"] for o in OBJECTS]):
        assert len(set(names)) == len(names)
    for a in ACTIVITIES:
        assert 2 <= len(a["places"]) <= 4 and set(a["places"]) <= set(PLACES), a
    for place in PLACES:
        assert 3 <= len(activities_of(place)) <= 8, (place, activities_of(place))


def write_lists(folder):
    os.makedirs(folder, exist_ok=True)
    for name, labels in (("places", PLACE_NAMES), ("objects", OBJECT_NAMES), ("activities", ACTIVITY_NAMES)):
        with open(os.path.join(folder, name + ".txt"), "w", encoding="utf-8") as out:
            out.write("".join(label + "\n" for label in labels))


if __name__ == "__main__":
    check()
    write_lists(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "vocab"))
    for place in PLACES:
        print(f"{place:12} {len(activities_of(place))}  {', '.join(activities_of(place))}")
