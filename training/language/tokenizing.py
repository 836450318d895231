"""The tokenizer and the chat template."""

import os
import random

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

import paths
from day import daylog
from language import tasks
from language.lessons import Writer
from language.lexicon import ACTIVITIES_IN, activities_reply
from language.logs import random_log
from language.queries import random_cases
from language.templates import prompt

WORK = paths.work("lm")
SPECIAL = ["<|pad|>", "<|system|>", "<|user|>", "<|assistant|>", "<|end|>"]
CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "<|{{ message['role'] }}|>{{ message['content'] }}<|end|>"
    "{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
VOCABULARY_SIZE = 3200
# One token each for a line number (with its space, the same in the log and in a citation), for a
# minute, for two digits, and for the opening of a part of a line. Words take their leading space.
PIECES = r"\[\d{1,3}\] |\. (?:With|Seen|Heard):|\d\d:|\d{1,2}| ?[\p{L}']+| ?[^\s\p{L}\d]|\s"


def corpus(seed=0, lessons=4000):
    """Text for the tokenizer: many days, and pieces that must be one token whatever their
    frequency."""
    rng = random.Random(seed)
    yield prompt("video-qa", log="", question="")
    for _ in range(400):
        yield "".join(f"[{n}] " for n in range(1, 61)) + " ".join(
            f"{n:02d}:{n:02d}" for n in range(60)
        )
    for _ in range(lessons):
        segments, words = random_log(rng, 16)
        yield daylog.log_text(segments)
        for case in random_cases(rng, segments, words, 16):
            yield "Question: " + case.question
            yield case.reply()
    for place in ACTIVITIES_IN:
        for _ in range(10):
            yield prompt("activities", place=place, count=8)
            yield activities_reply(place, 10)

    for _name, example in tasks.EXAMPLES.items():
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


def writer():
    """A writer of lessons. Trains the tokenizer if training/work has none."""
    os.makedirs(WORK, exist_ok=True)
    path = os.path.join(WORK, "tokenizer.json")
    if not os.path.exists(path):
        train_tokenizer(path)
    return Writer(Tokenizer.from_file(path))
