"""Random, noisy and plotted logs."""

import sayings
import vocab
from day import plot
from day.daylog import Segment
from language.lexicon import LOOSE_WORDS, STARTER_WORDS, made_up, open_words


# logs
def spoken(rng, words):
    dice = rng.random()
    if dice < 0.14:
        return sayings.fill(
            rng,
            rng.choice(sayings.ERRANDS),
            place=rng.choice(words.place_names),
            object=rng.choice(words.objects),
        )
    if dice < 0.23:
        return sayings.fill(
            rng,
            rng.choice(sayings.PROMISES),
            base=words.forms(rng.choice(words.activity_names))["base"],
            object=rng.choice(words.objects),
        )
    if dice < 0.33:
        return sayings.fill(
            rng,
            rng.choice(sayings.GREETINGS),
            name=made_up(rng) if rng.random() < 0.2 else rng.choice(sayings.NAMES),
        )
    if dice < 0.88:
        return sayings.sample_sentence(rng)
    text = [rng.choice(LOOSE_WORDS) for _ in range(rng.randint(2, 8))]
    if rng.random() < 0.3:
        text[rng.randrange(len(text))] = rng.choice(words.objects + words.place_names)
    return " ".join(text) + rng.choice("...?!")


def shuffled(rng, count, words):
    """Places, activities and objects in random combinations: the model can guess nothing and must
    look everything up."""

    def pick(pool, few, many):
        return rng.sample(pool, min(len(pool), rng.randint(few, max(few, many))))

    places = pick(words.place_names, 2, max(3, count))
    activities = pick(words.activity_names, 2 + count // 2, count + 2)
    objects = pick(words.objects, 3, 4 + count)
    loud = rng.choice((0.2, 0.45, 0.8))
    now = rng.choice((0, 0, 0, rng.randint(0, 600), rng.randint(0, 3000)))
    # 60: like a day in two minutes
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
    """The log of imperfect eyes and ears: wrong words, missing things, shifted boundaries, short
    false lines."""
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
        if rng.random() < wrong and end - start > 3:  # a short flash of another label in the middle
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
    """A log without sight: sentences with their times."""
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


def clocked(rng, segments):
    """The same log with clock times (HH:MM) in place of video times: lines of ten minutes to more
    than an hour, from the morning on."""
    begin, first = rng.randint(5 * 60, 11 * 60), segments[0].start
    pace = min(rng.uniform(1.5, 8), (23.9 * 60 - begin) / max(1, segments[-1].end - first))
    for s in segments:
        s.start, s.end = (begin + int((t - first) * pace) for t in (s.start, s.end))
    return segments


def random_log(rng, most_lines, late=False):
    """Segments, and the words that questions about them can use."""
    segments, words = timed_log(rng, most_lines, late)
    if (
        rng.random() < 0.22
        and segments[-1].end - segments[0].start > 20
        and all(s.end - s.start > 1 for s in segments)
    ):
        # short logs teach which hour lies in which line
        segments = clocked(rng, segments[: rng.choice((3, 5, 8, 10, 12, 16, 99, 99))])
    return segments, words


def timed_log(rng, most_lines, late):
    """As random_log, with video times. Late in the training, more of them are days, and more are
    complete."""
    count = rng.randint(10 if late and most_lines > 12 and rng.random() < 0.6 else 3, most_lines)
    dice = rng.random() if not late else 0.14 + 0.86 * rng.random()
    if dice < 0.30:
        return shuffled(rng, count, STARTER_WORDS), STARTER_WORDS
    if dice < 0.44:
        words = open_words(rng)
        segments = shuffled(rng, count, words)
        return (perceived(rng, segments, words) if rng.random() < 0.2 else segments), words
    segments = plot.plot(rng, max(20, int(count * rng.uniform(7, 8.5))))[:most_lines]
    if dice < 0.70:
        segments = perceived(rng, segments, STARTER_WORDS)
    return segments, STARTER_WORDS


def by_clock(segments):
    """Whether the times are clock times: lines take more than a quarter of an hour on average."""
    return segments[0].start >= 300 and segments[-1].end - segments[0].start > 15 * len(segments)
