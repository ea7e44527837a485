"""What pip and uv refuse in a wheel besides METADATA: WHEEL, RECORD, entry_points.txt and the members of `.data`.

`tests/functional/test_unusual_wheels.py` installs wheels of each kind with pip 26.3 and uv 0.13.
"""

import csv
import io
import itertools
import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import NamedTuple

from mkindex.distributions.filenames import split_label
from mkindex.distributions.metadata import header_of
from mkindex.distributions.zips import Wheel
from mkindex.errors import Unreadable
from mkindex.text import and_more, printable

_SHOWN = 3  # refusals of one wheel that are reported
BOTH, PIP, UV = "pip and uv refuse it", "pip refuses it", "uv refuses it"
_MAX_TAG_PARTS = 100  # of a compressed set of tags, which stands for their product
_MAX_TAGS = 1000  # of a wheel


class Refusal(NamedTuple):
    """Something that a client refuses."""

    reason: str
    clients: str  # BOTH, PIP or UV

    def __str__(self) -> str:
        return f"{self.reason}: {self.clients}"


class WheelFile(NamedTuple):
    """What WHEEL says."""

    refusals: tuple[Refusal, ...]
    tags: frozenset[str]


def judge_wheel(filename: str, wheel: Wheel) -> list[str]:
    """Return what one client refuses in a wheel, or does not like. Raises Unreadable for what both refuse."""
    says = read_wheel_file(wheel.wheel) if wheel.wheel is not None else NO_WHEEL
    refusals = [
        *says.refusals,
        *(refusals_of_record(wheel.record) if wheel.record is not None else (NO_RECORD,)),
        *(refusals_of_data(wheel.data, wheel.dist_info) if wheel.data else ()),
        *(refusals_of_entry_points(wheel.entry_points) if wheel.entry_points else ()),
    ]
    for refusal in refusals:
        if refusal.clients == BOTH:
            raise Unreadable(f"{refusal}. Build it again")
    warnings = [f"{refusal}. Build it again" for refusal in refusals[:_SHOWN]]
    if missing := missing_tags(filename, says):
        warnings.append(f"WHEEL has no tag {and_more(missing, 1)}: uv may install it again each time. Build it again")
    return warnings


NO_WHEEL = WheelFile((Refusal("no WHEEL in its .dist-info", BOTH),), frozenset())
NO_RECORD = Refusal("no RECORD in its .dist-info", BOTH)

# --- WHEEL ----------------------------------------------------------------------------------------------------------

_TAKEN_BY_PIP = re.compile(r"[01](\.\d+)*", re.ASCII)
_TAKEN_BY_UV = re.compile(r"1\..*|0\.1")


@lru_cache(maxsize=256)  # wheels of the same build tool have the same one
def read_wheel_file(raw: bytes) -> WheelFile:
    """Return the tags in WHEEL, unless there are very many, and why clients refuse it."""
    try:
        raw.decode()
    except UnicodeDecodeError:
        return WheelFile((Refusal("WHEEL is not UTF-8", BOTH),), frozenset())
    fields = re.findall(r"^([^:\s]+):(.*)", header_of(raw).decode(), re.MULTILINE)
    versions = [(key, value.strip()) for key, value in fields if key.lower() == "wheel-version"]
    refusals = tuple(_refusals_of_version(*versions[0])) if versions else (Refusal("WHEEL has no Wheel-Version", BOTH),)
    sets = (expand_tags(value.strip()) for key, value in fields if key.lower() == "tag")
    tags = list(itertools.islice(itertools.chain.from_iterable(sets), _MAX_TAGS + 1))
    return WheelFile(refusals, frozenset(tags if len(tags) <= _MAX_TAGS else ()))


def _refusals_of_version(key: str, version: str) -> Iterator[Refusal]:
    by_pip = _TAKEN_BY_PIP.fullmatch(version)
    by_uv = key == "Wheel-Version" and _TAKEN_BY_UV.fullmatch(version)  # pip reads the key in any case
    if not (by_pip and by_uv):
        text = f"WHEEL says {printable(key)}: {printable(version)[:40] or 'nothing'}, not Wheel-Version: 1.0"
        yield Refusal(text, UV if by_pip else PIP if by_uv else BOTH)


def expand_tags(tags: str) -> Iterator[str]:
    """Yield the tags of a compressed set: `py2-none-any` and `py3-none-any` for `py2.py3-none-any`."""
    parts = [part.split(".") for part in tags.split("-")]
    if sum(map(len, parts)) <= _MAX_TAG_PARTS:
        yield from map("-".join, itertools.product(*parts))


def missing_tags(filename: str, wheel: WheelFile) -> list[str]:
    """Return the tags in the filename of a wheel that WHEEL does not have, if it has any.

    pip does not compare them. If no tag in WHEEL fits, `uv sync` installs the wheel again each time. It has no Python 2
    to install for, so those tags do not matter: maturin writes `py2.py3` into filenames and only `py3` into WHEEL.
    """
    tags = "-".join(split_label(filename)[0].removesuffix(".whl").split("-")[-3:])
    if not wheel.tags or tags in wheel.tags:
        return []
    return sorted(tag for tag in expand_tags(tags) if tag not in wheel.tags and not tag.startswith(("py2", "cp2")))


