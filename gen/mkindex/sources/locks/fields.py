"""Reading fields of a lock file that may contain anything. All functions raise BadLock for another type."""

import re
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from mkindex.errors import Rejected
from mkindex.model.files import Link
from mkindex.simple.links import MAX_SIZE, clean_upload_time, filename_in, normalize_url, read_hash, split_address
from mkindex.simple.roots import is_project_name
from mkindex.text import printable, redact

Table = Mapping[str, Any]
_LONGEST_MARKER = 10_000  # characters
REPOSITORY = re.compile(r"(git|hg|svn|bzr)\+[a-z]+:")  # how the address of one begins in requirements
_USER = re.compile(r"(?<=://)[^/?#\s\"']*@")


class BadLock(ValueError):
    """A lock file does not have the form of its kind; the text names the key."""


def text_of(table: Table, key: str) -> str:
    """Return a text, "" if there is none."""
    value = table.get(key, "")
    if not isinstance(value, str):
        raise BadLock(f"`{key}` is not a string")
    return value


def table_of(table: Table, key: str) -> dict[str, Any]:
    """Return a table, an empty one if there is none."""
    value = table.get(key, {})
    if not isinstance(value, dict):
        raise BadLock(f"`{key}` is not a table")
    return value


def tables_of(table: Table, key: str) -> list[dict[str, Any]]:
    """Return a list of tables, an empty one if there is none."""
    value = table.get(key, [])
    if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
        raise BadLock(f"`{key}` is not a list of tables")
    return value


def texts_of(table: Table, key: str) -> list[str]:
    """Return a list of texts, an empty one if there is none."""
    value = table.get(key, [])
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise BadLock(f"`{key}` is not a list of strings")
    return value


def name_of(table: Table, key: str = "name") -> str:
    """Return the normalized name of a project."""
    return project_name(text_of(table, key))


def project_name(name: str) -> str:
    """Return a name, normalized."""
    if not is_project_name(name):
        raise BadLock(f"{printable(repr(name[:80]))} is not the name of a project")
    return canonicalize_name(name)


def version_of(table: Table) -> str:
    """Return the version of a package, "" if there is none."""
    return project_version(text_of(table, "version"))


def project_version(version: str) -> str:
    """Return the version of a package as it is written; "" if it is unknown."""
    try:
        if version:
            Version(version)
    except InvalidVersion as error:
        raise BadLock(f"{printable(repr(version[:80]))} is not a version") from error
    return version


def marker_of(table: Table, key: str = "marker") -> str:
    """Return an environment marker, "" if there is none. Only its length is checked."""
    marker = text_of(table, key)
    if len(marker) > _LONGEST_MARKER:
        raise BadLock(f"`{key}` is longer than {_LONGEST_MARKER:,} characters")
    return marker


def hash_of(text: str) -> dict[str, str]:
    """Return the hash in a text such as "sha256:…" by its name."""
    name, _, value = text.partition(":")
    return {name: value} if value else {}


def locked_link(
    address: str, filename: str = "", *, hashes: Table, size: object = None, upload_time: object = None
) -> Link:
    """Return a file of a lock. `address` is "" if the lock has none. Raises ValueError for what cannot be a file."""
    url = ""
    if address:
        address = without_credentials(address)
        name = filename_in(split_address(address).path)
        url, filename = normalize_url(address, name, allow_local=True), filename or name
    sha256, other_hash = read_hash(hashes)
    is_size = isinstance(size, int) and not isinstance(size, bool) and 0 <= size <= MAX_SIZE
    return Link(
        url=url,
        filename=filename,
        sha256=sha256,
        other_hash=other_hash,
        size=int(size) if is_size and isinstance(size, int) else None,
        upload_time=clean_upload_time(upload_time) if isinstance(upload_time, str) else "",
    )


def links_of_hashes(hashes: Iterable[str], location: str) -> tuple[tuple[Link, ...], tuple[Rejected, ...]]:
    """Return a file of unknown name for each hash, and rejections of those that are malformed."""
    links, rejected = list[Link](), list[Rejected]()
    for one in hashes:
        try:
            links.append(locked_link("", hashes=hash_of(one)))
        except ValueError as error:
            rejected.append(Rejected(location=location, reason=str(error)))
    return tuple(links), tuple(rejected)


def from_repository(address: str) -> str:
    """Return why a package that is from a repository cannot be mirrored."""
    where = f" ({redact(without_credentials(address))})" if address else ""
    return f"it is from a Git repository{where}: publish a wheel of it in an index, and lock again"


def from_path(path: str) -> str:
    """Return why a package that is a path cannot be mirrored."""
    where = printable(path)
    return f"it is a path ({where}), which belongs to the project: copy it with the project, or build a wheel"


def without_credentials(address: str) -> str:
    """Return an address without user name and password, which are never taken from a lock file."""
    return _USER.sub("", address)


def index_of(address: str) -> str:
    """Return the address of an index that a lock names, "" for anything that is not one."""
    try:
        parts = urlsplit(without_credentials(address))
        is_address = parts.scheme in ("http", "https", "file") and (parts.hostname or parts.scheme == "file")
        return urlunsplit(parts._replace(fragment="")) if is_address and address.isprintable() else ""
    except ValueError:
        return ""
