"""Lock files in the published tree: their addresses lead to its files, and all other bytes are as they were."""

import re
from collections.abc import Mapping
from urllib.parse import quote, unquote

from mkindex.model.files import Link
from mkindex.model.index import Index
from mkindex.simple.links import filename_in
from mkindex.sources.locks.lock import Lock
from mkindex.tree.names import file_path

# Where `python3 -m http.server --directory DEST` serves a tree: the address in a lock if no other is known.
SERVED_HERE = "http://localhost:8000/"
_ADDRESS = re.compile(r"""(?<![\w-])(url|path)(\s*=\s*)(["'])([^"'\\\n]+)\3""")
_USER = re.compile(r"""(?:(?<=http://)|(?<=https://))[^/?#\s"']+@""")
_PASSWORD = re.compile(r"""(?<=://)([^/?#\s"':@]*):[^/?#\s"']*(?=@)""")  # for other schemes, whose users are public
_INDEX_OPTION = re.compile(r"^([ \t]*+(?:-i|--index-url|--pypi-url|--extra-index-url)(?:\s*=\s*|\s+))\S+", re.MULTILINE)
_SOURCE = re.compile(r'("url"\s*:\s*)"[^"\\\n]*"')
_PATH = re.compile(r"(?<![\w-])path\s*=")


def lock_for_tree(lock: Lock, index: Index, *, url: str | None, simple_path: str) -> bytes:
    """Return a lock for the tree at a public URL; None: relative paths where clients take them, else SERVED_HERE.

    Files that are not in the tree keep their addresses. User names and passwords are removed.
    """
    base = base_of(url)
    simple = f"{base}{simple_path}/" if simple_path else base
    if lock.kind == "requirements":
        text = _INDEX_OPTION.sub(lambda found: f"{found[1]}{simple}", lock.text)
    elif lock.kind == "pipfile":
        text = _SOURCE.sub(lambda found: f'{found[1]}"{simple}"', lock.text)
    else:
        # Clients read a path in a pylock.toml relative to its directory. An entry may have both `url` and `path`.
        is_relative = lock.kind == "pylock" and url is None and not _PATH.search(lock.text)
        text = _with_addresses(lock.text, _paths(index), "../" if is_relative else base, is_relative=is_relative)
    return _PASSWORD.sub(r"\1", _USER.sub("", text)).encode()


def base_of(url: str | None) -> str:
    """Return the address of the root of the tree, with a slash at its end."""
    return f"{(url or SERVED_HERE).rstrip('/')}/"


def _paths(index: Index) -> dict[str, str]:
    """Return the path in the tree of each file that is there, percent-encoded, by filename."""
    return {
        file.filename: file_path(file.sha256, quote(file.filename, safe=""))
        for project in index.projects
        for file in project.files
        if not isinstance(file.artifact, Link)
    }


def _with_addresses(text: str, paths: Mapping[str, str], base: str, *, is_relative: bool) -> str:
    """Return TOML in which the addresses of files lead to their paths below a base."""

    def replace(found: re.Match[str]) -> str:
        key, equals, quotation, address = found.groups()
        path = paths.get(filename_in(address.partition("#")[0].partition("?")[0]))
        if path is None or key == "path":
            return found[0]
        if is_relative:
            key, path = "path", unquote(path)
        return f"{key}{equals}{quotation}{base}{path}{quotation}"

    return _ADDRESS.sub(replace, text)
