"""The outcomes of rows as Markdown."""

COLUMNS = """work | against | threads | elenchus | other | ratio | pairs | by CPU time | cores busy | other load | both sides agree | of the limit | asked"""


def figure(number):
    """A number with three digits."""
    if number is None:
        return "–"
    if number >= 100:
        return f"{number:,.0f}"
    return f"{number:.1f}" if number >= 10 else f"{number:.2f}"


def table(outcomes):
    """The rows that have a verdict, and a line for each that has none."""
    measured = [one for one in outcomes if one.verdict]
    lines = []
    if measured:
        names = COLUMNS.split(" | ")
        lines += [f"| {' | '.join(names)} |", f"|{' --- |' * len(names)}"]
        lines += [f"| {' | '.join(cells(one))} |" for one in measured]
    notes = [note(one) for one in measured if one.verdict.faults]
    skipped = {}
    for one in outcomes:
        if one.skipped:
            row = f"{one.group.title} against {one.group.against}"
            skipped.setdefault((row, one.skipped), set()).add(one.threads)
    notes += [f"- Skipped: {row}: {why}." for (row, why), _ in skipped.items()]
    return "\n".join([*lines, *([""] if lines and notes else []), *notes])


def note(one):
    """Why a row is no measurement."""
    where = f"{one.group.title}, {one.row.name}, {one.threads} threads, against {one.group.against}"
    return f"- Invalid: {where}: {'; '.join(one.verdict.faults)}."


def cells(one):
    """The cells of a row. An invalid row has no ratio."""
    group, verdict = one.group, one.verdict
    marks = f" ({', '.join(verdict.marks)})" if verdict.marks else ""
    busy = f"{figure(verdict.ours_busy)}, {figure(verdict.theirs_busy)}"
    agreed, sound = one.agreed or ("–", True)
    return [
        f"{group.title}, {one.row.name}",
        group.against,
        str(one.threads),
        f"{figure(verdict.ours)} {group.unit}/s",
        figure(verdict.theirs),
        f"**{verdict.ratio:.2f}**{marks}" if verdict.valid else "invalid",
        f"{verdict.low:.2f}–{verdict.high:.2f}",
        figure(verdict.cpu_ratio),
        busy,
        figure(verdict.other),
        agreed if sound else f"NO: {agreed}",
        "–" if one.share is None else f"{100 * one.share:.0f} %",
        asked(one),
    ]


def asked(one):
    """What was asked for, and whether it is met."""
    group, verdict = one.group, one.verdict
    aim = f"≥ {group.asked:.1f}" + (f" or {100 * group.share:.0f} %" if group.share else "")
    if not verdict.valid:
        return aim
    met = verdict.ratio >= group.asked or (group.share and (one.share or 0) >= group.share)
    return f"{aim}: {'met' if met else 'not met'}"


def limits(found, dtype):
    """A line about the rates of the machine."""
    names = {
        "product": (f"{dtype} products", 1e9, "Gflop/s"),
        "reading": ("reading memory", 1e9, "GB/s"),
    }
    parts = [
        f"{names[name][0]} with {threads} {'thread' if threads == 1 else 'threads'} {rate / names[name][1]:.0f} {names[name][2]}"
        for (name, threads), rate in sorted(found.items())
    ]
    return "; ".join(parts)


def as_json(outcomes):
    """The outcomes as data."""
    return [
        {
            "row": one.row.name,
            "group": one.group.key,
            "against": one.group.against,
            "opponent": one.about,
            "threads": one.threads,
            "skipped": one.skipped,
            "agreed": one.agreed and one.agreed[0],
            "of_the_limit": one.share,
            **(vars(one.verdict) if one.verdict else {}),
        }
        for one in outcomes
    ]
