"""Lessons: one log with many questions, as token ids.

Each question sees only the prefix and itself, exactly as at inference: prompts/video-qa.md filled
in and put through the chat template.
"""

import vocab
from day import daylog
from language.lexicon import ACTIVITIES_IN, activities_reply
from language.templates import prompt


# lessons
class Lesson:
    """Token ids of a prefix and of the questions after it, and the targets of the model's
    attention.

    `prefix`: ids. `line_of`: for each prefix token its line number or 0. `asks`: per question (ids,
    first); ids hold question and reply, and `first` is the index of the reply's first token.
    `told_in`: (prefix position, place): the tokens of heard words, each with the first token of its
    line's place. `looks`: per question a list of (index into ids, prefix positions): from the token
    at the index, the next one is found at those positions.
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
        """(field, text) of a log line. Joined, they are daylog.log_line."""
        out = [
            ("number", f"[{number}] "),
            ("time", f"{s.start // 60:02d}:"),
            ("time", f"{s.start % 60:02d}"),
            ("", "-"),
            ("time", f"{s.end // 60:02d}:"),
            ("time", f"{s.end % 60:02d}"),
        ]
        if not s.place:
            heard = daylog.closed(s.heard)
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
            heard = daylog.closed(s.heard)
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
        """The positions of the errand's place and task, of the promise and of the name within the
        heard words."""
        for pattern, names in (
            (daylog.ERRAND, ("sent to", "errand")),
            (daylog.PROMISE, ("promise",)),
            (daylog.GREETING, ("name",)),
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
        named = case.named or self.named_field(case, segments)
        # a line matches, but lacks the answer
        if not case.lines and case.looked_up:
            looks.append((first - 1, where[case.looked_up[0] - 1]["close"]))
        # no line matches: look at the very first token
        elif not case.lines:
            looks.append((first - 1, [0]))
        for i, _n in enumerate(case.lines):
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
        }.get(case.kind, case.copied)
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
        """The part of the line that holds the question's words."""
        if case.kind in ("where_when", "when_last", "did_i", "how_many", "after", "before"):
            return "activity"
        if case.kind == "last_seen":
            question = case.question.lower()
            things = [t for s in segments for t in (*s.seen, s.held) if t and t in question]
            return "thing " + max(things, key=len)
        if case.kind == "why" and any(
            line in case.lines and place in case.question.lower()
            for line, place, _ in daylog.errands(segments)
        ):
            return "sent to"
        if case.kind == "promised":
            return "promise"
        if case.kind == "met":
            return "name"
        if case.kind == "said":
            return "told"  # only these tokens show that their line has speech
        if case.kind == "doing_at":
            return "time"
        return "place"

    def activities_lesson(self, rng, count):
        """The activities prompt for several places. The prefix ends before the place's name."""
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
