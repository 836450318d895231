"""The look and the voices of a day: size, quality, brightness, voices, and the clock."""

import datetime
import math
import re
from dataclasses import dataclass

import when
from day.daylog import lasting, sentence


@dataclass(frozen=True)
class Look:
    """The look and the voices of a day, apart from its events."""

    crf: float = 26  # H.264 quality, lower is better and larger
    scale: float = 1.0  # factor of the picture's width and height
    brightness: float = 0.0  # added to the picture's values, as a fraction of their range
    other_voices: bool = False  # use sayings.OTHER_VOICES, which no training hears
    # beginning of the day in minutes after midnight, burnt in and written into the metadata
    clock: int | None = None
    hours: float = 1.0  # hours of the clock that the video represents
    # beginning of the day with its zone, written into the metadata
    begin: datetime.datetime | None = None

    def size(self):
        """Width and height, rounded to even numbers for H.264."""
        import scene

        return tuple(2 * round(side * self.scale / 2) for side in (scene.W, scene.H))

    def time(self, second, seconds):
        """'07:42' at that second of a video of that length; None without a clock."""
        if self.clock is None:
            return None
        minutes = self.clock + int(second * self.hours * 60 / seconds + 1e-6)
        return f"{minutes // 60 % 24:02}:{minutes % 60:02}"

    def told(self, text, seconds, segments=()):
        """A text with its video times (MM:SS) as clock times. A time in a segment becomes a minute
        that lies completely in that segment, so that no other segment has it. A time after the end
        stays outside the day."""
        if self.clock is None:
            return text
        passed, end = self.hours * 60 / seconds, self.clock + self.hours * 60

        def clocked(found):
            hours, minutes, rest = (int(part or 0) for part in found.groups())
            second = 3600 * hours + 60 * minutes + rest
            for segment in segments:
                if segment.start <= second < segment.end:
                    first, last = (
                        math.ceil(segment.start * passed),
                        math.floor(segment.end * passed) - 1,
                    )
                    return self.time(min(max(int(second * passed), first), last) / passed, seconds)
            if second <= seconds:
                return self.time(second, seconds)
            # between the end and midnight, or before the beginning if midnight is past
            last = 24 * 60 - 1 if end < 24 * 60 - 2 else self.clock + 24 * 60 - 1
            minutes = int(end + 1 + second % (last - end - 1))
            return f"{minutes // 60 % 24:02}:{minutes % 60:02}"

        return re.sub(r"\b(?:(\d\d):)?(\d\d):(\d\d)\b", clocked, text)

    def lasted(self, spans, seconds):
        """How long spans [(start, end)] of the video are together, as a sentence: by the clock, if
        there is one. None if the clock's whole minutes do not tell."""
        whole = sum(end - start for start, end in spans)
        if self.clock is None:
            return sentence(lasting(whole))
        minute = self.hours * 60 / seconds  # of the clock, for each second
        shown = sum(int(end * minute + 1e-6) - int(start * minute + 1e-6) for start, end in spans)
        return sentence(lasting(60 * shown)) if abs(shown - whole * minute) < 1e-6 else None

    def pace(self, seconds):
        """Seconds of the day that pass in one second of the video."""
        return 1 if self.clock is None else self.hours * 3600 / seconds

    def at(self, second, seconds):
        """The wall-clock time at that second, as RFC 3339; None without a date."""
        if self.begin is None:
            return None
        return when.rfc3339(when.after(self.begin, second * self.pace(seconds)))

    def metadata(self, seconds):
        """Ffmpeg's options for the metadata: when the day began and how fast its clock runs."""
        out, start = [], self.time(0, seconds)
        if self.begin is not None:
            start_utc = when.rfc3339(self.begin.astimezone(when.UTC)).replace("+00:00", "Z")
            out += ["-metadata", f"creation_time={start_utc}"]
        elif self.clock is not None:
            out += ["-metadata", f"creation_time=2026-01-01T{start}:00Z"]
        if self.clock is not None:
            out += ["-metadata", f"comment=clock {start}, {self.pace(seconds):g} seconds a second"]
        return out

    def developed(self, image):
        """The picture as this look shows it."""
        if self.brightness:
            image = image.point(
                [min(255, max(0, round(v + 255 * self.brightness))) for v in range(256)] * 3
            )
        if self.scale == 1:
            return image
        from PIL import Image

        return image.resize(self.size(), Image.BOX if self.scale < 0.6 else Image.BICUBIC)


PLAIN = Look()
