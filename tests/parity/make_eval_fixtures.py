"""Reference values for the metrics of `elenchus eval`, from the packages that papers use.

  python make_eval_fixtures.py fixtures/eval.json              the stored cases
  python make_eval_fixtures.py OUT --random 2000 --seed 7      other cases, for ELENCHUS_EVAL_CASES=OUT

Needs pycocoevalcap 1.2 (and Java, for its tokenizer), jiwer 4.0, numpy, and openai-whisper 20250625,
of which only the normaliser is imported.
"""

import argparse
import importlib.util
import json
import os
import random
import sys
import unicodedata

import jiwer
import numpy as np
from pycocoevalcap.bleu.bleu import Bleu
from pycocoevalcap.cider.cider import Cider
from pycocoevalcap.rouge.rouge import Rouge
from pycocoevalcap.tokenizer.ptbtokenizer import PTBTokenizer

SPOKEN = """we need milk | We need -- the milk! | Mr. Smith won't go; he can't, I'ma say. | it's twenty five past eight
the bill is twenty million dollars and fifty cents | $2 and ¢7 | $0.07 | two and a half million | one oh one
first second twenty-third nineteen eighty four sixes | nineteen ninety nine point five percent | double seven triple oh five
one hundred and twenty three thousand and four | minus five degrees | the colour of the theatre centre | Dr. and Mrs. Jones, Jr.
five per cent | 3.14 and 1,000,000 | 10 s 5 th 1 st | 1s and 1 | <noise> hello [laughs] (coughs) there ( ) | hmm, um, mm-hmm uh
she'd been, he's gone, they'd done, I've got | y'all wanna gotta gonna | o'clock 'tis | Café naïve Ærø straße | 20% 5 % % a%
nine hundred ninety nine decillion | two thousand twenty four | point five | a half and a half | zero point zero one
seventeen hundred | one two three four five | ten ten | eleven oh five | hundred hundred | million | thirty second
£5 and €10 and 5 pounds | one dollar twenty | 1960s 274th 32nd | and a half | twenty and a half percent | 1.2.3.4 192.168.0.1
e.g. this. ... that.5 .5 5. | I'm let's ain't ma'am | fourth fifth twelfth twentieth hundredth thousandth zeroth | ten million and one
three point one four one five | plus two minus and | negative | triple | double double two | per | percent | cent cents
one hundred thousand and a half | 5 million dollars | $5 million | five hundred dollars and ten cents | 7 and a half"""

CAPTIONS = """A man is riding a horse.|a man rides a brown horse on the beach|Two dogs are playing with a ball in the park!
The woman's hat isn't red; it's blue.|A group of people (mostly children) sit at a table...|a cat and a dog
He cooks pasta, adds "salt" and stirs -- twice.|Mr. Smith doesn't own a T-shirt.|a well-known man/woman talks to 12,000 people
someone is playing the guitar at 5:30 p.m.|there are 2-3 cars parked in front of the U.S. flag|a person cannot open the door
It's 50% off: only $5.50 for the kids' meal|a girl says "hello" and waves|what's he doing?|the the the the|a|
a young boy kicks a soccer ball into a goal net|a boy is kicking a ball|men are cooking food in a kitchen|a chef prepares a meal"""

WORDS = (
    "a the man woman dog cat ball red blue runs plays is on in with and of table guitar people are two three one five"
    " twenty hundred thousand million point percent dollars and half oh zero first second twenty-five"
    " it's don't won't can't he'd she'll they've I'm mr. dr. colour grey theatre 5 10 3.5 1,000 $5 50% ¢7 £3 '90s"
    " 1 1s 2nd 3 th minus plus double triple per cent um uh hmm (aside) [x] <y> o'clock e.g. U.S. ... -- ! ? , . ;"
    " sixties ninetieth fifths tens millions billionth negative positive euros pounds cents nine eleven nineteen"
    " forty hundreds 007 0 1.0 12.50 100 1000 2000 naïve café Straße Ærø ñandú"
).split()
PLAIN = "a the man woman dog cat ball red blue runs plays is on in with of table guitar people are two".split()


def normaliser():
    """EnglishTextNormalizer of openai-whisper, without importing torch."""
    folder = importlib.util.find_spec("whisper").submodule_search_locations[0]
    place = os.path.join(folder, "normalizers")
    spec = importlib.util.spec_from_file_location(
        "normalizers", os.path.join(place, "__init__.py"), submodule_search_locations=[place]
    )
    module = importlib.util.module_from_spec(spec)
    sys.modules["normalizers"] = module
    spec.loader.exec_module(module)
    return module.EnglishTextNormalizer()


def sentence(rng, words, longest):
    parts = [rng.choice(words) for _ in range(rng.randint(0, longest))]
    return " ".join(part.capitalize() if rng.random() < 0.1 else part for part in parts)


