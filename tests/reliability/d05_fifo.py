"""D5: pipes and devices in place of files. The program refuses each in one line, at once."""

import os

DIALOGUE = """version: 1
dialogue: d
inputs: { x: text }
cast: { m: CAST }
steps:
  a: { say: { agent: m, prompt: PROMPT, with: { x: "{{ x }}" } } }
answer: "{{ a }}"
"""


def attacks(section):
    folder = section.folder("project")
    for part in ("agents", "prompts", "vocab", "casts", "examples"):
        (folder / part).mkdir()
        ending = {"prompts": "md", "vocab": "txt"}.get(part, "yaml")
        os.mkfifo(folder / part / f"pipe.{ending}")
        os.symlink("/dev/zero", folder / part / f"zero.{ending}")
    (folder / "prompts/plain.md").write_text("{{ x }}")
    for name in ("d.yaml", "d.json", "d.jsonl", "d.txt", "d.mp4", "d.png"):
        os.mkfifo(folder / f"pipe-{name}")

    def write(name, cast="starter-lm", prompt="plain"):
        (folder / name).write_text(DIALOGUE.replace("CAST", cast).replace("PROMPT", prompt))
        return name

    plain = write("plain.yaml")

    def refused(*args, named, codes=(1, 2, 3, 4)):
        what = "elenchus " + " ".join(args)
        section.attack(what, *args, codes=codes, err=named, cwd=folder, seconds=10)

    for bad in ("pipe", "zero"):
        for verb in ("check", "graph", "test"):
            refused(verb, write(f"agent-{bad}.yaml", cast=bad), named=f"agents/{bad}.yaml")
        refused("check", write(f"prompt-{bad}.yaml", prompt=bad), named=f"prompts/{bad}.md")
        refused("check", plain, "--cast", bad, named=f"casts/{bad}.yaml")
        refused("check", bad, named=f"examples/{bad}.yaml")
        refused("run", bad, "-i", "x=y", named=f"examples/{bad}.yaml")
    section.attack(
        "elenchus models list", "models", "list", codes=(0, 1, 2, 4), cwd=folder, seconds=10
    )
    for path in ("pipe-d.yaml", "/dev/zero"):
        refused("check", path, named=path)
        refused("run", plain, "-i", f"x=@{path}", named=path)
        refused("eval", plain, "--data", path, named=path)
        refused("replay", path, named=path)
        refused("memo", "explain", path, "a", named=path)
        refused("try", "starter-clip", "--text", "x", "--among", path, named=path)
        refused("try", "starter-clip", "--image", path, "--embed", named=path)
        refused("try", "starter-whisper", "--audio", path, named=path)
        refused("ask", path, "Where are my keys?", named=path)
        refused("run", plain, "-i", "x=y", "--record", path, named=path)
    # files that the user names still work
    simple = (
        b'version: 1\ndialogue: d\nsteps: { a: { compute: "{{ 1 + 1 }}" } }\nanswer: "{{ a }}"\n'
    )
    for path in ("-", "/dev/stdin"):
        section.attack(f"a dialogue from {path}", "run", path, out="^2$", cwd=folder, stdin=simple)
    section.attack(
        "a text from a large file is refused",
        "check",
        large(folder),
        codes=(2,),
        err="more than",
        cwd=folder,
    )


def large(folder):
    """A dialogue of a terabyte, which is one hole."""
    with open(folder / "large.yaml", "wb") as file:
        file.truncate(1 << 40)
    return "large.yaml"
