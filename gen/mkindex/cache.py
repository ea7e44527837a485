"""What was learned of a file last time, kept as long as the file's fingerprint stays the same.

The cache is never needed for correctness. Any doubt, be it another fingerprint, a row that does not fit its checksum,
a database that cannot be read, or a file changed so recently that a second change might not show, means: read again.
"""

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
from mkindex.model.files import Artifact, Fingerprint

_NAME = "facts.sqlite3"
_FORMAT = 1  # of the database
# What this version of mkindex makes of a file another may see differently: no row is trusted that another wrote.
_SEED = zlib.crc32(f"{_FORMAT} {__version__}".encode())
_SCHEMA = """
CREATE TABLE facts (path TEXT PRIMARY KEY, fingerprint TEXT, facts TEXT, checksum INTEGER, day INTEGER) WITHOUT ROWID
"""
# Named, so that a damaged schema is an error of SQLite and never a row of another shape.
_COLUMNS = "path, fingerprint, facts, checksum, day"
_INSERT = f"INSERT OR REPLACE INTO facts ({_COLUMNS}) VALUES (?, ?, ?, ?, ?)"  # noqa: S608 (a constant)
_AT_ONCE = 500  # rows asked for in one statement
_WRITTEN_AT_ONCE = 5000
_WRITTEN_AFTER = 5.0  # seconds
_LONG = 10_000  # characters: what is longer does not wait for others to be written with
_KEPT_DAYS = 90
_TOUCHED_AFTER_DAYS = 7  # a row's day is brought up to date only now and then: reading should not write

# A file written twice within the resolution of its time stamps may keep its fingerprint; git calls it racy and looks
# again at what was changed less than two seconds before it was read.
RACY_NS = 2_000_000_000

_Row = tuple[str, str, str, int, object]  # path, fingerprint, facts, checksum, day


