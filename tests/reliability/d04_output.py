"""D4: a full or closed stdout or stderr costs no answer and changes no exit code. A terminal gets no control
characters."""

import os
import pty
import select

GOOD = """version: 1
dialogue: d
cast: { mind: m }
steps:
  said: { say: { agent: mind, text: Well? } }
answer: "{{ said }}"
"""
FOREIGN = 'script: "\\e[31mred\\a \\u202eback\\u0009tab \\u009b2J end"\n'


def attacks(section):
    home = section.folder("project")
    (home / "agents").mkdir()
    (home / "agents" / "m.yaml").write_text("script: fine\n")
    (home / "agents" / "foreign.yaml").write_text(FOREIGN)
    (home / "good.yaml").write_text(GOOD)
    (home / "bad.yaml").write_text(GOOD.replace("agent: mind", "agent: mnid"))
    commands = [
        ("answer", ["run", "good.yaml"], 0, "fine"),
        ("answer with logs", ["run", "good.yaml", "-vv"], 0, "fine"),
        ("json", ["run", "good.yaml", "--json"], 0, "fine"),
        ("problem", ["check", "bad.yaml"], 2, None),
        ("problem, coloured", ["check", "bad.yaml", "--color", "always"], 2, None),
        ("no file", ["ask", "nofile.mp4", "x"], 3, None),
        ("usage", ["ask"], 2, None),
        ("usage as json", ["ask", "--json"], 2, None),
        ("no dialogue", ["run", "nothing_like_it"], 2, None),
        ("tests", ["test", "good.yaml"], 0, None),
    ]
    for name, args, code, out in commands:
        with open("/dev/full", "wb") as full:
            section.attack(
                f"{name}: stderr is full", *args, cwd=home, codes=(code,), out=out, stderr=full
            )
        section.attack(
            f"{name}: stderr is a closed pipe",
            *args,
            cwd=home,
            codes=(code,),
            out=out,
            stderr=_closed(),
        )
        trace = section.environment(RUST_LOG="trace")
        with open("/dev/full", "wb") as full:
            section.attack(
                f"{name}: logs to a full stderr",
                *args,
                cwd=home,
                codes=(code,),
                out=out,
                stderr=full,
                env=trace,
            )
        section.attack(
            f"{name}: stdout is a closed pipe", *args, cwd=home, codes=(code,), stdout=_closed()
        )
    for name, args, code, _out in commands:
        # the result could not be written: 1 instead of 0
        with open("/dev/full", "wb") as full:
            section.attack(f"{name}: stdout is full", *args, cwd=home, codes=(code, 1), stdout=full)
    for name, more in [("text", []), ("json", ["--json"]), ("logs", ["-vv"])]:
        code, shown = _on_terminal(section, home, ["run", "foreign_run.yaml", *more], home)
        section.hold(f"foreign {name} on a terminal: ends well", code == 0, f"{code}: {shown!r}")
        controls = [
            c
            for c in shown
            if (c < " " and c not in "\r\n\t\x1b") or "\x7f" <= c <= "\x9f" or c in "\u202e\u2066"
        ]
        section.hold(
            f"foreign {name} on a terminal: no controls", not controls, f"{controls} in {shown!r}"
        )
        section.hold(
            f"foreign {name} on a terminal: no foreign colour",
            "\x1b[31mred" not in shown,
            repr(shown),
        )
    result = section.attack("foreign text in a pipe", "run", "foreign_run.yaml", cwd=home)
    section.hold(
        "foreign text in a pipe: as it is",
        "\x1b[31mred\x07 \u202eback" in result.out,
        repr(result.out),
    )
    name = "no\x1b[31mfile\u202e.mp4"
    code, shown = _on_terminal(section, home, ["ask", name, "x"], home)
    section.hold(
        "a file name on a terminal",
        code == 3 and "\x1b[31mfile" not in shown and "\u202e" not in shown,
        repr(shown),
    )


def _closed():
    """The writing end of a pipe that nobody reads."""
    read, write = os.pipe()
    os.close(read)
    return os.fdopen(write, "wb")


def _on_terminal(section, home, args, cwd):
    """The exit code, and all output to a terminal from stdout and stderr."""
    (home / "foreign_run.yaml").write_text(
        GOOD.replace("cast: { mind: m }", "cast: { mind: foreign }")
    )
    ours, theirs = pty.openpty()
    with os.fdopen(theirs, "wb", closefd=True) as terminal:
        result = section.run(*args, cwd=cwd, stdout=terminal, stderr=terminal)
    shown = b""
    while select.select([ours], [], [], 0.2)[0]:
        try:
            piece = os.read(ours, 65536)
        except OSError:
            break
        if not piece:
            break
        shown += piece
    os.close(ours)
    return result.code, shown.decode(errors="replace")
