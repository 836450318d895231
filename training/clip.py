"""Trains starter-clip on pictures of the starter world. Run from anywhere:

  python training/clip.py cache [--chunks 15]      renders training pictures into the cache
  python training/clip.py train [--minutes 70 95]  trains on the cached pictures; resumes, and
                                                   exports again and again
                                [--start FOLDER]   begins with the weights of an earlier checkpoint,
                                                   whose words may differ
  python training/clip.py measure [--days 6]       renders unseen days to MP4 and measures on their
                                                   frames

Each picture is scored against ALL place texts, ALL activity texts, ALL objects, ALL things that can
be held and ALL numbers of persons. Each list has randomly chosen wordings. All lists except the
objects have one right text. The target for the objects is spread evenly over the visible ones, so
that at run time `softmax > 0.15` means "it is there". In every other step, each picture must also
find its own caption among those of the batch and one with a single error. Free captions can
therefore be ranked. During training, a second head must name the object or head in each patch. It
is discarded afterwards.
"""

import argparse

import paths


def main():
    """The command line. Only training and measuring need torch."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("do", choices=["cache", "train", "measure"])
    parser.add_argument("--chunks", type=int, default=15)
    parser.add_argument(
        "--minutes",
        type=float,
        nargs="+",
        default=[70, 95],
        help="computing time of the training; the rate falls by the first of several, "
        "rises again and falls by the next (warm restarts, Loshchilov and Hutter 2017)",
    )
    parser.add_argument("--batch", type=int, default=48)
    parser.add_argument("--start", help="folder of an earlier checkpoint to begin with")
    parser.add_argument(
        "--export", default=paths.shipped("clip"), help="folder of the checkpoint that is written"
    )
    parser.add_argument("--days", type=int, default=6)
    args = parser.parse_args()
    if args.do == "cache":
        from eye.pictures import cache

        cache(args.chunks)
    elif args.do == "train":
        from eye.train import train

        for minutes in args.minutes:
            train(minutes, args.batch, args.start, args.export)
    else:
        from eye.measure import measure

        measure(args.days, folder=args.export)


if __name__ == "__main__":
    main()
