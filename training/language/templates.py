"""The prompts of the repository, filled in."""

import os

import jinja2

import paths


def prompt(name, **holes):
    with open(os.path.join(paths.ROOT, "prompts", name + ".md"), encoding="utf-8") as file:
        return jinja2.Template(file.read(), keep_trailing_newline=False).render(**holes)