def spoken(rng, count):
    """Transcripts; a few with characters from anywhere in Unicode."""
    texts = [text.strip() for text in SPOKEN.replace("\n", "|").split("|")]
    texts += [sentence(rng, WORDS, 14) for _ in range(count)]
    for _ in range(count // 10):
        points = (
            rng.choice([rng.randint(32, 0x24F), rng.randint(32, 0x2FFF), rng.randint(32, 0x1FFFF)])
            for _ in range(12)
        )
        # later versions of Unicode assign more
        texts.append(
            "".join(chr(p) for p in points if unicodedata.category(chr(p)) not in ("Cn", "Cs"))
        )
    return texts


def captions(rng, count, words):
    """(answer, references): references have some words of the answer."""
    cases = []
    for _ in range(count):
        base = [rng.choice(words) for _ in range(rng.randint(1, 12))]
        answers = []
        for _ in range(rng.randint(1, 5)):
            changed = [word if rng.random() < 0.7 else rng.choice(words) for word in base]
            answers.append(
                " ".join(
                    changed[: rng.randint(1, len(changed))]
                    + rng.choices(words, k=rng.randint(0, 3))
                )
            )
        cases.append((answers[0] if rng.random() < 0.1 else " ".join(base), answers))
    return cases


def caption_scores(cases):
    references = {at: answers for at, (_, answers) in enumerate(cases)}
    said = {at: [answer] for at, (answer, _) in enumerate(cases)}
    bleu, each_bleu = Bleu(4).compute_score(references, said, verbose=0)
    rouge, each_rouge = Rouge().compute_score(references, said)
    cider, each_cider = Cider().compute_score(references, said)
    return {
        "cases": [{"answer": answer, "answers": answers} for answer, answers in cases],
        "bleu": bleu,
        "each_bleu": each_bleu,
        "rouge_l": float(rouge),
        "each_rouge_l": [float(score) for score in each_rouge],
        "cider_d": float(cider),
        "each_cider_d": [float(score) for score in each_cider],
    }


def treebank(texts):
    """The words of pycocoevalcap's tokenizer. It takes one line for each text."""
    texts = [" ".join(text.split()) for text in texts]
    told = PTBTokenizer().tokenize(
        {at: [{"caption": text or "."}] for at, text in enumerate(texts)}
    )
    return [[text, told[at][0]] for at, text in enumerate(texts)]


def word_errors(rng, normalise, count):
    """Pairs of references and transcripts with jiwer's counts after the normaliser."""
    pairs = []
    for text in [text for text in spoken(rng, count) if normalise(text).strip()][: max(count, 20)]:
        words = text.split()
        heard = [
            word if rng.random() < 0.8 else rng.choice(WORDS)
            for word in words
            if rng.random() < 0.9
        ]
        pairs.append((text, " ".join(heard)))
    truths, heard = zip(*((normalise(one), normalise(two)) for one, two in pairs))
    each = [jiwer.wer(one, two) for one, two in zip(truths, heard)]
    return {"pairs": pairs, "wer": jiwer.wer(list(truths), list(heard)), "each": each}


def ranks(rng, count):
    """Places from 0 with R@k and the median as CLIP4Clip's metrics.py computes them."""
    places = np.array([int(rng.expovariate(0.2)) for _ in range(count)])
    share = {f"r@{k}": float(np.sum(places < k)) / len(places) for k in (1, 5, 10)}
    return {"places": places.tolist(), "median_rank": float(np.median(places) + 1), **share}


def risks(rng, count):
    """Confidences without equals, and wrong answers; the mean risk over all coverages (Geifman and El-Yaniv 2017)."""
    sure = [rng.random() for _ in range(count)]
    wrong = [float(rng.random() > one) for one in sure]
    order = np.argsort(-np.array(sure), kind="stable")
    risk = np.cumsum(np.array(wrong)[order]) / np.arange(1, count + 1)
    covered = {
        str(limit): float(max((np.nonzero(risk <= limit)[0] + 1).tolist() or [0])) / count
        for limit in (0.05, 0.1, 0.2)
    }
    return {
        "confidence": sure,
        "wrong": wrong,
        "risk_area": float(np.mean(risk)),
        "coverage": covered,
    }


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("out")
    parser.add_argument(
        "--random", type=int, default=40, metavar="N", help="number of random cases of each sort"
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--texts", metavar="FILE", help="a file with one caption a line, for the tokenizer"
    )
    args = parser.parse_args()
    rng = random.Random(args.seed)
    normalise = normaliser()
    written = [text for text in CAPTIONS.replace("\n", "|").split("|")]
    if args.texts:
        with open(args.texts, encoding="utf-8") as file:
            written += [line.strip() for line in file]
    pairs = [(one, [two, three]) for one, two, three in zip(written, written[1:], written[2:])]
    tokenised = dict(treebank(written))
    plain = [
        (tokenised[" ".join(one.split())], [tokenised[" ".join(two.split())] for two in two])
        for one, two in pairs[:20]
    ]
    fixture = {
        "whisper": [[text, normalise(text)] for text in spoken(rng, args.random)],
        "wer": word_errors(rng, normalise, args.random),
        "captions": [
            caption_scores(captions(rng, args.random, PLAIN)),
            caption_scores(plain),
            caption_scores([("", ["a man"]), ("a man", ["a man", "the man"]), ("a", ["a dog"])]),
        ],
        "treebank": treebank(written),
        "ranks": ranks(rng, args.random),
        "risks": risks(rng, args.random),
    }
    with open(args.out, "w", encoding="utf-8") as file:
        json.dump(fixture, file, ensure_ascii=False, indent=None, separators=(",", ":"))
        file.write("\n")


if __name__ == "__main__":
    main()
