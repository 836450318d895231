"""The date of a day: what `--date`, `--clock` and `--tz` mean, and times as RFC 3339."""

import argparse
import datetime
import re

UTC = datetime.timezone.utc


def zone(name):
    """A type of arguments: a time zone by its name (Europe/Berlin) or its offset (+01:00)."""
    if name.upper() in ("UTC", "Z"):
        return UTC
    found = re.fullmatch(r"([+-])(\d\d):(\d\d)", name)
    if found and int(found[2]) < 24 and int(found[3]) < 60:
        minutes = (60 * int(found[2]) + int(found[3])) * (-1 if found[1] == "-" else 1)
        return datetime.timezone(datetime.timedelta(minutes=minutes))
    import zoneinfo

    try:
        return zoneinfo.ZoneInfo(name)
    except (ValueError, OSError, KeyError):
        known = bool(zoneinfo.available_timezones())
    raise argparse.ArgumentTypeError(
        f"expected a time zone such as UTC, Europe/Berlin or +01:00, found '{name}'"
        if known
        else f"'{name}' needs the time zone database (Debian: apt-get install tzdata)"
    )


def date(text):
    """A type of arguments: YYYY-MM-DD, with THH:MM or THH:MM:SS and an offset (Z, +01:00) if
    wanted. Gives a datetime.date or a datetime.datetime."""
    pattern = r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d)?(Z|[+-]\d\d:\d\d)?)?"
    try:
        if not re.fullmatch(pattern, text):
            raise ValueError
        if not "1970" <= text[:4] < "2200":
            raise ValueError
        if len(text) == 10:
            return datetime.date.fromisoformat(text)
        return datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        raise argparse.ArgumentTypeError(
            "expected YYYY-MM-DD, YYYY-MM-DDTHH:MM or YYYY-MM-DDTHH:MM+HH:MM, from 1970 to 2199, "
            f"found '{text}'"
        ) from None


def beginning(day, clock, tz, later=0):
    """The beginning of a day as a datetime with its zone, `later` days later at the same time of
    day. `clock`, in minutes after midnight, is the time of day if `day` has none. Without both, the
    day begins at midnight.

    Raises ValueError if the clocks skip that time. Of a time that occurs twice it is the first; an
    offset in `day` chooses.
    """
    if not isinstance(day, datetime.datetime):
        day = datetime.datetime(day.year, day.month, day.day)
        day += datetime.timedelta(minutes=clock or 0)
    elif clock is not None:
        raise ValueError("the time of day stands in both --date and --clock; leave one out")
    day += datetime.timedelta(days=later)
    if day.tzinfo:
        return day if tz is None else day.astimezone(tz)
    begin = day.replace(tzinfo=tz or UTC)
    if begin.astimezone(UTC).astimezone(begin.tzinfo).replace(tzinfo=None) != day:
        raise ValueError(f"{day:%Y-%m-%d %H:%M} does not exist in {tz}: the clocks skip it")
    return begin


def after(begin, seconds):
    """The time that many seconds later, with the offset of that time."""
    then = begin.astimezone(UTC) + datetime.timedelta(seconds=seconds)
    return then.astimezone(begin.tzinfo)


def rfc3339(then):
    """'2026-11-16T07:00:00+01:00'"""
    return then.isoformat(timespec="seconds")
