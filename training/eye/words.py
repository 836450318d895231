"""The texts that starter-clip is trained on, and its tokenizer."""

import random

import scene
import vocab
from eye.pictures import CONTEXT

GROUPS = {
    "place": vocab.PLACE_NAMES,
    "activity": vocab.SEEN_ACTIVITIES,
    "object": vocab.OBJECT_NAMES,
    "held": vocab.HELD_NAMES,
    "people": vocab.PEOPLE,
}
GENERAL = [
    "{}",
    "a photo of {}",
    "a picture of {}",
    "this is {}",
    "a video frame of {}",
    "a first-person photo of {}",
]
TEMPLATES = {
    "place": GENERAL
    + [
        "a photo of a {}",
        "a photo of the {}",
        "in the {}",
        "I am in the {}",
        "a {}",
        "the {}",
        "a photo taken in the {}",
        "a photo taken in a {}",
        "this is the {}",
        "at the {}",
        "a picture of a {}",
        "I am in a {}",
        "a first-person photo of a {}",
    ],
    "activity": GENERAL
    + [
        "a photo of someone {}",
        "I am {}",
        "someone is {}",
        "a photo of me {}",
        "a person {}",
        "someone {}",
        "a photo of a person {}",
        "a photo of hands {}",
        "a first-person photo of someone {}",
        "a video of someone {}",
    ],
    "object": GENERAL
    + [
        "a photo of a {}",
        "a photo of the {}",
        "a {}",
        "the {}",
        "there is a {}",
        "a photo of some {}",
        "I see a {}",
        "I see the {}",
        "a picture of a {}",
        "a {} on the table",
        "a first-person photo of a {}",
        "a photo with a {}",
    ],
    "held": [
        "a photo of someone carrying the {}",
        "a photo of someone carrying a {}",
        "carrying the {}",
        "I am carrying the {}",
        "someone carrying the {}",
        "a photo of me carrying the {}",
        "a hand holding the {}",
        "holding the {}",
        "a first-person photo of someone carrying the {}",
    ],
    "people": [
        "a photo with {}",
        "a photo of {}",
        "{}",
        "I see {}",
        "a picture with {}",
        "there is {}",
        "a video frame with {}",
        "with {}",
        "a first-person photo with {}",
    ],
}
# Sentences about a whole picture, as the language model writes them for
# examples/small_captions.yaml, and shorter ones.
CAPTIONS = [
    "I am {doing} {in}.",
    "a photo of someone {doing} {in}",
    "{doing} {in}",
    "I am {in}, {doing}.",
]
CAPTIONS_WITH = [
    "I am {doing} {in}, with {things} beside me.",
    "I am {in}, {doing} next to {things}.",
    "I see {things} while I am {doing} {in}.",
    "I am {doing} {in} and see {things}.",
    "a photo of {things} {in}",
    "{things} {in}",
    "a photo of {things}",
]
CAPTIONS_PEOPLE = [
    "a photo of {people} {in}",
    "I am {doing} {in} with {people}.",
    "I see {people} while I am {doing} {in}.",
]
# The wordings of run time.
WORDING = {
    "place": "a photo of a {}",
    "activity": "a photo of someone {}",
    "object": "a photo of a {}",
    "held": "a photo of someone carrying the {}",
    "people": "a photo with {}",
}


def article(thing):
    """'egg' -> 'an egg', 'keys' -> 'some keys'."""
    if thing in vocab.PLURAL | {"bread", "cheese", "milk", "pizza", "yarn"}:
        return "some " + thing
    return ("an " if thing[0] in "aeiou" else "a ") + thing


def random_facts(rng):
    """(place, activity, things, number of persons), drawn at random."""
    state = scene.random_state(rng)
    return (
        state.place,
        vocab.carrying(state.held) if state.held else state.activity,
        list(state.objects),
        state.people,
    )


def caption(rng, place, doing, things, people):
    """One sentence that is true of these facts. It names some of the things, or the persons, or
    neither."""
    named = rng.sample(things, 2 if len(things) > 1 and rng.random() < 0.4 else 1) if things else []
    kind = rng.random()
    patterns = (
        CAPTIONS_WITH
        if named and kind < 0.7
        else CAPTIONS_PEOPLE
        if people > 0 and kind < 0.85
        else CAPTIONS
    )
    said = [
        article(thing) if rng.random() < 0.7 else rng.choice(["a ", "the "]) + thing
        for thing in named
    ]
    return rng.choice(patterns).format(
        doing=doing,
        things=" and ".join(said),
        people=vocab.PEOPLE[max(0, people)],
        **{"in": vocab.in_place(place)},
    )


def caption_pair(rng, place, doing, things, people, seen):
    """A true caption and one with a single error: mostly a thing that is not `seen`, else activity,
    place or persons."""
    draw = rng.getrandbits(32)  # both use the same words
    true = caption(random.Random(draw), place, doing, things, people)
    wrong = [
        (
            place,
            doing,
            [rng.choice([n for n in vocab.OBJECT_NAMES if n not in seen]) for _ in things],
            people,
        )
    ] * 5
    wrong += [(place, rng.choice(vocab.ACTIVITY_NAMES), things, people)] * 2 + [
        (rng.choice(vocab.PLACE_NAMES), doing, things, people)
    ]
    wrong += [(place, doing, things, rng.choice([1, 2, 3]))] * (2 if people > 0 else 0)
    if doing.startswith("carrying "):
        wrong += [(place, vocab.carrying(rng.choice(vocab.HELD_NAMES)), things, people)] * 2
    rng.shuffle(wrong)
    for facts in wrong:
        other = caption(random.Random(draw), *facts)
        if other != true:
            return true, other
    return true, true


def build_tokenizer():
    """Byte-level BPE whose merges know the vocabulary's words. Any other word becomes bytes."""
    from tokenizers import (
        Tokenizer,
        decoders,
        models,
        normalizers,
        pre_tokenizers,
        processors,
        trainers,
    )

    rng = random.Random("clip tokenizer")
    texts = [
        t.format(label) for g, labels in GROUPS.items() for label in labels for t in TEMPLATES[g]
    ]
    texts += [caption(rng, *random_facts(rng)) for _ in range(3000)]
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Lowercase()])
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator(
        texts,
        trainers.BpeTrainer(
            vocab_size=1100,
            min_frequency=2,
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        ),
    )
    tokenizer.add_special_tokens(["<|startoftext|>", "<|endoftext|>"])
    bos, eos = tokenizer.token_to_id("<|startoftext|>"), tokenizer.token_to_id("<|endoftext|>")
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<|startoftext|> $A <|endoftext|>",
        special_tokens=[("<|startoftext|>", bos), ("<|endoftext|>", eos)],
    )
    tokenizer.enable_truncation(CONTEXT)
    return tokenizer


def encode(tokenizer, texts, eos):
    import torch

    rows = [e.ids for e in tokenizer.encode_batch(texts)]
    longest = max(map(len, rows))
    return torch.tensor([r + [eos] * (longest - len(r)) for r in rows])


def facts_of(data, row):
    """The facts of a cached picture for a caption, and all objects in it."""
    seen = [vocab.OBJECT_NAMES[i] for i in data["objects"][row].nonzero()[0]]
    held = vocab.HELD_NAMES[data["held"][row]] if data["held"][row] >= 0 else ""
    doing = vocab.carrying(held) if held else vocab.SEEN_ACTIVITIES[data["activity"][row]]
    return (
        vocab.PLACE_NAMES[data["place"][row]],
        doing,
        [n for n in seen if n != held],
        int(data["people"][row]),
        seen,
    )
