"""The words of the starter world: for the pictures, the speech and the labels.

The starter models learn only these words, and dialogues show them these label lists. `python
training/vocab.py` writes the label lists to vocab/starter/*.txt and checks the promises below.

  PLACES      name -> {"in": the phrase with its preposition, "outdoor": bool}
  OBJECTS     things that lie about: {"name", "emoji", "hold": can be held in a hand}
  ACTIVITIES  {"gerund", "base", "past", "places": 2..4 place names, "prop": emoji or "" when drawn
              by hand in scene/}
  CARRYING    the one activity that can happen anywhere: something that can be held is carried,
              taken or put down
  PEOPLE      phrases for the number of persons in sight, from nobody on
  SOUNDS      sounds besides speech: {name: {"activities", "places"} in which it occurs}
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
    """The sounds that may occur: the activity's own first, then the place's; at least one."""
    activity = CARRYING if activity.startswith("carrying") else activity
    own = [name for name, s in SOUNDS.items() if activity in s["activities"]]
    return own + [
        name for name, s in SOUNDS.items() if place in s["places"] and name not in own
    ] or ["footsteps"]


PLACE_NAMES = list(PLACES)
OBJECT_NAMES = [o["name"] for o in OBJECTS]
HELD_NAMES = [o["name"] for o in OBJECTS if o["hold"]]
ACTIVITY_NAMES = [a["gerund"] for a in ACTIVITIES]
SEEN_ACTIVITIES = ACTIVITY_NAMES + [CARRYING]  # the labels of the eye
OBJECT = {o["name"]: o for o in OBJECTS}
ACTIVITY = {a["gerund"]: a for a in ACTIVITIES}


def in_place(place):
    """'kitchen' -> 'in the kitchen'."""
    return PLACES[place]["in"]


def activities_of(place):
    """The activities of a place: its own gerunds in vocabulary order, then carrying."""
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


def check():
    assert len(PLACES) >= 16 and len(OBJECTS) >= 60 and len(ACTIVITIES) >= 30 and len(SOUNDS) >= 12
    assert sum(o["hold"] for o in OBJECTS) >= 30
    for names in (
        PLACE_NAMES,
        OBJECT_NAMES,
        ACTIVITY_NAMES,
        [a["base"] for a in ACTIVITIES],
        [o["emoji"] for o in OBJECTS],
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
    write_lists(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "vocab", "starter"))
    for place in PLACES:
        print(f"{place:12} {len(activities_of(place))}  {', '.join(activities_of(place))}")
