"""D14: damaged replies are asked again; a memo on a read-only or full disk can be read and purged."""

import os
import random
import shutil
import sqlite3
import subprocess

from attack import ROOT

LOG = f"log={ROOT}/examples/media/day1.log.jsonl"
QUESTION = "question=Where did I last see the keys?"
ASK = ["run", "log_qa", "-i", LOG, "-i", QUESTION]
KINDS = {"quiet": ["-q"], "json": ["--json", "-q"]}
FLIPS = 40


def attacks(section):
    project = section.folder("project")
    cache = section.home / ".cache" / "elenchus"
    memo = cache / "memo"
    right = section.attack("an answer", *ASK, "-q", cwd=project, out="cafe").out
    base = (memo / "memo.sqlite").read_bytes()

    chance = random.Random(14)
    for n in range(FLIPS):
        damaged = bytearray(base)
        for _ in range(20):
            damaged[chance.randrange(100, len(damaged))] ^= 1 << chance.randrange(8)
        for name in ["memo.sqlite-wal", "memo.sqlite-shm"]:
            (memo / name).unlink(missing_ok=True)
        (memo / "memo.sqlite").write_bytes(damaged)
        result = section.run(*ASK, "-q", cwd=project)
        wrong = result.code == 0 and result.out != right
        refused = result.code == 1 and "purge --all" in result.err
        section.hold(
            f"20 flipped bits, try {n}",
            not wrong and (result.code == 0 or refused),
            (result.code, result.out, result.err),
        )
    (memo / "memo.sqlite").write_bytes(base)

    rows = {
        "an empty rank": ("rank", '{"rank":[]}'),
        "a text of another kind": ("hear", '{"hear":[]}'),
        "no JSON": ("say", "{"),
        "another answer": ("say", '{"say":{"text":"[1] In the park.","finish":"stop"}}'),
    }
    for name, (kind, reply) in rows.items():
        with sqlite3.connect(memo / "memo.sqlite") as open_base:
            open_base.execute("UPDATE exchanges SET kind = ?, reply = ?", (kind, reply))
        open_base.close()
        result = section.attack(f"a row with {name}", *ASK, "-q", cwd=project)
        section.hold(f"a row with {name}: asked again", result.out == right, result.out)

    section.attack(
        "purging old replies", "memo", "purge", "--older", "1h", cwd=project, out="^0 exchanges"
    )
    section.attack(
        "an age without a unit",
        "memo",
        "purge",
        "--older",
        "30",
        cwd=project,
        codes=(2,),
        err="unit",
    )
    _names(section, project)
    if os.geteuid() == 0 and shutil.which("mount"):
        section.attack("an answer again", *ASK, "-q", cwd=project)
        _read_only(section, project, cache, right)
        _full(section, project, right)
    else:
        print("    (left out: read-only and full disks, which need root)")


def _names(section, project):
    """Purges by path and by digest after the file is deleted."""
    video = project / "s.mp4"
    day = ROOT / "examples" / "media" / "day1.mp4"
    subprocess.run(["ffmpeg", "-v", "error", "-y", "-i", day, "-t", "3", video], check=True)
    transcribe = ["run", "transcribe", "-i", "video=s.mp4", "-q"]
    for name in ["./s.mp4", str(video), None]:
        section.attack("hearing a video", *transcribe, cwd=project)
        digest = section.run("memo", "stat", "--json", cwd=project).out.split(
            '"sources":[{"digest":"'
        )[1][:16]
        video.rename(project / "away.mp4")
        removed = section.attack(
            f"purging {name or 'a digest'}", "memo", "purge", "--video", name or digest, cwd=project
        )
        section.hold(
            f"purging {name or 'a digest'}: it was found",
            not removed.out.startswith("0 "),
            removed.out,
        )
        (project / "away.mp4").rename(video)
    section.attack(
        "purging an unknown name",
        "memo",
        "purge",
        "--video",
        "none.mp4",
        cwd=project,
        codes=(3,),
        err="memo stat",
    )


def _read_only(section, project, cache, right):
    subprocess.run(["mount", "--bind", cache, cache], check=True)
    try:
        subprocess.run(["mount", "-o", "remount,bind,ro", cache], check=True)
        section.attack(
            "a read-only memo answers", *ASK, "--json", "-q", cwd=project, out='"memo_hits":1'
        )
        section.attack("a read-only memo is counted", "memo", "stat", cwd=project, out="exchanges")
        new = section.attack(
            "a read-only memo and a new question", *ASK[:-1], "question=Where was I?", cwd=project
        )
        said = new.err.count("new replies are not kept")
        section.hold("a read-only memo: said once", said == 1, new.err)
        section.attack(
            "a read-only memo is not purged",
            "memo",
            "purge",
            "--all",
            cwd=project,
            codes=(1,),
            err="Read-only",
        )
    finally:
        subprocess.run(["umount", cache], check=True)


def _full(section, project, right):
    disk = section.folder("disk")
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", disk], check=True)
    try:
        env = section.environment(ELENCHUS_CACHE=disk, ELENCHUS_DATA=disk, ELENCHUS_FULL=1)
        # The starter cast is too large for the disk: its unpacked weights come from the other cache.
        os.symlink(section.home / ".cache" / "elenchus" / "starter", disk / "starter")
        section.attack("an answer on a small disk", *ASK, "-q", cwd=project, env=env, out="cafe")
        for what in [
            ["memo", "purge", "--older", "100d"],
            ["memo", "purge", "--video", "0123456789abcdef"],
            ["memo", "purge", "--all"],
        ]:
            _fill(disk)
            result = section.attack(
                "a full disk: the warm memo answers", *ASK, "-q", cwd=project, env=env
            )
            section.hold("a full disk: the right answer", result.out == right, result.out)
            section.attack(
                "a full disk: counted",
                "memo",
                "stat",
                "--json",
                cwd=project,
                env=env,
                out='"exchanges":1',
            )
            section.attack(
                "a full disk: a new question",
                *ASK[:-1],
                f"question=Where was I at {len(what)}?",
                cwd=project,
                env=env,
            )
            codes = (0, 3) if "--video" in what else (0,)
            purged = section.attack(
                f"a full disk: {' '.join(what)}", *what, cwd=project, env=env, codes=codes
            )
        section.hold(
            "a full disk: all is removed, and counted",
            purged.out.startswith("1 exchange"),
            purged.out,
        )
        (disk / "filler").unlink()
        section.attack("a disk with room again", *ASK, "-q", cwd=project, env=env, out="cafe")
    finally:
        subprocess.run(["umount", "-l", disk], check=True)


def _fill(disk):
    with open(disk / "filler", "ab", buffering=0) as filler:
        for size in (65536, 4096, 512, 1):
            try:
                while True:
                    filler.write(b"x" * size)
            except OSError:
                pass
