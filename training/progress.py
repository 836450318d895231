"""How far a rendering is: a line that is rewritten on a terminal, otherwise a line for each
minute."""

import sys
import time

SOUND = 0.05  # the share of the work that is sound


def clock(seconds):
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


class Progress:
    """Tells on a stream how much of a video of `seconds` is done, and how much time is left."""

    def __init__(self, name, seconds, stream=None, now=time.monotonic):
        self.name, self.seconds, self.now = name, seconds, now
        self.stream = stream or sys.stderr
        self.terminal = self.stream.isatty()
        self.begin = self.told = now()
        self.minute = 0

    def sound(self, second):
        """The sound is made up to this second."""
        self.tell(SOUND * second / self.seconds, 0)

    def pictures(self, second):
        """The pictures are made up to this second."""
        self.tell(SOUND + (1 - SOUND) * second / self.seconds, int(second) // 60)

    def tell(self, share, minute):
        now = self.now()
        left = (now - self.begin) * (1 - share) / max(share, 1e-3)
        if self.terminal:
            if now - self.told >= 0.5 or share >= 1:
                self.told = now
                end = "\r\x1b[K" if share >= 1 else ""
                self.stream.write(f"\r\x1b[K{self.name}: {share:.0%}, {clock(left)} left{end}")
        elif minute > self.minute:
            self.minute = minute
            self.stream.write(
                f"{self.name}: {minute} of {self.seconds / 60:g} minutes, {clock(left)} left\n"
            )
        else:
            return
        self.stream.flush()
