"""What a manifest says about the layout of its tree, for those who read or serve the tree."""

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from mkindex.tree.manifest import (
    ROOT_SECTION,
    DamagedManifest,
    Stage,
    decode,
    read,
    read_optional,
    sections,
)
from mkindex.tree.names import INDEX_JSON, SIMPLE_DIRECTORY
from mkindex.tree.parts import open_manifest

OPTIONS = b"options\t"  # of the root section: how the line with the options begins
_PLAIN = re.compile(r"[A-Za-z0-9._/-]+")


class Layout(NamedTuple):
    """The indexes of a tree, and the names that it was built to reserve."""

    main: str = f"{SIMPLE_DIRECTORY}/"  # root of the main index: "", or ending in a slash
    roots: tuple[str, ...] = ()  # of all indexes
    reserve: tuple[str, ...] = ()  # the globs of --reserve
    has_manifest: bool = False  # even one that cannot be read


def read_layout(path: str) -> Layout:
    """Return the layout of a tree, read from its manifest at `path`; the usual one if that is missing or damaged.

    Paths with unusual characters, which mkindex never writes, are ignored.
    """
    try:
        with open_manifest(path) as stream:
            first = next(sections(stream), None)
            if first is None or first[0].name != ROOT_SECTION:
                return Layout(has_manifest=True)
            entries = list(decode(ROOT_SECTION, read(stream, first[0])))
            options = recorded_options(read_optional(stream, first[0])) or {}
    except (FileNotFoundError, NotADirectoryError):
        return Layout()
    except (OSError, DamagedManifest):
        return Layout(has_manifest=True)
    pages = [entry.path for entry in entries if entry.stage == Stage.ROOT and entry.path.endswith(INDEX_JSON)]
    roots = [page.removesuffix(INDEX_JSON) for page in pages if _PLAIN.fullmatch(page)]
    path = options.get("simple_path", SIMPLE_DIRECTORY)
    main = f"{path}/" if path else ""
    return Layout(main if main in roots else next(iter(roots), Layout().main), tuple(roots), reserve_of(options), True)


def recorded_options(lines: Iterable[bytes]) -> Mapping[str, Any] | None:
    """Return the options in the optional lines of the root section; None if there are none that can be read."""
    for line in lines:
        if line.startswith(OPTIONS):
            try:
                values = json.loads(line[len(OPTIONS) :])
            except (ValueError, RecursionError):
                return None
            return values if isinstance(values, dict) else None
    return None


def reserve_of(options: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the globs of --reserve among recorded options: the tree may come from another person."""
    found = options.get("reserve")
    return tuple(one for one in found if isinstance(one, str)) if isinstance(found, list) else ()