class Cache:
    """Facts by path and fingerprint, written down when the context is left; without a directory it forgets."""

    def __init__(self, directory: Path | None, *, remember: bool = True) -> None:
        # Who is not to write anything makes no database, either.
        self._directory = directory if directory and (remember or (directory / _NAME).exists()) else None
        self._remember = remember
        self._database: sqlite3.Connection | None = None
        self._today = int(time.time() // 86_400)
        self._new: list[_Row] = []
        self._distrusted: set[str] = set()
        self._seen: list[tuple[int, str]] = []
        self._lock = threading.Lock()
        self._written = time.time()

    def __enter__(self) -> Self:
        if self._directory:
            self._database = _open_or_replace(self._directory / _NAME)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._lock:  # a thread whose result nobody waits for any more may still ask
            if self._database:
                self._write()
                self._database.close()
                self._database = None

    def get(self, artifacts: Sequence[Artifact]) -> Iterator[str | None]:
        """Yield the facts of each artifact, None where they are unknown or in doubt."""
        for start in range(0, len(artifacts), _AT_ONCE):
            some = artifacts[start : start + _AT_ONCE]
            paths = [artifact.path for artifact in some]
            rows = self._rows(paths)
            for path, artifact in zip(paths, some, strict=True):
                yield self._trusted(rows.get(path), str(artifact.fingerprint))

    def get_last(self, path: str) -> tuple[Fingerprint, str] | None:
        """Return what was last known of the file at `path`, whatever it is now, and the fingerprint that it had."""
        row = self._rows([path]).get(path)
        if row is None or row[3] != _checksum(*row[:3]):
            return None
        return Fingerprint(*map(int, row[1].split())), row[2]

    def put(self, path: str, fingerprint: Fingerprint, facts: str, *, read_ns: int) -> None:
        """Remember the facts of the file at `path`, read at `read_ns`, unless a change could have gone unseen."""
        if self._database and _is_text(path) and max(fingerprint.mtime_ns, fingerprint.ctime_ns) < read_ns - RACY_NS:
            self._add(path, str(fingerprint), facts)

    def recall(self, key: str) -> tuple[str, str] | None:
        """Return what was remembered under `key`, a mark and a text, or None. May be called by any thread."""
        with self._lock:
            row = self._rows([key]).get(key)
            facts = self._trusted(row, row[1]) if row else None
        return (row[1], facts) if row and facts is not None else None

    def remember(self, key: str, mark: str, text: str) -> None:
        """Remember a text with what tells whether it is still true. May be called by any thread."""
        with self._lock:
            if self._database and _is_text(key):
                self._add(key, mark, text)
                # What a server was asked for took its time: a run that is killed should not ask again.
                if len(text) > _LONG or time.time() - self._written > _WRITTEN_AFTER:
                    self._write()

    def forget(self, path: str) -> None:
        """Trust nothing that is known of the file at `path`: it turned out to be wrong."""
        self._distrusted.add(path)

    def replace_fingerprints(self, links: Iterable[tuple[Artifact, Fingerprint]]) -> None:
        """Keep trusting files whose change time moved because we made hard links to them: their new fingerprints."""
        self._write()
        for artifact, fingerprint in links:
            facts = self._trusted(self._rows([artifact.path]).get(artifact.path), str(artifact.fingerprint))
            if facts is not None:
                self._add(artifact.path, str(fingerprint), facts)

    def _add(self, path: str, key: str, facts: str) -> None:
        self._new.append((path, key, facts, _checksum(path, key, facts), self._today))
        if len(self._new) >= _WRITTEN_AT_ONCE:
            self._write()

    def _write(self) -> None:
        if self._database and self._remember and (self._new or self._seen):
            with suppress(sqlite3.Error), self._database as database:
                database.executemany(_INSERT, self._new)
                database.executemany("UPDATE facts SET day = ? WHERE path = ?", self._seen)
                database.execute("DELETE FROM facts WHERE day < ?", (self._today - _KEPT_DAYS,))
        self._new.clear()
        self._seen.clear()
        self._written = time.time()

    def _rows(self, paths: Sequence[str]) -> dict[str, _Row]:
        if not self._database:
            return {}
        query = f"SELECT {_COLUMNS} FROM facts WHERE path IN ({','.join('?' * len(paths))})"  # noqa: S608 (a constant and question marks)
        try:
            return {row[0]: row for row in self._database.execute(query, paths)}
        except (sqlite3.Error, UnicodeError):  # damaged; or a path that is no text
            return {}

    def _trusted(self, row: _Row | None, mark: str) -> str | None:
        if row is None or row[1] != mark or row[0] in self._distrusted:
            return None
        path, key, facts, checksum, day = row
        if checksum != _checksum(path, key, facts):
            return None
        if not isinstance(day, int) or day < self._today - _TOUCHED_AFTER_DAYS:
            self._seen.append((self._today, path))
        return facts


def _open_or_replace(path: Path) -> sqlite3.Connection | None:
    """Open the database, or a new one in place of a damaged one; None: this run does without a cache."""
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

    A database that is locked, or that this user may not write, is not damaged: it belongs to somebody, and stays.
    """
    if not isinstance(error, sqlite3.OperationalError):
        return True
    return getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_ERROR  # as for a column that is not there


def _open(path: Path) -> sqlite3.Connection:
    path.parent.mkdir(parents=True, exist_ok=True)
    database = sqlite3.connect(path, timeout=5, check_same_thread=False)
    try:
        database.execute("PRAGMA synchronous = OFF")  # what a power failure damages is read again
        if database.execute("PRAGMA user_version").fetchone()[0] != _FORMAT:
            database.execute("PRAGMA journal_mode = WAL")
            with database:
                database.execute("BEGIN IMMEDIATE")
                # Another process may have made the table meanwhile.
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
    """Tell whether SQLite takes a path: not one that is no UTF-8."""
    return path.isascii() or path.encode("utf-8", "replace").decode() == path


def _checksum(path: str, key: str, facts: str) -> int:
    return zlib.crc32(f"{path}\n{key}\n{facts}".encode("utf-8", "surrogateescape"), _SEED)
