"""Facts of files from earlier runs, valid as long as the file's fingerprint stays the same.

The cache is never needed for correctness. If in doubt, the file is read again: if the fingerprint differs, if the
checksum of a row is wrong, if the database cannot be read, or if the file changed so recently that another change
could have been missed.
"""

import re
import sqlite3
import threading
import time
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from mkindex import __version__
from mkindex.model.files import Artifact, Facts, Fingerprint

_NAME = "facts.sqlite3"
_FORMAT = 4  # of the database
# Rows of other versions of mkindex, also between releases, are invalid: those may read a file differently.
_SEED = zlib.crc32(f"{_FORMAT} {__version__} {Facts._fields}".encode())
_SCHEMA = """
CREATE TABLE facts (path TEXT PRIMARY KEY, fingerprint TEXT, facts TEXT, checksum INTEGER, day INTEGER) WITHOUT ROWID
"""
# Columns are named, so that a damaged schema is an error of SQLite and never a row of another shape.
_COLUMNS = "path, fingerprint, facts, checksum, day"
_INSERT = f"INSERT OR REPLACE INTO facts ({_COLUMNS}) VALUES (?, ?, ?, ?, ?)"  # noqa: S608 (a constant)
_QUERY = re.compile(r"\?\S*")
_READ_AT_ONCE = 500  # rows
_WRITE_AT_ONCE = 5000  # rows
_WRITE_AFTER = 5.0  # seconds
_MOST_PENDING = 4_000_000  # characters of texts that are not written yet
_KEEP_DAYS = 90
_TOUCH_AFTER_DAYS = 7  # the day of a row is not updated more often, so that most runs write nothing

# A file that is written twice within the resolution of its timestamps may keep its fingerprint. Git calls such a file
# racy, and reads it again if it changed less than two seconds before it was read.
RACY_NS = 2_000_000_000
# Whole seconds are kept on removable disks, and by servers, whose clock may differ from ours.
COARSE_RACY_NS = 60_000_000_000

_Row = tuple[str, str, str, int, object]  # path, fingerprint, facts, checksum, day
_UNKNOWN: _Row = ("", "", "", 0, None)


def is_settled(fingerprint: Fingerprint, read_ns: int) -> bool:
    """Tell whether a later change of a file that was read at `read_ns` would have changed its fingerprint."""
    racy_ns = COARSE_RACY_NS if fingerprint.is_coarse else RACY_NS
    return fingerprint.changed_ns < read_ns - racy_ns


