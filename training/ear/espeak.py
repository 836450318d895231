"""The espeak-ng library: speech with the time of every word and phoneme."""

import ctypes

import numpy as np


# speech
class _EventId(ctypes.Union):
    _fields_ = [("number", ctypes.c_int), ("name", ctypes.c_char_p), ("string", ctypes.c_char * 8)]


class _Event(ctypes.Structure):
    _fields_ = [
        ("type", ctypes.c_int),
        ("unique", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user", ctypes.c_void_p),
        ("id", _EventId),
    ]


class Espeak:
    """The espeak-ng library: the sound of the program, and the time of every word and phoneme."""

    WORD, PHONEME = 1, 7

    def __init__(self):
        self.lib = ctypes.CDLL("libespeak-ng.so.1")
        self.rate = self.lib.espeak_Initialize(2, 0, None, 1)  # synchronous, with phoneme events
        if self.rate <= 0:
            raise RuntimeError("espeak-ng cannot start: is espeak-ng-data installed?")
        callback = ctypes.CFUNCTYPE(
            ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event)
        )
        self._heard = callback(self._hear)
        self.lib.espeak_SetSynthCallback(self._heard)

    def _hear(self, wave, count, events):
        if wave and count > 0:
            self.wave.append(np.ctypeslib.as_array(wave, shape=(count,)).copy())
        i = 0
        while events[i].type != 0:
            event = events[i]
            if event.type == self.WORD:
                self.words.append((event.audio_position / 1000, event.text_position - 1))
            elif event.type == self.PHONEME:
                self.phonemes.append(
                    (event.audio_position / 1000, event.id.string.decode("utf-8", "replace"))
                )
            i += 1
        return 0

    def say(self, text, voice, pitch, speed):
        """-> (samples at self.rate, [(seconds, character)], [(seconds, phoneme)])"""
        self.wave, self.words, self.phonemes = [], [], []
        if self.lib.espeak_SetVoiceByName(voice.encode()) != 0:
            raise RuntimeError(f"espeak-ng has no voice {voice}")
        self.lib.espeak_SetParameter(1, int(speed), 0)
        self.lib.espeak_SetParameter(3, int(pitch), 0)
        raw = text.encode()
        self.lib.espeak_Synth(raw, len(raw) + 1, 0, 1, 0, 1, None, None)
        self.lib.espeak_Synchronize()
        return np.concatenate(self.wave), self.words, self.phonemes


def word_starts(text, events, end):
    """The time at which each word of `text` begins. espeak-ng joins some words; their starts are
    interpolated."""
    places, at = [], 0
    for word in text.split():
        at = text.index(word, at)
        places.append(at)
        at += len(word)
    starts = [None] * len(places)
    for seconds, position in events:
        for i, place in enumerate(places):
            if place <= position < place + len(text.split()[i]) and starts[i] is None:
                starts[i] = seconds
    known = [(i, s) for i, s in enumerate(starts) if s is not None] + [(len(starts), end)]
    if known[0][0] != 0:
        known.insert(0, (0, 0.0))
    return [
        float(np.interp(i, [k for k, _ in known], [s for _, s in known]))
        for i in range(len(places))
    ]