# --- RECORD ---------------------------------------------------------------------------------------------------------


# All rows have three fields, none of them quoted, as nearly all tools write them.
_PLAIN_RECORD = re.compile(rb'(?:[^",\r\n]*+,[^",\r\n]*+,[0-9]*+(?:\n|\Z))*+')


def refusals_of_record(raw: bytes) -> Iterator[Refusal]:
    """Yield why clients refuse RECORD: its form. Neither pip nor uv compares hashes and sizes with the members."""
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        yield Refusal("RECORD is not UTF-8", BOTH)
        return
    if _PLAIN_RECORD.fullmatch(raw):
        return
    kinds: dict[str, Refusal] = {}
    try:
        for row in csv.reader(io.StringIO(text, newline="")):
            if not row:
                kinds.setdefault("empty", Refusal("RECORD has an empty line", PIP))
            elif len(row) != 3:
                kinds.setdefault("fields", Refusal(f"RECORD has a row of {len(row):,} fields instead of 3", UV))
            elif row[2] and not (row[2].isascii() and row[2].isdecimal()):
                size = printable(row[2])[:40]
                kinds.setdefault("size", Refusal(f"RECORD has a size that is not a number ({size})", UV))
    except csv.Error as error:
        yield Refusal(f"RECORD cannot be read ({printable(str(error))})", PIP)
    yield from kinds.values()


# --- .data ----------------------------------------------------------------------------------------------------------

_SCHEMES = frozenset({"data", "headers", "platlib", "purelib", "scripts"})


def refusals_of_data(names: Iterable[str], dist_info: str) -> Iterator[Refusal]:
    """Yield why clients refuse members of `.data` directories. `dist_info`: the name before `.dist-info`.

    uv only reads the one with the same name.
    """
    for name in names:
        top, _, rest = name.partition("/")
        if not top.endswith(".data"):
            continue
        scheme, _, path = rest.partition("/")
        is_directory, is_read_by_uv = name.endswith("/"), top == f"{dist_info}.data"
        if scheme in _SCHEMES and (path or is_directory):
            if is_read_by_uv and scheme == "scripts" and "/" in path:
                yield Refusal(f"{_shown(name)} is a script in a subdirectory", UV)
        elif not is_directory:
            yield Refusal(
                f"{_shown(name)} is in no directory of {', '.join(sorted(_SCHEMES))}", BOTH if is_read_by_uv else PIP
            )
        elif scheme and is_read_by_uv:
            yield Refusal(f"{_shown(name)} is an unknown directory of .data", UV)


# --- entry_points.txt -----------------------------------------------------------------------------------------------

_SCRIPTS = ("console_scripts", "gui_scripts")
_OBJECT = re.compile(r"[\w.-]+:[\w.-]+(?:\s*\[[^\[\]]*\])?")
_BEGINS_LIKE_OBJECT = re.compile(r"\w+(?:\.\w+)*:\w+(?:\.\w+)*(?![\w:.])[^\[\]]*")


def refusals_of_entry_points(raw: bytes) -> Iterator[Refusal]:
    """Yield why clients refuse entry_points.txt. Both read all groups, and the objects of scripts."""
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        yield Refusal("entry_points.txt is not UTF-8", BOTH)
        return
    section, last, seen = "", "", set()
    for line in text.splitlines():
        stripped = line.strip()
        if not stripped or stripped.startswith("#"):
            continue
        if stripped.startswith("[") and stripped.endswith("]"):
            section, last = stripped[1:-1].strip(), ""
            if stripped in seen:
                yield Refusal(f"entry_points.txt has {_shown(stripped)} twice", UV)
            seen.add(stripped)
            continue
        if not section:
            yield Refusal(f"entry_points.txt has {_shown(stripped)} before its first group", UV)
            continue
        name, equals, value = (part.strip() for part in stripped.partition("="))
        if not equals:
            yield Refusal(f"entry_points.txt has a line without = ({_shown(stripped)})", BOTH)
        elif line[0].isspace() and last:
            if section in _SCRIPTS:  # for uv, it continues the line before
                yield Refusal(f"entry_points.txt has an indented line ({_shown(stripped)})", UV)
        elif f"{section}\n{name}" in seen:
            yield Refusal(f"entry_points.txt has {_shown(name)} twice", UV)
        elif section in _SCRIPTS:
            yield from _refusals_of_script(name, value)
        last = name
        seen.add(f"{section}\n{name}")


def _refusals_of_script(name: str, value: str) -> Iterator[Refusal]:
    if not _OBJECT.fullmatch(value):
        clients = UV if _BEGINS_LIKE_OBJECT.fullmatch(value) else BOTH
        yield Refusal(f"entry_points.txt has {_shown(value)} for the script {_shown(name)}, not module:object", clients)
    if "/" in name:
        yield Refusal(f"entry_points.txt has a script {_shown(name)}", BOTH if ".." in name.split("/") else UV)


def _shown(text: str) -> str:
    return f"'{printable(text)[:80]}'"
