"""The divided manifest of a large index in a bucket: a list of parts, each of which is an object of its own.

A part is a manifest of one section, and is named by its sha256, so that it never changes. The list is the only object
that is replaced. It says of each project what pages of the whole index say of it, so that a run reads only the parts
of the projects that it changes.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from mkindex.model.index import STATUSES, Outline, ProjectStatus
from mkindex.tree.manifest import DamagedManifest
from mkindex.tree.parts import checked_digest, decode_list, encode_list, part_path


class Part(NamedTuple):
    """What the list says of a part."""

    sha256: str
    key: str  # of the section; "" if a path in it is retired
    entry_count: int
    outline: Outline

    @property
    def path(self) -> str:
        return part_path(self.sha256)


@dataclass(frozen=True)
class PartList:
    """The parts by the name of their section, and those that were replaced or removed a short time ago."""

    run: str  # a random text that tells one write from another
    parts: Mapping[str, Part]
    replaced: Mapping[str, int] = field(default_factory=dict)  # sha256, and when, in seconds since the epoch


def encode(parts: PartList) -> bytes:
    """Return a list as bytes."""
    values = {
        "run": parts.run,
        "parts": {name: _values(part) for name, part in sorted(parts.parts.items())},
        "replaced": dict(sorted(parts.replaced.items())),
    }
    return encode_list(values)


def _values(part: Part) -> list[Any]:
    outline = part.outline
    numbers = outline.listed, outline.file_count, outline.size, outline.in_variants
    return [*part[:3], dict(outline.keys), outline.newest, *numbers, outline.requires, outline.status]


def decode(data: bytes) -> PartList:
    """Return the list in these bytes. Raises DamagedManifest: the bucket may be that of another person."""
    values: Any = decode_list(data)
    try:
        parts = {str(name): _part(*one) for name, one in values["parts"].items()}
        replaced = {checked_digest(sha256): int(since) for sha256, since in values["replaced"].items()}
        return PartList(str(values["run"]), parts, replaced)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise DamagedManifest from error


def _part(sha256: Any, key: Any, count: Any, keys: Any, newest: Any, *more: Any) -> Part:  # noqa: ANN401 (of JSON)
    listed, file_count, size, in_variants, requires, status = more
    texts = (key, newest, *keys, *keys.values(), *requires)
    numbers = (count, listed, file_count, size)
    if not (all(isinstance(text, str) for text in texts) and all(type(number) is int for number in numbers)):
        raise ValueError
    if status is not None and status[0] not in STATUSES:
        raise ValueError
    of_project = None if status is None else ProjectStatus(*status)
    outline = Outline(keys, newest, listed, file_count, size, tuple(requires), of_project, in_variants is True)
    return Part(checked_digest(sha256), key, count, outline)
