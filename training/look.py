"""The look and the voices of a day: size, quality, brightness, voices, and the clock."""

import math
import re
from dataclasses import dataclass

from PIL import Image

import scene


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

    def size(self):
        """Width and height, rounded to even numbers for H.264."""
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
            second = int(found.group(1)) * 60 + int(found.group(2))
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

        return re.sub(r"\b(\d\d):(\d\d)\b", clocked, text)

    def metadata(self, seconds):
        """Ffmpeg's options for the metadata: when the day began and how fast its clock runs."""
        if self.clock is None:
            return []
        start = self.time(0, seconds)
        return [
            "-metadata",
            f"creation_time=2026-01-01T{start}:00Z",
            "-metadata",
            f"comment=clock {start}, {self.hours * 3600 / seconds:g} seconds a second",
        ]

    def developed(self, image):
        """The picture as this look shows it."""
        if self.brightness:
            image = image.point(
                [min(255, max(0, round(v + 255 * self.brightness))) for v in range(256)] * 3
            )
        return (
            image
            if self.scale == 1
            else image.resize(self.size(), Image.BOX if self.scale < 0.6 else Image.BICUBIC)
        )


PLAIN = Look()
