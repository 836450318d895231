"""The sentences that starter-whisper is trained on, and its tokenizer."""

import hashlib
import os
import random

import sayings
import vocab
from ear.shape import CHUNK, LANGUAGES, MERGED, WORK

# words
FIXED = {pattern for pattern in sayings.SPEECH if "{" not in pattern}


def held_out(sentence):
    """Whether a sentence is held out: an eighth of all. Sentences without variants are never held
    out, because their words occur nowhere else."""
    return sentence not in FIXED and hashlib.md5(sentence.encode()).digest()[0] % 8 == 0


CARRIERS = (
    sayings.NAMES
    + vocab.OBJECT_NAMES
    + sayings.FOODS
    + vocab.PLACE_NAMES
    + sayings.COLOURS
    + sayings.DAYS
    + sayings.NUMBERS
    + sayings.TIMES
)
DEEDS = [pattern for pattern in sayings.SPEECH if "{base}" in pattern]


def scrambled(rng, words):
    """Words in random order, so that the decoder must listen rather than guess. Half of them are
    words that answers contain."""
    return " ".join(
        rng.choice(CARRIERS if rng.random() < 0.5 else words) for _ in range(rng.randint(2, 7))
    ) + rng.choice([".", ".", "?"])


def training_sentence(rng, words):
    """A sentence to train with. A fifth are scrambled, two fifths carry plots (mostly errands,
    which hold the most words), a tenth are about activities, and the rest are any sentences."""
    kind = rng.random()
    if kind < 0.2:
        return scrambled(rng, words)
    for share, patterns in (
        (0.40, sayings.ERRANDS),
        (0.52, sayings.PROMISES),
        (0.60, sayings.GREETINGS),
        (0.70, DEEDS),
    ):
        if kind < share:
            return sayings.fill(rng, rng.choice(patterns))
    return sayings.sample_sentence(rng)


def all_words(rng):
    words = set()
    for _ in range(20000):
        words.update(sayings.sample_sentence(rng).rstrip(".?").replace(",", "").split())
    return sorted(words)


def build_tokenizer():
    """Byte-level BPE with Whisper's special tokens in Whisper's order."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers

    rng = random.Random(1)
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=MERGED,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(
        (" " + sayings.sample_sentence(rng) for _ in range(20000)), trainer
    )
    special = ["<|endoftext|>", "<|startoftranscript|>"]
    special += [f"<|{language}|>" for language in LANGUAGES]
    special += [
        "<|translate|>",
        "<|transcribe|>",
        "<|startoflm|>",
        "<|startofprev|>",
        "<|nospeech|>",
        "<|notimestamps|>",
    ]
    tokenizer.add_special_tokens([AddedToken(t, special=True, normalized=False) for t in special])
    stamps = [f"<|{i * 0.02:.2f}|>" for i in range(CHUNK * 50 + 1)]
    tokenizer.add_tokens([AddedToken(t, special=False, normalized=False) for t in stamps])
    return tokenizer


class Ids:
    """The numbers of the special tokens."""

    def __init__(self, tokenizer):
        one = tokenizer.token_to_id
        self.eot, self.sot = one("<|endoftext|>"), one("<|startoftranscript|>")
        self.en, self.translate, self.transcribe = (
            one("<|en|>"),
            one("<|translate|>"),
            one("<|transcribe|>"),
        )
        self.lm, self.prev = one("<|startoflm|>"), one("<|startofprev|>")
        self.nospeech, self.notimestamps = one("<|nospeech|>"), one("<|notimestamps|>")
        self.zero = one("<|0.00|>")
        self.space = one("Ġ")
        self.languages = {f"<|{language}|>": one(f"<|{language}|>") for language in LANGUAGES}
        self.size = tokenizer.get_vocab_size()

    def stamp(self, seconds):
        return self.zero + min(max(round(seconds * 50), 0), CHUNK * 50)


def load_tokenizer():
    from tokenizers import Tokenizer

    path = os.path.join(WORK, "tokenizer.json")
    if not os.path.exists(path):
        os.makedirs(WORK, exist_ok=True)
        build_tokenizer().save(path)
    return Tokenizer.from_file(path)
