"""D11: `--deadline`, Ctrl-C and `try --deadline` hold during the evaluation of a template of a dialogue or a
checkpoint."""

import signal

SHARED = "{% set a = [1] %}" + "{% set a = [a, a] %}" * 40
# each uses the limit of one evaluation; a thousand take minutes
SLOW = "{% for i in range(99999) %}{% for j in range(99999) %}{{ [i, j] | sort | join }}{% endfor %}{% endfor %}"

DIALOGUE = """version: 1
dialogue: slow
steps:
  many: {{ compute: "{{{{ range(1000) | list }}}}" }}
  a:
    each: many
    compute: "{{{{ item }}}}{template}"
    or: none
answer: "{{{{ a | length }}}}"
"""


def attacks(section):
    folder = section.folder("project")
    for name, work in {
        "join": "{{ a ~ '' }}",
        "key": "{{ {a: 1} | length }}",
        "==": "{{ a == [a] }}",
    }.items():
        one = DIALOGUE.replace("range(1000)", "range(1)").format(template=SHARED + work)
        (folder / "one.yaml").write_text(one.replace("    or: none\n", ""))
        section.attack(
            f"{name}, one",
            "run",
            "one.yaml",
            "--no-memo",
            cwd=folder,
            seconds=40,
            codes=(1,),
            err="work limit",
        )
    (folder / "slow.yaml").write_text(DIALOGUE.format(template=SLOW))
    run = ("run", "slow.yaml", "--no-memo")
    # a deadline (5) or the first Ctrl-C (130) ends it with one line
    section.attack(
        "run --deadline",
        *run,
        "--deadline",
        "2s",
        cwd=folder,
        codes=(5,),
        err="deadline",
        seconds=8,
    )
    section.attack(
        "Ctrl-C",
        *run,
        cwd=folder,
        codes=(130,),
        err="^error",
        seconds=10,
        signals=[(2, signal.SIGINT)],
    )
    section.attack(
        "test ends by Ctrl-C",
        *run,
        "--deadline",
        "1m",
        cwd=folder,
        codes=(130,),
        err="^error",
        seconds=10,
        signals=[(3, signal.SIGINT)],
    )
    section.attack(
        "try --deadline",
        "try",
        "starter-lm",
        "--prompt",
        "hi",
        "--deadline",
        "1ms",
        codes=(5,),
        err="no answer within",
        seconds=15,
    )
    section.attack(
        "try --deadline grammar",
        "try",
        "starter-lm",
        "--prompt",
        "hi",
        "--deadline",
        "soon",
        codes=(2,),
        err="duration",
        seconds=15,
    )
