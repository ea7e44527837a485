"""Where pip and uv look for the project in an sdist: one rule for `.tar.gz` and `.zip`.

Both unpack it, and remove the top directory if everything is in one. Then there has to be a pyproject.toml or setup.py.
Neither needs a PKG-INFO. Seen with pip 26.3 and uv 0.13: `tests/functional/test_unusual_sdists.py`.
"""

import posixpath
from typing import NamedTuple

from mkindex.errors import Unreadable
from mkindex.text import and_more, printable

_READ = ("PKG-INFO", "pyproject.toml")
_MAX_READ = 8  # files of these names
_MAX_TOPS = 100  # files and directories at the top that are remembered, since an sdist has one


class SdistFiles(NamedTuple):
    """The files of an sdist that say what it is and what builds it.

    None stands for a missing one, and for one that is too large or no regular file.
    """

    pkg_info: bytes | None
    pyproject: bytes | None
    refusal: str = ""  # why one client refuses it


class Layout:
    """The names in an sdist, and the contents of those files that may be wanted."""

    def __init__(self) -> None:
        self._tops: set[str] = set()  # as pip sees them, for which `.` is a directory, too
        self._tops_without_dot: set[str] = set()
        self._scripts: set[str] = set()
        self._contents: dict[str, bytes | None] = {}

    def add(self, name: str) -> bool:
        """Add a member; tell whether its content is wanted."""
        path = name.strip("/")
        plain = posixpath.normpath(path)
        if len(self._tops) < _MAX_TOPS:
            self._tops.add(path.partition("/")[0])
        if plain != "." and len(self._tops_without_dot) < _MAX_TOPS:
            self._tops_without_dot.add(plain.partition("/")[0])
        last = plain.rpartition("/")[2]
        if plain.count("/") > 1 or name.endswith("/"):
            return False
        if last in ("pyproject.toml", "setup.py"):
            self._scripts.add(path)
        return last in _READ and len(self._contents) < _MAX_READ

    def keep(self, name: str, content: bytes | None) -> None:
        """Keep the content of a wanted member; None: it is too large, or no regular file. Raises Unreadable."""
        path = name.strip("/")
        if self._contents.setdefault(path, content) != content:
            raise Unreadable(f"more than one {printable(path)}: build it again")

    def files(self, *, link_out: str = "", refused_by_uv: str = "") -> SdistFiles:
        """Return what clients find. Raises Unreadable if both find no project, or refuse it.

        `link_out`: a link that leaves its top directory. `refused_by_uv`: why uv refuses the archive itself.
        """
        by_pip = self._project(self._tops, {path: path for path in self._scripts})
        by_uv = self._project(self._tops_without_dot, {posixpath.normpath(path): path for path in self._scripts})
        if by_pip is None and by_uv is None:
            tops = sorted(map(printable, self._tops_without_dot))
            if len(tops) > 1:
                number = f"{len(tops)}{' or more' if len(tops) == _MAX_TOPS else ''}"
                raise Unreadable(
                    f"{number} files and directories at its top ({and_more(tops, 3)}) instead of one: pip and uv do "
                    "not find the project in it. Build it again"
                )
            raise Unreadable("no pyproject.toml or setup.py in its top directory: pip and uv refuse it. Build it again")
        root = by_uv if by_pip is None else by_pip
        pkg_info, pyproject = (self._contents.get(posixpath.join(root or "", name)) for name in _READ)
        refused_by_pip = "its paths begin with ./" if by_pip is None else ""
        if link_out and len(self._tops) == 1:
            refused_by_pip = f"{link_out} is a link that leaves its top directory"
        if refused_by_pip and refused_by_uv:
            raise Unreadable(f"{refused_by_pip}: pip refuses it. {refused_by_uv}: uv refuses it. Build it again")
        refusals = {"pip": refused_by_pip, "uv": refused_by_uv}
        refusal = "".join(f"{reason}: {client} refuses it" for client, reason in refusals.items() if reason)
        return SdistFiles(pkg_info, pyproject, refusal)

    def _project(self, tops: set[str], scripts: dict[str, str]) -> str | None:
        """Return the directory of the project, as it is written in the archive; None if there is none."""
        root = f"{next(iter(tops))}/" if len(tops) == 1 else ""
        found = [scripts[path] for name in ("pyproject.toml", "setup.py") if (path := f"{root}{name}") in scripts]
        return posixpath.dirname(found[0]) if found else None
