"""What starter-lm reads while it learns: random, noisy and plotted logs with many questions each,
as token ids.

A *lesson* is one log (the prefix) and the questions about it. Each question sees the prefix and
itself only, so that
it is exactly what the model gets at inference: prompts/video-qa.md filled in and put through the
chat template.
"""

import os
import random
import re

import jinja2
import phrases
import wordings
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

import days
import vocab
from days import Segment, Words

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")
SPECIAL = ["<|pad|>", "<|system|>", "<|user|>", "<|assistant|>", "<|end|>"]
CHAT_TEMPLATE = (
    "{% for message in messages %}<|{{ message['role'] }}|>{{ message['content'] }}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
VOCABULARY_SIZE = 3200

# ----------------------------------------------------------------------------------- words outside
# the starter world

MORE_PLACES = {
    name: {"in": f"{prep} the {name}"}
    for prep, names in {
        "in": "museum,attic,cellar,garage,restaurant,bakery,pharmacy,hospital,church,forest,school,classroom,"
        "theatre,cinema,hotel,lift,barn,dining room,laundry "
        "room,car,playground,stable,bar,bookshop",
        "on": "balcony,terrace,bridge,train,bus,roof,boat,platform,stairs,square",
        "at": "airport,station,market,lake,harbour,counter,bank,post office,swimming pool,petrol "
        "station",
    }.items()
    for name in names.split(",")
}

MORE_OBJECTS = (
    "mug,plate,fork,knife,spoon,pot,pan,lamp,chair,table,sofa,blanket,pillow,towel,soap,comb,mirror,clock,phone,"
    "tablet,charger,cable,pen,pencil,notebook,envelope,stamp,map,ticket,wallet,coin,umbrella,jacket,coat,shirt,"
    "sweater,boots,slippers,tie,belt,tent,rope,ladder,hammer,nails,saw,paint,brush,broom,mop,vase,apple,orange,"
    "lemon,pear,peach,onion,carrot,tomato,potato,pizza,sausage,cookies,chocolate,honey,kettle,toaster,camera,"
    "television,remote control,tin opener,water bottle,first aid kit,shopping "
    "bag,violin,flute,kite,puzzle,"
    "chessboard,football,racket,skates,helmet,whistle,leash,birdcage,fish tank,stroller"
).split(",")
MORE_OBJECTS = [thing for thing in MORE_OBJECTS if thing not in vocab.OBJECT_NAMES]
MORE_PLURAL = {"nails", "boots", "slippers", "cookies", "skates"}

MORE_ACTIVITIES = {
    g: {"gerund": g, "base": b, "past": p}
    for g, b, p in (
        line.split("/")
        for line in """
making the bed/make the bed/made the bed
ironing a shirt/iron a shirt/ironed a shirt
peeling potatoes/peel potatoes/peeled potatoes
baking bread/bake bread/baked bread
frying an egg/fry an egg/fried an egg
making tea/make tea/made tea
drinking water/drink water/drank water
eating a pizza/eat a pizza/ate a pizza
eating breakfast/eat breakfast/ate breakfast
setting the table/set the table/set the table
opening a parcel/open a parcel/opened a parcel
watching a film/watch a film/watched a film
listening to music/listen to music/listened to music
combing my hair/comb my hair/combed my hair
drying my hair/dry my hair/dried my hair
taking a shower/take a shower/took a shower
putting on my shoes/put on my shoes/put on my shoes
packing a suitcase/pack a suitcase/packed a suitcase
knitting a scarf/knit a scarf/knitted a scarf
sewing a button/sew a button/sewed a button
playing chess/play chess/played chess
playing the piano/play the piano/played the piano
playing football/play football/played football
throwing a ball/throw a ball/threw a ball
swimming/swim/swam
running/run/ran
dancing/dance/danced
driving the car/drive the car/drove the car
washing the car/wash the car/washed the car
washing the windows/wash the windows/washed the windows
mowing the lawn/mow the lawn/mowed the lawn
raking leaves/rake leaves/raked leaves
feeding the birds/feed the birds/fed the birds
feeding the dog/feed the dog/fed the dog
buying a ticket/buy a ticket/bought a ticket
buying vegetables/buy vegetables/bought vegetables
waiting for the bus/wait for the bus/waited for the bus
carrying a box/carry a box/carried a box
climbing the stairs/climb the stairs/climbed the stairs
locking the door/lock the door/locked the door
painting the wall/paint the wall/painted the wall
painting a fence/paint a fence/painted a fence
fixing the bike/fix the bike/fixed the bike
drilling a hole/drill a hole/drilled a hole
reading a map/read a map/read a map
reading a letter/read a letter/read a letter
writing a list/write a list/wrote a list
drawing a house/draw a house/drew a house
cleaning the mirror/clean the mirror/cleaned the mirror
cleaning my glasses/clean my glasses/cleaned my glasses
holding a cup/hold a cup/held a cup
stretching/stretch/stretched
looking at the phone/look at the phone/looked at the phone
talking to a friend/talk to a friend/talked to a friend
pushing a pram/push a pram/pushed a pram
blowing up a balloon/blow up a balloon/blew up a balloon
""".strip().splitlines()
    )
}

# What is asked while learning: the days' own wordings, often, and thousands more; days are examined
# with days.PHRASINGS alone.
PHRASINGS = {}


def weigh_wordings(known_share):
    """This share of the questions comes in the days' own wordings, of the others a half each in
    those of wordings.py and phrases.py."""
    for kind, known in days.PHRASINGS.items():
        made, written = phrases.made(kind), wordings.WORDINGS[kind]
        times = round(2 * len(made) * known_share / (1 - known_share) / len(known))
        PHRASINGS[kind] = known * times + written * round(len(made) / len(written)) + made
    for bank, known in days.ABOUT.items():
        made = phrases.made(bank)
        PHRASINGS["about " + bank] = known * round(1.5 * len(made) / len(known)) + made


weigh_wordings(0.25)
STARTER_WORDS = Words(vocab.PLACES, vocab.OBJECT_NAMES, vocab.ACTIVITY, vocab.PLURAL, PHRASINGS)

LOOSE_WORDS = (
    "the a to of and you i it is was we they he she not all can will one two time day new old "
    "good right big little "
    "here there where when what who how come go see look take give make know think want need tell "
    "ask find put "
    "leave call keep let help turn show hear play move live bring write sit stand lose pay meet "
    "run open walk "
    "house car door window water food money paper road town night morning week year friend mother "
    "father sister "
    "brother doctor teacher music story game light name word hand eye head side end way red blue "
    "green white "
    "black cold hot late early soon again never always maybe please sorry thanks hello"
).split()

SYLLABLES = (
    "ba be bi bo da de di do fa fe ga go ha ka ke ko la le li lo lu ma me mi mo na ne ni no pa pe "
    "po ra re ri ro sa se "
    "si so ta te ti to va ve vi wa za zu".split()
)


def made_up(rng):
    """A word nobody has seen, so that copying is learnt and not a list."""
    return "".join(rng.choice(SYLLABLES) for _ in range(rng.randint(2, 4))) + rng.choice(
        ("", "n", "r", "s", "t", "x")
    )


def open_words(rng):
    """A vocabulary for one log that mixes the starter world's words with others."""
    share = rng.choice((0.3, 0.6, 1.0))
    mix = lambda known, more: (
        rng.sample(known, int(len(known) * (1 - share)))
        + rng.sample(more, max(1, int(len(more) * share)))
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


# -------------------------------------------------------------------------------------------------------------
# logs


def spoken(rng, words):
    dice = rng.random()
    if dice < 0.14:
        return vocab.fill(
            rng,
            rng.choice(vocab.ERRANDS),
            place=rng.choice(words.place_names),
            object=rng.choice(words.objects),
        )
    if dice < 0.23:
        return vocab.fill(
            rng,
            rng.choice(vocab.PROMISES),
            base=words.forms(rng.choice(words.activity_names))["base"],
            object=rng.choice(words.objects),
        )
    if dice < 0.33:
        return vocab.fill(
            rng,
            rng.choice(vocab.GREETINGS),
            name=made_up(rng) if rng.random() < 0.2 else rng.choice(vocab.NAMES),
        )
    if dice < 0.88:
        return vocab.sample_sentence(rng)
    text = [rng.choice(LOOSE_WORDS) for _ in range(rng.randint(2, 8))]
    if rng.random() < 0.3:
        text[rng.randrange(len(text))] = rng.choice(words.objects + words.place_names)
    return " ".join(text) + rng.choice("...?!")


def shuffled(rng, count, words):
    """Places, activities and objects put together freely: nothing to guess, everything to look
    up."""
    pick = lambda pool, few, many: rng.sample(
        pool, min(len(pool), rng.randint(few, max(few, many)))
    )
    places = pick(words.place_names, 2, max(3, count))
    activities = pick(words.activity_names, 2 + count // 2, count + 2)
    objects = pick(words.objects, 3, 4 + count)
    loud = rng.choice((0.2, 0.45, 0.8))
    now = rng.choice((0, 0, 0, rng.randint(0, 600), rng.randint(0, 3000)))
    # 60: a day in two minutes
    long, gap, segments = rng.choice((3, 6, 10, 10, 10, 20, 60)), rng.random() < 0.15, []
    for _ in range(count):
        start = now + (rng.randint(0, 6) if gap else 0)
        now = start + rng.randint(1 if long < 6 else 2, long)
        seen = rng.sample(objects, min(len(objects), rng.choice((0, 1, 1, 2, 2, 3))))
        s = Segment(
            start,
            now,
            rng.choice(places),
            rng.choice(activities),
            seen,
            spoken(rng, words) if rng.random() < loud else "",
            people=rng.choices(range(4), (55, 20, 15, 10))[0],
        )
        if rng.random() < 0.14:
            carry(s, rng.choice(objects))
        segments.append(s)
    return segments


def carry(segment, thing):
    segment.held, segment.activity = thing, vocab.carrying(thing)
    segment.seen = [other for other in segment.seen if other != thing]


def misheard(rng, text, words):
    out = []
    for word in text.split():
        dice = rng.random()
        if dice < 0.08:
            out.append(rng.choice(LOOSE_WORDS))
        elif dice < 0.12 and len(word) > 3:
            at = rng.randrange(len(word) - 1)
            out.append(
                word[:at] + rng.choice(("", word[at + 1], rng.choice("aeioust"))) + word[at + 1 :]
            )
        elif dice > 0.03 or dice < 0.12:
            out.append(word)
    return " ".join(out)


def perceived(rng, segments, words):
    """The log of imperfect eyes and ears: wrong words, things missed, boundaries off, spurious
    short lines."""
    out, wrong = [], rng.choice((0.03, 0.1, 0.2))
    moved = (
        [segments[0].start]
        + [s.start + rng.choice((-2, -1, 0, 0, 1, 2)) for s in segments[1:]]
        + [segments[-1].end]
    )
    for i, s in enumerate(segments):
        place = rng.choice(words.place_names) if rng.random() < wrong / 2 else s.place
        activity, held = s.activity, s.held
        if rng.random() < wrong:
            held = rng.choice(words.objects) if rng.random() < 0.3 else ""
            activity = vocab.carrying(held) if held else rng.choice(words.activity_names)
        people = s.people if rng.random() > wrong else rng.randrange(4)
        seen = [
            rng.choice(words.objects) if rng.random() < wrong else o
            for o in s.seen
            if rng.random() > wrong
        ]
        if rng.random() < wrong:
            seen.append(rng.choice(words.objects))
        heard = misheard(rng, s.heard, words) if s.heard and rng.random() < 0.7 else s.heard
        start, end = moved[i], max(moved[i + 1], moved[i] + 1)
        fresh = Segment(
            start,
            end,
            place,
            activity,
            [t for t in dict.fromkeys(seen) if t != held],
            heard,
            held,
            people,
        )
        if rng.random() < wrong and end - start > 3:  # a blink of something else in the middle
            cut = rng.randint(start + 1, end - 2)
            blink = cut + rng.choice((1, 2)) if cut + 2 < end else cut + 1
            out += [
                Segment(start, cut, place, activity, fresh.seen, heard, held, people),
                Segment(cut, blink, place, rng.choice(words.activity_names), [], ""),
            ]
            fresh = Segment(blink, end, place, activity, fresh.seen, "", held, people)
        out.append(fresh)
    return out


def heard_alone(rng, count, words):
    """What a log holds when nobody looked: sentences with their times."""
    now, segments = rng.randint(0, 20), []
    for _ in range(count):
        long = rng.choice((1, 2, 2, 3))
        heard = spoken(rng, words)
        segments.append(
            Segment(
                now,
                now + long,
                "",
                "",
                [],
                misheard(rng, heard, words) if rng.random() < 0.2 else heard,
            )
        )
        now += long + rng.choice((0, 1, 3, 6, 10, 15))
    return segments


HEARD_KINDS = {"said": 4, "promised": 2, "met": 2, "unanswerable": 3}


def heard_cases(rng, segments, words, count):
    """Questions that the sound alone answers, or does not."""
    cases, asked = [], set()
    for kind in rng.choices(list(HEARD_KINDS), list(HEARD_KINDS.values()), k=2 * count):
        if kind == "unanswerable":
            case = rng.choice((days.too_late, days.unstated_general, days.unpromised))(
                rng, segments, words
            )
        else:
            case = days.KINDS[kind](
                rng,
                segments,
                words,
                strict=False,
                **{"said": {"how": "at"}, "met": {"how": "any"}}.get(kind, {}),
            )
        if case and case.question not in asked and len(cases) < count:
            asked.add(case.question)
            case.question = casual(rng, case.question)
            cases.append(case)
    return cases


def clocked(rng, segments):
    """The same with the times of a clock (HH:MM) in place of the video's: lines of ten minutes to
    an hour and more, from the morning on."""
    begin, first = rng.randint(5 * 60, 11 * 60), segments[0].start
    pace = min(rng.uniform(1.5, 8), (23.9 * 60 - begin) / max(1, segments[-1].end - first))
    for s in segments:
        s.start, s.end = (begin + int((t - first) * pace) for t in (s.start, s.end))
    return segments


def random_log(rng, most_lines, late=False):
    """Segments and the words that questions about them may use."""
    segments, words = timed_log(rng, most_lines, late)
    if (
        rng.random() < 0.22
        and segments[-1].end - segments[0].start > 20
        and all(s.end - s.start > 1 for s in segments)
    ):
        # which hour lies in which line is learnt from short ones
        segments = clocked(rng, segments[: rng.choice((3, 5, 8, 10, 12, 16, 99, 99))])
    return segments, words


def timed_log(rng, most_lines, late):
    """As random_log, by the time of the video. Late in the training more of them are days and whole
    ones."""
    count = rng.randint(10 if late and most_lines > 12 and rng.random() < 0.6 else 3, most_lines)
    dice = rng.random() if not late else 0.14 + 0.86 * rng.random()
    if dice < 0.30:
        return shuffled(rng, count, STARTER_WORDS), STARTER_WORDS
    if dice < 0.44:
        words = open_words(rng)
        segments = shuffled(rng, count, words)
        return (perceived(rng, segments, words) if rng.random() < 0.2 else segments), words
    segments = days.plot(rng, max(20, int(count * rng.uniform(7, 8.5))))[:most_lines]
    if dice < 0.70:
        segments = perceived(rng, segments, STARTER_WORDS)
    return segments, STARTER_WORDS


KIND_WEIGHTS = {
    "where_when": 11,
    "doing_at": 28,
    "when_last": 14,
    "did_i": 8,
    "how_many": 14,
    "after": 8,
    "before": 9,
    "last_seen": 19,
    "why": 13,
    "said": 40,
    "promised": 5,
    "met": 18,
    "people": 12,
    "unanswerable": 80,
}
REFUSAL_WEIGHTS = [2.5, 2, 1.5, 4.5, 1.5, 4, 4.5]  # as days.REFUSALS


SHORT_TIME = re.compile(r"\b0(\d:\d\d)\b")
OPENINGS = (
    "please tell me: ",
    "hey, ",
    "ok, ",
    "so ",
    "and ",
    "well, ",
    "quick question: ",
    "one more thing: ",
    "sorry, ",
    "just tell me: ",
    "now ",
    "do you remember: ",
    "i forgot: ",
    "look it up: ",
    "i wonder, ",
    "can you tell me, ",
    "excuse me, ",
    "help me: ",
    "hm, ",
)
ENDINGS = (
    " today",
    " in the video",
    " please",
    " again",
    ", do you know",
    ", can you say",
    " earlier",
    " by any chance",
    ", i forgot",
    " then",
    " exactly",
    ", tell me",
    " this time",
)


def chatter(rng):
    """Words that have nothing to do with the question."""
    dice = rng.random()
    if dice < 0.35:
        return rng.choice(phrases.TALK).rstrip(".!?")
    if dice < 0.5:
        return rng.choice(
            ("hey ", "listen ", "please ", "sorry ", "ok ", "", "", "oh ")
        ) + rng.choice(phrases.CALLED)
    return " ".join(
        rng.choice(LOOSE_WORDS if rng.random() < 0.3 else phrases.MORE_WORDS)
        for _ in range(rng.randint(1, 7))
    )


def casual(rng, question):
    """As people type: now and then in small letters, without the mark, or with words around it that
    mean nothing."""
    if rng.random() < 0.04:
        question = phrases.to_you(question)
    dice = rng.random()
    if dice < 0.08:
        question = question.lower()
    elif dice < 0.12:
        question = question[:1].lower() + question[1:]
    elif dice < 0.19:
        ending = (
            rng.choice(ENDINGS)
            if rng.random() < 0.5
            else phrases.spun(rng, rng.choice(phrases.CLOSERS))
        )
        question = question.rstrip("?.!") + ending + rng.choice(("?", "?", "."))
    elif dice < 0.31:
        opening = phrases.spun(rng, rng.choice(phrases.OPENERS))
        question = (
            f"{opening} {question if rng.random() < 0.4 else question[:1].lower() + question[1:]}"
        )
    elif dice < 0.38:
        opening = (
            rng.choice(OPENINGS)
            if rng.random() < 0.4
            else chatter(rng) + rng.choice((", ", ": ", ". ", "... ", "! ", " "))
        )
        question = (opening[:1].upper() + opening[1:] if rng.random() < 0.8 else opening) + (
            question if rng.random() < 0.4 else question[:1].lower() + question[1:]
        )
    elif dice < 0.42:
        after = chatter(rng)
        return f"{question} {after[:1].upper() + after[1:]}{rng.choice(('.', '!', '?', ''))}"
    return question.rstrip("?.!") if rng.random() < 0.08 else question


def by_clock(segments):
    """Whether the times are those of a clock, the lines a quarter of an hour and more."""
    return segments[0].start >= 300 and segments[-1].end - segments[0].start > 15 * len(segments)


def random_cases(rng, segments, words, count):
    """Questions about a log; ambiguous ones are answered from the last line that fits."""
    cases, asked = [], set()
    # all else is as without a clock
    weights = {**KIND_WEIGHTS, "doing_at": 250} if by_clock(segments) else KIND_WEIGHTS
    kinds = rng.choices(list(weights), list(weights.values()), k=3 * count)
    for kind in kinds:
        if len(cases) == count:
            break
        case = (
            rng.choices(days.REFUSALS, REFUSAL_WEIGHTS)[0](rng, segments, words)
            if kind == "unanswerable"
            else days.KINDS[kind](rng, segments, words, strict=False)
        )
        if case and case.question not in asked:
            asked.add(case.question)
            if rng.random() < 0.12:  # 0:07 for 00:07
                case.question = SHORT_TIME.sub(r"\1", case.question)
            case.question = casual(rng, case.question)
            cases.append(case)
    return cases


# --------------------------------------------------------------------------------------------------------
# tokenizer

# One token for a line number (with its space, the same in the log and in a citation), for a minute,
# for two digits,
# and for what opens a part of a line; words take their leading space.
PIECES = r"\[\d{1,3}\] |\. (?:With|Seen|Heard):|\d\d:|\d{1,2}| ?[\p{L}']+| ?[^\s\p{L}\d]|\s"


def prompt(name, **holes):
    with open(os.path.join(ROOT, "prompts", name + ".md"), encoding="utf-8") as file:
        return jinja2.Template(file.read(), keep_trailing_newline=False).render(**holes)


def corpus(seed=0, lessons=4000):
    """Text for the tokenizer: enough days, plus what must be one token whatever its frequency."""
    rng = random.Random(seed)
    yield prompt("video-qa", log="", question="")
    for _ in range(400):
        yield "".join(f"[{n}] " for n in range(1, 61)) + " ".join(
            f"{n:02d}:{n:02d}" for n in range(60)
        )
    for _ in range(lessons):
        segments, words = random_log(rng, 16)
        yield days.log_text(segments)
        for case in random_cases(rng, segments, words, 16):
            yield "Question: " + case.question
            yield case.reply()
    for place in ACTIVITIES_IN:
        for _ in range(10):
            yield prompt("activities", place=place, count=8)
            yield activities_reply(place, 10)
    import lm_tasks  # which reads this file

    for name, example in lm_tasks.EXAMPLES.items():
        for _ in range(300):
            text, reply, _ = example(rng)
            yield text
            yield reply


def train_tokenizer(path):
    tok = Tokenizer(models.BPE())
    tok.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(PIECES), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tok.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY_SIZE,
        special_tokens=[AddedToken(t, special=True) for t in SPECIAL],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tok.train_from_iterator(corpus(), trainer)
    tok.save(path)


# -------------------------------------------------------------------------------------------- the
# activities prompt

MORE_ACTIVITIES_IN = {
    "library": [
        "reading a book",
        "reading the newspaper",
        "typing on the laptop",
        "writing a letter",
    ],
    "restaurant": ["eating a sandwich", "drinking juice", "paying the bill", "drinking coffee"],
    "garage": [
        "fixing the bike",
        "washing the car",
        "hammering a nail",
        "sawing wood",
        "sweeping the floor",
    ],
    "balcony": ["watering the plants", "reading a book", "drinking coffee", "planting flowers"],
    "hallway": [
        "sweeping the floor",
        "calling a friend",
        "putting on my shoes",
        "locking the door",
    ],
    "school": ["writing a letter", "reading a book", "painting a picture", "typing on the laptop"],
    "forest": ["walking the dog", "riding a bike", "taking a photo", "running"],
    "dining room": [
        "eating a sandwich",
        "setting the table",
        "drinking coffee",
        "eating breakfast",
    ],
    "train": [
        "reading a book",
        "reading the newspaper",
        "typing on the laptop",
        "calling a friend",
    ],
    "museum": ["taking a photo", "calling a friend", "buying a ticket"],
    "station": [
        "waiting for the bus",
        "drinking coffee",
        "buying a ticket",
        "reading the newspaper",
    ],
    "market": ["buying vegetables", "picking apples", "paying the bill", "checking the list"],
    "lake": ["swimming", "flying a kite", "taking a photo", "walking the dog"],
    "laundry room": ["folding the laundry", "ironing a shirt", "washing my hands"],
    "classroom": ["writing a letter", "reading a book", "drawing a house"],
    "playground": ["throwing a ball", "playing football", "riding a bike", "eating ice cream"],
}
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


# ----------------------------------------------------------------------------------------------------------
# lessons


class Lesson:
    """Token ids of a prefix and of the questions after it, and where the model should look.

    `prefix`: ids. `line_of`: for each prefix token its line number or 0. `asks`: per question (ids,
    first), where ids hold question and reply and `first` is the index of the reply's first token.
    `told_in`: (prefix position, place), the tokens of what is heard, each with the first token of
    its line's place. `looks`: per question a list of (index into ids, prefix positions): the token
    from which the next one is found by looking at those positions.
    """

    def __init__(self, prefix, line_of):
        self.prefix, self.line_of, self.told_in, self.asks, self.looks = prefix, line_of, [], [], []


class Writer:
    """Turns logs and cases into lessons; pieces of text are encoded once."""

    def __init__(self, tokenizer):
        self.tokenizer, self.known = tokenizer, {}
        self.end = tokenizer.token_to_id("<|end|>")
        self.assistant = tokenizer.token_to_id("<|assistant|>")
        head, tail = prompt("video-qa", log="LOG", question="QUESTION").split("LOG")
        tail = tail.split("QUESTION")[0]
        assert tail.endswith(": "), "the question follows a colon and a space"
        self.head, self.tail = self.ids("<|user|>" + head), self.ids(tail[:-1])
        head, self.activities_tail = prompt("activities", place="PLACE", count="COUNT").split(
            " PLACE"
        )
        self.activities_head = self.ids("<|user|>" + head)

    def ids(self, text):
        found = self.known.get(text)
        if found is None:
            if len(self.known) > 200_000:
                self.known.clear()
            found = self.known[text] = self.tokenizer.encode(text, add_special_tokens=False).ids
        return found

    def pieces(self, number, s):
        """(field, text) of a log line; joined they are days.log_line."""
        out = [
            ("number", f"[{number}] "),
            ("time", f"{s.start // 60:02d}:"),
            ("time", f"{s.start % 60:02d}"),
            ("", "-"),
            ("time", f"{s.end // 60:02d}:"),
            ("time", f"{s.end % 60:02d}"),
        ]
        if not s.place:
            heard = days.closed(s.heard)
            return out + [
                ("place", " Heard"),
                ("", ":"),
                ("heard", " " + heard[:-1]),
                ("", heard[-1]),
            ]
        out += [("place", " " + s.place), ("", ","), ("activity", " " + s.activity)]
        if s.people:
            out += [("", ". With:"), ("people", " " + vocab.PEOPLE[s.people])]
        for i, thing in enumerate(s.seen):
            out += [("", ",") if i else ("", ". Seen:"), ("thing " + thing, " " + thing)]
        if s.heard:
            heard = days.closed(s.heard)
            out += [("", ". Heard:"), ("heard", " " + heard[:-1]), ("", heard[-1])]
        else:
            out.append(("", "."))
        return out

    def lesson(self, segments, cases):
        prefix, line_of, where = list(self.head), [0] * len(self.head), []
        for number, s in enumerate(segments, 1):
            if number > 1:
                prefix += self.ids("\n")
                line_of.append(0)
            spots = {}
            for name, text in self.pieces(number, s):
                ids = self.ids(text)
                if name == "heard":
                    self.parts(spots, text, len(prefix))
                if name == "activity" and s.held:
                    spots["thing " + s.held] = list(range(len(prefix), len(prefix) + len(ids)))[
                        -len(self.ids(" " + s.held)) :
                    ]
                if name:
                    spots.setdefault(name, []).extend(range(len(prefix), len(prefix) + len(ids)))
                prefix += ids
                line_of += [number] * len(ids)
            spots["close"] = [len(prefix) - 1]
            if "heard" in spots:
                spots["told"] = list(range(spots["heard"][0], len(prefix)))
            where.append(spots)
        prefix += self.tail
        line_of += [0] * len(self.tail)
        lesson = Lesson(prefix, line_of)
        lesson.told_in = [
            (at, prefix[spots["place"][0]])
            for s, spots in zip(segments, where)
            if s.place
            for at in spots.get("told", ())
        ]
        for case in cases:
            self.ask(lesson, case, segments, where)
        return lesson

    def parts(self, spots, heard, begin):
        """Where in what is heard the errand's place and content, the promise and the name stand."""
        for pattern, names in (
            (days.ERRAND, ("sent to", "errand")),
            (days.PROMISE, ("promise",)),
            (days.GREETING, ("name",)),
        ):
            found = pattern.search(heard[1:])
            if found:
                offsets = self.tokenizer.encode(heard, add_special_tokens=False).offsets
                for group, name in enumerate(names, 1):
                    a, b = (x + 1 for x in found.span(group))
                    spots[name] = [begin + i for i, (x, y) in enumerate(offsets) if x < b and y > a]

    def ask(self, lesson, case, segments, where):
        question = self.ids(" " + case.question) + [self.end, self.assistant]
        reply = self.ids(case.reply()) + [self.end]
        first = len(question)
        looks = []
        named = self.named_field(case, segments)
        # a line matches, and says nothing of this
        if not case.lines and case.looked_up:
            looks.append((first - 1, where[case.looked_up[0] - 1]["close"]))
        # nothing matches: look at the very first token
        elif not case.lines:
            looks.append((first - 1, [0]))
        for i, n in enumerate(case.lines):
            looked = (
                case.looked_up[i]
                if len(case.looked_up) == len(case.lines)
                else case.looked_up[-1 if case.kind in ("when_last", "last_seen") else 0]
            )
            looks.append(
                (first - 1 + i, where[looked - 1].get(named) or where[looked - 1]["place"])
            )
        copied = {
            "where_when": "place",
            "last_seen": "place",
            "doing_at": "activity",
            "after": "activity",
            "before": "activity",
            "when_last": "time",
            "said": "heard",
            "promised": "promise",
            "met": "name",
            "people": "people",
            "why": "errand" if case.kind == "why" and named == "sent to" else "activity",
        }.get(case.kind)
        copied = copied if case.lines and copied in where[case.lines[0] - 1] else None
        if copied:
            source = where[case.lines[0] - 1][copied][: 2 if copied == "time" else None]
            # reply indices of the words before the full stop
            answer = range(len(case.lines), len(reply) - 2)
            spots = answer[-len(source) :] if len(answer) >= len(source) else []
            looks += [(first + at - 1, [spot]) for at, spot in zip(spots, source)]
        lesson.asks.append((question + reply, first))
        lesson.looks.append(looks)

    @staticmethod
    def named_field(case, segments):
        """Which part of the line the question's words are to be found in."""
        if case.kind in ("where_when", "when_last", "did_i", "how_many", "after", "before"):
            return "activity"
        if case.kind == "last_seen":
            question = case.question.lower()
            things = [t for s in segments for t in (*s.seen, s.held) if t and t in question]
            return "thing " + max(things, key=len)
        if case.kind == "why" and any(
            line in case.lines and place in case.question.lower()
            for line, place, _ in days.errands(segments)
        ):
            return "sent to"
        if case.kind == "promised":
            return "promise"
        if case.kind == "met":
            return "name"
        if case.kind == "said":
            return "told"  # only these tokens know that something was said in their line
        if case.kind == "doing_at":
            return "time"
        return "place"

    def activities_lesson(self, rng, count):
        """The activities prompt for several places; the prefix is what comes before the place's
        name."""
        lesson = Lesson(list(self.activities_head), [0] * len(self.activities_head))
        for place in rng.sample(list(ACTIVITIES_IN), count):
            number = rng.choice((10, 10, 10, 8, 3, 4, 5, 6))
            question = self.ids(
                " " + place + self.activities_tail.replace("COUNT", str(number))
            ) + [self.end, self.assistant]
            lesson.asks.append(
                (question + self.ids(activities_reply(place, number)) + [self.end], len(question))
            )
            lesson.looks.append([])
        return lesson
