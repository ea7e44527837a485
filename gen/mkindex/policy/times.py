"""Limits of time: a date, or an age that counts back from the time of the build."""

import datetime
import re
from dataclasses import dataclass

from mkindex.model.files import format_upload_time

_AGE = re.compile(r"([1-9][0-9]{0,5}) ?(min|h|d|w)", re.ASCII)
_SECONDS = {"min": 60, "h": 3600, "d": 86_400, "w": 7 * 86_400}
WHOLE_SECONDS = len("2026-01-02T03:04:05")  # of an upload time


@dataclass(frozen=True, kw_only=True, slots=True)
class Limit:
    """A moment, or an age in seconds."""

    text: str  # as it is written
    moment: str = ""  # in UTC, as upload times are written
    age: int | None = None

    def at(self, now: int) -> str:
        """Return the moment of the limit for a build at `now`, in seconds since the epoch."""
        return self.moment if self.age is None else format_upload_time(max(now - self.age, 0))


def parse_age(value: object) -> Limit | None:
    """Read an age, such as "30d"; None if it is not one."""
    match = _AGE.fullmatch(value) if isinstance(value, str) else None
    return Limit(text=match[0], age=int(match[1]) * _SECONDS[match[2]]) if match else None


def parse_limit(value: object) -> Limit | None:
    """Read an age or a date, as a string or as TOML has it. A date is its midnight, and all dates are in UTC."""
    if age := parse_age(value):
        return age
    if isinstance(value, str):
        try:
            value = datetime.datetime.fromisoformat(value)
        except ValueError:
            return None
    if isinstance(value, datetime.date) and not isinstance(value, datetime.datetime):
        value = datetime.datetime(value.year, value.month, value.day)
    if not isinstance(value, datetime.datetime):
        return None
    in_utc = value.astimezone(datetime.UTC) if value.tzinfo else value.replace(tzinfo=datetime.UTC)
    moment = format_upload_time(int(in_utc.timestamp()))
    return Limit(text=str(value), moment=moment) if moment else None


def is_after(upload_time: str, moment: str) -> bool:
    """Tell whether an upload time, which may have a fraction of a second, is after a moment, which has none."""
    start = upload_time[:WHOLE_SECONDS]
    return start > moment[:WHOLE_SECONDS] or (
        start == moment[:WHOLE_SECONDS] and upload_time[WHOLE_SECONDS:].strip(".0Z") != ""
    )


def seconds_of(upload_time: str) -> int:
    """Return an upload time in seconds since the epoch."""
    return int(datetime.datetime.fromisoformat(upload_time[:WHOLE_SECONDS]).replace(tzinfo=datetime.UTC).timestamp())
