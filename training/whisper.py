"""Trains starter-whisper: a small Whisper (multilingual layout, timestamps) for the speech of the
starter world.

    python training/whisper.py                       train from nothing (resumes), then export to
                                                     agents/starter/whisper
    python training/whisper.py --start FOLDER        ... from the weights of a checkpoint folder,
                                                     with the current words
    python training/whisper.py --export              write the newest checkpoint to
                                                     agents/starter/whisper
    python training/whisper.py --test                word error rates on unseen sentences
    python training/whisper.py --evaluate DAY_DIR …  word error rate on DAY_DIR/day.mp4 against
                                                     DAY_DIR/speech.jsonl

It needs espeak-ng (library and data) and ffmpeg, one thread and no GPU. See training/WHISPER.md.
"""

import argparse
import os

# read when torch is loaded
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

import torch  # noqa: E402

import cards  # noqa: E402
from ear.measure import evaluate, test  # noqa: E402
from ear.model import build_model, export  # noqa: E402
from ear.shape import TARGET, UTTERANCES, WORK  # noqa: E402
from ear.train import train  # noqa: E402
from ear.words import Ids, load_tokenizer  # noqa: E402


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--minutes",
        type=float,
        default=None,
        help="total computing time of the training (50 from nothing, 25 with --start)",
    )
    parser.add_argument("--start", metavar="FOLDER", help="begin with this checkpoint's weights")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument(
        "--utterances",
        type=int,
        default=UTTERANCES,
        help="number of sentences that are spoken before the first training",
    )
    parser.add_argument("--count", type=int, default=60, help="number of sentences of --test")
    parser.add_argument(
        "--muon",
        type=float,
        default=None,
        help="learning rate of Muon (3e-3 from nothing, 2e-3 with --start)",
    )
    parser.add_argument(
        "--adam",
        type=float,
        default=None,
        help="learning rate of AdamW (2e-3 from nothing, 1e-3 with --start)",
    )
    parser.add_argument(
        "--model", default=TARGET, help="checkpoint folder for --test and --evaluate"
    )
    parser.add_argument("--export", action="store_true")
    parser.add_argument("--test", action="store_true")
    parser.add_argument("--evaluate", metavar="DAY_DIR", nargs="+")
    args = parser.parse_args()
    torch.set_num_threads(1)
    if args.test:
        test(args.model, args.count)
    elif args.evaluate:
        evaluate(args.model, args.evaluate)
    else:
        if not args.export:
            minutes, muon, adam = (25, 2e-3, 1e-3) if args.start else (50, 3e-3, 2e-3)
            train(
                args.minutes or minutes,
                args.batch,
                args.muon or muon,
                args.adam or adam,
                args.start,
                args.utterances,
            )
        tokenizer = load_tokenizer()
        model = build_model(Ids(tokenizer))
        model.load_state_dict(
            torch.load(os.path.join(WORK, "checkpoint.pt"), weights_only=True)["average"]
        )
        export(model, tokenizer, TARGET)
        trained = cards.part(os.path.join(WORK, "export", "README.md"), "training")
        if trained:
            cards.put_training("whisper", TARGET, trained)


if __name__ == "__main__":
    main()
