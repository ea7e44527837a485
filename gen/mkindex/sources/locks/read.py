"""Recognize a lock file by its beginning and name, and read it within bounds."""

import os
import re
from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Callable
from io import StringIO
from json import loads
from typing import Any

from mkindex.errors import SourceError
from mkindex.sources.lists import REQUIREMENT, TOML
from mkindex.sources.locks.fields import REPOSITORY, BadLock
from mkindex.sources.locks.lock import MAX_FILES, MAX_PACKAGES, Lock
from mkindex.text import printable

MAX_SIZE = 32 << 20  # bytes of a lock file; those of large projects have five million
_LOCK_NAMES = ("uv.lock", "poetry.lock", "pdm.lock")
_PYLOCK = re.compile(r"pylock(\.[^.]+)?\.toml")
_TOML_OF_LOCK = re.compile(r"\[\[packages?\]\]|(lock-)?version\s*=", re.ASCII)
# The parser takes quadratic time for dotted keys.
_LONG_KEY = re.compile(rb"(?<![\w\"'-])(?:[\w\"'-]++[ \t]*+\.[ \t]*+){50}")
_WITH_ADDRESS = re.compile(r"[\w.-]+\s*(\[[^\]]*\])?\s*@\s*https?://", re.ASCII)  # a requirement: demo @ https://…
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*")


def is_lock(start: bytes, filename: str) -> bool:
    """Tell whether a file is a lock file or a requirements file, by its first 64 KiB and its name."""
    line = _first_line(decode(start, "replace"))
    is_path = line.endswith((".whl", ".tar.gz", ".zip")) and not _WITH_ADDRESS.match(line)
    is_requirement = REQUIREMENT.fullmatch(line) or REPOSITORY.match(line)
    return is_document(start, filename) or bool(is_requirement and not is_path)


def is_document(start: bytes, filename: str) -> bool:
    """Tell whether a file is a lock file in TOML or JSON, by its first 64 KiB and its name."""
    text = decode(start, "replace")
    line = _first_line(text)
    if TOML.fullmatch(line):
        is_pdm = line == "[metadata]" and "lock_version" in text
        is_named = filename in _LOCK_NAMES or _PYLOCK.fullmatch(filename)
        return bool(is_named or is_pdm or _TOML_OF_LOCK.match(line))
    return bool(re.match(r'\{\s*"_meta"\s*:', text.strip()))


def _first_line(text: str) -> str:
    """Return the start of the first line that is not empty and no comment."""
    lines = (line.strip() for line in StringIO(text))
    return next((line[:1000] for line in lines if line and not line.startswith("#")), "")


def read_lock(path: str) -> Lock:
    """Read a lock file. Raises SourceError if that fails, if it is too large, or not of the form of its kind."""
    try:
        with open(path, "rb") as file:
            raw = file.read(MAX_SIZE + 1)
    except OSError as error:
        raise SourceError(f"cannot read {printable(path)}: {error.strerror}") from error
    return lock_of(raw, path)


def lock_of(raw: bytes, path: str) -> Lock:
    """Return the lock file at a path, of which `raw` are the first bytes. Raises SourceError as `read_lock` does."""
    name = printable(path)
    if len(raw) > MAX_SIZE:
        raise SourceError(f"{name}: larger than {MAX_SIZE >> 20} MiB, the limit for a lock file")
    if not _NAME.fullmatch(os.path.basename(path)):
        raise SourceError(f"{name}: a lock is published under its name. Rename it to letters, digits and - _ .")
    try:
        lock = parse_lock(raw, path)
        _refuse_too_many(lock)
    except BadLock as error:
        raise SourceError(f"{name}: {error}") from error
    return lock


def parse_lock(raw: bytes, path: str) -> Lock:
    """Return the lock with these contents. Raises BadLock."""
    try:
        text = decode(raw)
    except UnicodeDecodeError as error:
        raise BadLock("is not UTF-8. Lock again, or save it as UTF-8") from error
    line = _first_line(text)
    if line.startswith("{"):
        from mkindex.sources.locks.pipfile import read_pipfile

        return read_pipfile(_document(loads, text), path, text)
    if not TOML.fullmatch(line):
        from mkindex.sources.locks.requirements import read_requirements

        return read_requirements(text, path)
    if _LONG_KEY.search(raw):
        raise BadLock("has a key of more than 50 parts. Lock again")
    from tomllib import loads as toml_loads

    document = _document(toml_loads, text)
    read = _reader(document)
    return read(document, path, text)


def decode(raw: bytes, errors: str = "strict") -> str:
    """Return the text of a lock or requirements file: UTF-8, or what PowerShell writes with `>`, which clients read."""
    return raw.decode("utf-16" if raw.startswith((BOM_UTF16_LE, BOM_UTF16_BE)) else "utf-8-sig", errors)


def _document(parse: Callable[[str], Any], text: str) -> dict[str, Any]:
    try:
        document = parse(text)
    except (ValueError, RecursionError) as error:
        detail = "it is nested too deeply" if isinstance(error, RecursionError) else printable(str(error))[:200]
        raise BadLock(f"cannot be parsed ({detail}). Lock again") from error
    if not isinstance(document, dict):
        raise BadLock("is not a table. Lock again")
    return document


def _reader(document: dict[str, Any]) -> Callable[[dict[str, Any], str, str], Lock]:
    """Return the reader for the format that the keys of a document show."""
    metadata = document.get("metadata")
    metadata = metadata if isinstance(metadata, dict) else {}
    if "lock-version" in document:
        from mkindex.sources.locks.pylock import read_pylock

        return read_pylock
    if "lock_version" in metadata:
        from mkindex.sources.locks.poetry import read_pdm

        return read_pdm
    if "content-hash" in metadata or "lock-version" in metadata:
        from mkindex.sources.locks.poetry import read_poetry

        return read_poetry
    if "version" in document and "package" in document:
        from mkindex.sources.locks.uv import read_uv

        return read_uv
    raise BadLock(
        "is TOML, but not a uv.lock, pylock.toml, poetry.lock or pdm.lock. Give one of these, or a directory of wheels"
    )


def _refuse_too_many(lock: Lock) -> None:
    files = sum(len(package.files) for package in lock.packages)
    if len(lock.packages) > MAX_PACKAGES or files > MAX_FILES:
        raise BadLock(
            f"names {len(lock.packages):,} packages and {files:,} files, more than the {MAX_PACKAGES:,} and "
            f"{MAX_FILES:,} that mkindex reads"
        )
