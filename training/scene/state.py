"""The state that determines a segment's pictures, and the sizes and colours they share."""

from dataclasses import dataclass

import vocab

W, H, FPS = 320, 240, 15
# margin of the background on every side, for head sway
MX, MY = 40, 30
SS = 2  # backgrounds are drawn at twice their size
WEARERS = 40  # number of different wearers: skins and sleeves
TALL = {"flying a kite"}  # activities whose prop needs the space above the hands


@dataclass(frozen=True)
class State:
    """The view during one segment. `visit` fixes the place's look, `person` the wearer's, `seed`
    the rest.

    `held` is the carried thing of a carrying activity. `people` is the number of persons in sight
    (0 to 3).
    """

    place: str
    activity: str
    objects: tuple
    seed: int
    visit: int
    person: int
    held: str = ""
    people: int = 0

    @property
    def act(self):
        """The activity's name in vocab.SEEN_ACTIVITIES: "carrying the keys" becomes carrying
        something."""
        return vocab.CARRYING if self.activity.startswith("carrying ") else self.activity

    @property
    def lying(self):
        """The objects that lie about, without the carried one."""
        return tuple(name for name in self.objects if name != self.held)


def random_state(rng, carrying=0.25):
    """A random segment that the vocabulary allows; `rng` is a random.Random. Mostly it has one or
    two objects, sometimes none or three."""
    place = rng.choice(vocab.PLACE_NAMES)
    count = rng.choices([0, 1, 2, 3], [6, 38, 46, 10])[0]
    activity = (
        vocab.CARRYING if rng.random() < carrying else rng.choice(vocab.activities_of(place)[:-1])
    )
    held = rng.choice(vocab.HELD_NAMES) if activity == vocab.CARRYING else ""
    objects = rng.sample([name for name in vocab.OBJECT_NAMES if name != held], count)
    return State(
        place,
        activity,
        tuple(objects),
        rng.getrandbits(32),
        rng.getrandbits(32),
        rng.randrange(WEARERS),
        held,
        rng.choices([0, 1, 2, 3], [40, 22, 20, 18])[0],
    )


def jitter(colour, rng, by=14):
    light = rng.uniform(-by, by)
    return tuple(max(0, min(255, int(c + light + rng.uniform(-by, by) * 0.5))) for c in colour)


def shaded(colour, factor):
    return tuple(max(0, min(255, int(c * factor))) for c in colour)


def mix(a, b, k):
    return tuple(int(x + (y - x) * k) for x, y in zip(a, b))


L, R, T, B = -MX, W + MX, -MY, H + MY  # the canvas' edges