class Cache:
    """Facts by path and fingerprint, written when the context ends; without a directory nothing is remembered."""

    def __init__(self, directory: Path | None, *, remember: bool = True) -> None:
        # A dry run must not create the database.
        self._directory = directory if directory and (remember or (directory / _NAME).exists()) else None
        self._remember = remember
        self._database: sqlite3.Connection | None = None
        self._today = int(time.time() // 86_400)
        self._new: list[_Row] = []
        self._loaded: dict[str, _Row | None] = {}  # by key; None: there is no row
        self._forgotten: set[str] = set()
        self._touched: list[tuple[int, str]] = []
        self._lock = threading.Lock()
        self._last_write = time.time()
        self._pending = 0  # characters
        self._has_written = False

    def __enter__(self) -> Self:
        if self._directory:
            self._database = _open_or_replace(self._directory / _NAME)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._lock:  # a thread whose result is no longer needed may still use the cache
            if self._database:
                self._write()
                self._delete_old()
                self._database.close()
                self._database = None

    def get(self, artifacts: Sequence[Artifact]) -> Iterator[str | None]:
        """Yield the facts of each artifact; None if unknown, or no longer valid."""
        for start in range(0, len(artifacts), _READ_AT_ONCE):
            batch = artifacts[start : start + _READ_AT_ONCE]
            paths = [artifact.path for artifact in batch]
            rows = self._rows_between(min(paths), max(paths), 2 * len(paths))
            if rows is None:
                rows = self._rows(paths)
            for path, artifact in zip(paths, batch, strict=True):
                yield self._valid(rows.get(path), str(artifact.fingerprint))

    def get_last(self, path: str) -> tuple[Fingerprint, str] | None:
        """Return the last fingerprint and facts of the file at `path`, even if the file has changed."""
        row = self._rows([path]).get(path)
        if row is None:
            return None
        path, text, facts, checksum, _ = row
        fingerprint = Fingerprint.parse(text) if checksum == _checksum(path, text, facts) else None
        return (fingerprint, facts) if fingerprint else None

    def put(self, path: str, fingerprint: Fingerprint, facts: str, *, read_ns: int) -> None:
        """Remember the facts of the file at `path`, read at `read_ns`, unless a change could have been missed."""
        if self._database and _is_text(path) and is_settled(fingerprint, read_ns):
            self._add(path, str(fingerprint), facts)

    def load(self, keys: Iterable[str]) -> None:
        """Read what recall() returns for these keys. Threads that query one row each would wait for each other."""
        wanted = [_without_query(key) for key in keys if _is_text(key)] if self._database else []
        with self._lock:
            for start in range(0, len(wanted), _READ_AT_ONCE):
                batch = wanted[start : start + _READ_AT_ONCE]
                self._loaded |= dict.fromkeys(batch) | self._rows(batch)

    def recall(self, key: str) -> tuple[str, str] | None:
        """Return the validator and the text that were remembered under `key`, or None. May be called by any thread."""
        key = _without_query(key)
        row = self._loaded.get(key, _UNKNOWN)
        if row is _UNKNOWN:
            with self._lock:
                row = self._rows([key]).get(key)
        text = self._valid(row, row[1]) if row else None
        return (row[1], text) if row and text is not None else None

    def recall_each(self, keys: Sequence[str], validator: str) -> Iterator[str | None]:
        """Yield for each key the text that was remembered with this validator, or None."""
        for start in range(0, len(keys), _READ_AT_ONCE):
            batch = keys[start : start + _READ_AT_ONCE]
            with self._lock:
                rows = self._rows(batch)
                texts = [self._valid(rows.get(key), validator) for key in batch]
            yield from texts

    def remember(self, key: str, validator: str, text: str) -> None:
        """Remember a text, and the validator of the server's answer. May be called by any thread.

        The query of an address in `key` may be a secret: only a hash of it is written.
        """
        key = _without_query(key)
        with self._lock:
            if self._database and _is_text(key):
                self._loaded.pop(key, None)
                self._add(key, validator, text)
                # Requests are slow, so a run that is killed must not lose their results.
                self._pending += len(text)
                if self._pending > _MOST_PENDING or time.time() - self._last_write > _WRITE_AFTER:
                    self._write()

    def forget(self, path: str) -> None:
        """Ignore the facts of the file at `path`, because they are wrong."""
        self._forgotten.add(path)

    def replace_fingerprints(self, links: Iterable[tuple[Artifact, Fingerprint]]) -> None:
        """Keep the facts of files that a build hard-linked, which changed nothing but their fingerprints."""
        self._write()
        for artifact, fingerprint in links:
            facts = self._valid(self._rows([artifact.path]).get(artifact.path), str(artifact.fingerprint))
            if facts is not None:
                self._add(artifact.path, str(fingerprint), facts)

    def _add(self, path: str, fingerprint: str, facts: str) -> None:
        self._new.append((path, fingerprint, facts, _checksum(path, fingerprint, facts), self._today))
        if len(self._new) >= _WRITE_AT_ONCE:
            self._write()

    def _write(self) -> None:
        if self._database and self._remember and (self._new or self._touched):
            with suppress(sqlite3.Error), self._database as database:
                database.executemany(_INSERT, self._new)
                database.executemany("UPDATE facts SET day = ? WHERE path = ?", self._touched)
            self._has_written = True
        self._new.clear()
        self._touched.clear()
        self._pending = 0
        self._last_write = time.time()

    def _delete_old(self) -> None:
        """Delete rows that no run has used for a long time. That reads all rows, so it is done once."""
        if self._database and self._has_written:
            with suppress(sqlite3.Error), self._database as database:
                database.execute("DELETE FROM facts WHERE day < ?", (self._today - _KEEP_DAYS,))

    def _rows(self, paths: Sequence[str]) -> dict[str, _Row]:
        if not self._database:
            return {}
        query = f"SELECT {_COLUMNS} FROM facts WHERE path IN ({','.join('?' * len(paths))})"  # noqa: S608 (a constant and question marks)
        try:
            return {row[0]: row for row in self._database.execute(query, paths)}
        except (sqlite3.Error, UnicodeError):  # damaged, or a path that is not UTF-8
            return {}

    def _rows_between(self, first: str, last: str, most: int) -> dict[str, _Row] | None:
        """Return the rows of all paths in a range, in half the time that looking up each would take.

        None if there are more than `most`, as where a directory has many files that are not among the sources.
        """
        if not self._database:
            return {}
        query = f"SELECT {_COLUMNS} FROM facts WHERE path BETWEEN ? AND ? LIMIT ?"  # noqa: S608 (a constant)
        try:
            rows = {row[0]: row for row in self._database.execute(query, (first, last, most + 1))}
        except (sqlite3.Error, UnicodeError):  # damaged, or a path that is not UTF-8
            return None
        return rows if len(rows) <= most else None

    def _valid(self, row: _Row | None, fingerprint: str) -> str | None:
        """Return the facts in a row if they are those of a file with this fingerprint."""
        if row is None or row[1] != fingerprint or row[0] in self._forgotten:
            return None
        path, _, facts, checksum, day = row
        if checksum != _checksum(path, fingerprint, facts):
            return None
        if not isinstance(day, int) or day < self._today - _TOUCH_AFTER_DAYS:
            self._touched.append((self._today, path))
        return facts


def _open_or_replace(path: Path) -> sqlite3.Connection | None:
    """Open the database, or replace a damaged one; None if this run has no cache."""
    for _ in range(2):
        try:
            return _open(path)
        except (sqlite3.DatabaseError, UnicodeError) as error:
            if not _is_damage(error):
                return None
            for ending in ("", "-wal", "-shm"):
                with suppress(OSError):
                    path.with_name(f"{path.name}{ending}").unlink()
        except OSError:
            return None
    return None


def _is_damage(error: Exception) -> bool:
    """Tell whether an error comes from the content of the database.

    A database that is locked, or that this user may not write, is not damaged, and is not replaced.
    """
    if not isinstance(error, sqlite3.OperationalError):
        return True
    return getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_ERROR  # as for a missing column


def _open(path: Path) -> sqlite3.Connection:
    path.parent.mkdir(parents=True, exist_ok=True)
    database = sqlite3.connect(path, timeout=5, check_same_thread=False)
    try:
        database.execute("PRAGMA synchronous = OFF")  # after a power failure, damaged rows are read again
        if database.execute("PRAGMA user_version").fetchone()[0] != _FORMAT:
            database.execute("PRAGMA journal_mode = WAL")
            with database:
                database.execute("BEGIN IMMEDIATE")
                # Another process may have created the table meanwhile.
                if database.execute("PRAGMA user_version").fetchone()[0] != _FORMAT:
                    database.execute("DROP TABLE IF EXISTS facts")
                    database.execute(_SCHEMA)
                    database.execute(f"PRAGMA user_version = {_FORMAT}")
        database.execute(f"SELECT {_COLUMNS} FROM facts LIMIT 0")  # noqa: S608 (a constant)
    except BaseException:
        database.close()
        raise
    return database


def _is_text(path: str) -> bool:
    """Tell whether a path is UTF-8, as SQLite needs it."""
    return path.isascii() or path.encode("utf-8", "replace").decode() == path


def _without_query(key: str) -> str:
    """Return a key with a hash instead of the query of an address, which may be a signature or a token."""
    if "?" not in key:
        return key
    import hashlib

    return _QUERY.sub(lambda query: f"?{hashlib.sha256(query[0].encode(errors='replace')).hexdigest()}", key)


def _checksum(path: str, fingerprint: str, facts: str) -> int:
    return zlib.crc32(f"{path}\n{fingerprint}\n{facts}".encode("utf-8", "surrogateescape"), _SEED)
