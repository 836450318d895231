"""The sizes of starter-whisper: rates, windows, tokens."""

import paths

WORK = paths.work("whisper")
TARGET = paths.shipped("whisper")
RATE = 16000
CHUNK = 6  # seconds in a window
SAMPLES = CHUNK * RATE
FRAMES = CHUNK * 50  # encoder positions
MAX_TOKENS = 96
MERGED = 1400  # limit of byte-level BPE entries before the special tokens
LANGUAGES = ["en", "de", "es", "fr", "it"]
LANGUAGE_NAMES = ["english", "german", "spanish", "french", "italian"]
UTTERANCES = 9000
SHORT = 160  # encoder positions in the short windows at the beginning of the training
LISTEN = 0.1  # a sentence with less quiet after it (seconds) may continue beyond the window
LEAD = 0.2  # a sentence that must be heard again: the next window begins this long before it
# a sentence that begins so shortly before the end is left to the next window, which begins here
# at the latest
LATE = 0.3
NEAR = 0.5  # a sentence that begins before this is not heard again: repetition might never end
