"""The data for the search of the start page: scripts, because a page opened as a file can load nothing else."""

import json
import zlib
from collections.abc import Iterable, Sequence

from mkindex.model.details import Details
from mkindex.site.views import ProjectLine
from mkindex.tree.names import ASSETS_DIRECTORY

_SHARD = 20_000  # projects in one script
_MAX_SUMMARY = 300  # characters
_MAX_WORDS = 40  # keywords and import names


def search_paths(projects: int) -> tuple[str, ...]:
    """Return the paths of the scripts for so many projects."""
    return tuple(f"{ASSETS_DIRECTORY}/search-{number}.js" for number in range(-(-projects // _SHARD) or 1))


def shard_of(name: str, shards: int) -> int:
    """Return the number of the script that has a project, so that a new project changes only one of them."""
    return zlib.crc32(name.encode()) % shards


def search_script(projects: Iterable[tuple[ProjectLine, Details | None]]) -> bytes:
    """Return a script with name, spelling, version, date, summary and other words of some projects."""
    rows = [
        [line.name, line.shown, line.version, line.date, line.summary[:_MAX_SUMMARY], " ".join(_words(details))]
        for line, details in projects
    ]
    data = json.dumps(rows, separators=(",", ":"))
    # "<" only occurs in texts: without it, the script could be put into a page.
    return f"mkindexProjects({data.replace('<', chr(92) + 'u003c')});\n".encode("ascii")


def _words(details: Details | None) -> Sequence[str]:
    return (*details.keywords, *details.import_names)[:_MAX_WORDS] if details else ()
