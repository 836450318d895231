"""Reads the lists of words and wordings in texts/: one a line. `#` begins a comment."""

import os

import paths


def lines(name):
    """The lines of texts/NAME.txt. A space at the beginning of a line counts."""
    with open(os.path.join(paths.TEXTS, f"{name}.txt"), encoding="utf-8") as file:
        read = file.read().splitlines()
    return [line for line in read if line.strip() and not line.startswith("#")]


def words(name):
    """The words of texts/NAME.txt, several a line."""
    return [word for line in lines(name) for word in line.split()]


def sections(name):
    """{section: its lines}. `[section]` opens one."""
    found, section = {}, None
    for line in lines(name):
        if line.startswith("[") and line.endswith("]"):
            section = found.setdefault(line[1:-1], [])
        else:
            section.append(line)
    return found
