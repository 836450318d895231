"""Writes src/prompt/thesaurus.txt from the dictionary files of WordNet 3.0 (`wordnet-base`):

    python training/thesaurus.py /usr/share/wordnet

The file has one line for each sense of common words: the numbers of the lines of its broader
senses, a tab, and the words that share the sense. `torch~2` is the third sense of "torch"; without
a mark it is the first one. A line comes after those that it names. The last lines hold labels that
an eye tells apart, which never stand for each other, and verbs that no label has: people word a
question with them ("stash", "snap"). Common words are those that WordNet counted in texts, and
those of our label lists; broader senses of kept ones are kept too. texts/same.txt has phrases that
WordNet lacks.
"""

import argparse
import pathlib
import re
from collections import Counter

ROOT = pathlib.Path(__file__).resolve().parent.parent
# acts, animals, artifacts, attributes (colours), bodies, food, groups, places, objects, persons,
# plants, substances
CONCRETE = {"04", "05", "06", "07", "08", "13", "14", "15", "17", "18", "20", "27"}
SENSES = 6
# Two labels of one list are different things for the eye that knows the list.
SEEN = sorted(ROOT.glob("vocab/starter/*.txt"))
WORD = re.compile(r"[a-z]+([_-][a-z]+)?")
HEADER = """\
# Words that share a sense, and broader senses, made by training/thesaurus.py from WordNet 3.0.
# WordNet 3.0 Copyright 2006 by Princeton University. All rights reserved.
# LICENSE-WORDNET holds its licence.
"""


def rows(path):
    for line in path.read_text(encoding="latin1").splitlines():
        if not line.startswith("  "):
            yield line.split(" | ")[0].split()


def senses(folder, pos):
    """{offset: (words, broader offsets, lexicographer's file)} in the file's order."""
    found = {}
    for row in rows(folder / f"data.{pos}"):
        count = int(row[3], 16)
        words = row[4 : 4 + 2 * count : 2]
        links = row[5 + 2 * count :]
        broader = [links[i + 1] for i in range(0, len(links) - 3, 4) if links[i] == "@"]
        found[row[0]] = (words, broader, row[1])
    return found


def ranks(folder, pos):
    """{word: offsets of its senses, the most frequent first}"""
    return {row[0]: row[-int(row[2]) :] for row in rows(folder / f"index.{pos}")}


def uses(folder):
    """(word, number of its part of speech, lexicographer's file, how often texts use it so)"""
    for line in (folder / "cntlist.rev").read_text().splitlines():
        key, _, count = line.split()
        word, pos, kind = re.match(r"(.*)%(\d):(\d\d)", key).groups()
        yield word, int(pos), kind, int(count)


def counts(folder, pos):
    total = Counter()
    for word, other, _, count in uses(folder):
        if other == pos:
            total[word] += count
    return total


def labels(without=()):
    """The label lists, and each of their words."""
    found = set()
    for path in sorted(ROOT.glob("vocab/**/*.txt")):
        if path.stem in without:
            continue
        for line in path.read_text().lower().splitlines():
            found.add(line.strip().replace(" ", "_"))
            found.update(re.findall("[a-z]+", line))
    return found


def kept(folder, pos, number, known):
    """The senses of common words, broader ones first, as (offset, words, broader offsets)."""
    all_senses, rank, count = senses(folder, pos), ranks(folder, pos), counts(folder, number)
    marked = {}
    for offset, (words, _, _) in all_senses.items():
        plain = [word for word in words if WORD.fullmatch(word)]
        marked[offset] = [
            (word, rank[word].index(offset)) for word in plain if rank[word].index(offset) < SENSES
        ]
    wanted = [
        offset
        for offset, (_, _, kind) in all_senses.items()
        if (pos == "verb" or kind in CONCRETE)
        and any(count[word] or word in known for word, _ in marked[offset])
    ]
    order, placed = [], set()

    def place(offset, above=()):
        if offset in placed or offset in above:
            return
        for broader in all_senses[offset][1]:
            place(broader, (*above, offset))
        placed.add(offset)
        order.append(offset)

    for offset in wanted:
        place(offset)
    return [(offset, marked[offset], all_senses[offset][1]) for offset in order]


def wording(folder):
    """Common words that are verbs in half of their uses and things in hardly any, and in no label
    of a thing, a place or an activity, in any inflection."""
    sorts = {}
    for word, pos, kind, count in uses(folder):
        is_thing = pos == 1 and kind in CONCRETE - {"04", "07"}
        sort = "verb" if pos == 2 else "thing" if is_thing else "other"
        sorts.setdefault(word, Counter())[sort] += count
    named = {stem(word) for word in labels(without=("sounds", "imagenet"))}
    return sorted(
        word
        for word, sort in sorts.items()
        if word.isalpha() and stem(word) not in named
        if 2 * sort["verb"] >= sort.total() and 8 * sort["thing"] <= sort.total()
    )


def stem(word):
    """A word without the endings of regular inflection."""
    word = re.sub(r"(?<=...)(ing|ed|es|s)$", "", word)
    return re.sub(r"(?<=...)(e|(?<=(.))\2)$", "", word)


def text(folder):
    known, lines, number = labels(), [], {}
    for pos, tag in (("noun", 1), ("verb", 2)):
        for offset, words, broader in kept(folder, pos, tag, known):
            above = [str(number[pos, other]) for other in broader if (pos, other) in number]
            number[pos, offset] = len(lines)
            names = [
                re.sub("[_-]", " ", word) + (f"~{rank}" if rank else "") for word, rank in words
            ]
            lines.append(f"{' '.join(above)}\t{','.join(names)}")
    own = (ROOT / "training/texts/same.txt").read_text().splitlines()
    lines += ["\t" + ",".join(name.strip() for name in line.split(",")) for line in own]
    apart = ["apart\t" + ",".join(path.read_text().lower().split("\n")).strip(",") for path in SEEN]
    verbs = ["wording\t" + ",".join(wording(folder))]
    return HEADER + "\n".join(lines + apart + verbs) + "\n"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=pathlib.Path)
    written = text(parser.parse_args().folder)
    (ROOT / "src/prompt/thesaurus.txt").write_text(written)
    print(f"{len(written)} bytes, {written.count(chr(10))} lines")
