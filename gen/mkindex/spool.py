"""Files and projects of a large index, in temporary files on disk, so that memory does not grow with their number.

Up to some ten thousand files stay in memory, and nothing is written. Otherwise TMPDIR says where temporary files are.
They have no name, so that nothing is left of them if the process is killed.
"""

import errno
import marshal
import os
import sys
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from heapq import merge
from itertools import chain, groupby
from operator import itemgetter
from typing import Any, NamedTuple, overload

from mkindex.errors import MkindexError
from mkindex.model.files import Artifact, Facts, File, Fingerprint, Link, Provenance
from mkindex.model.index import Project, ProjectStatus, UnreadProject
from mkindex.text import printable

# Files. Systems without pread(), such as Windows, keep all of them.
MOST_IN_MEMORY = 50_000 if hasattr(os, "pread") else sys.maxsize
_PART = 1 << 18  # bytes that are read or written at a time
_DIGEST = 16  # bytes
_LENGTH = 4  # bytes before each value, that say how long it is

_Group = tuple[str, list[File]]  # a project, and files of it
_Value = tuple[Any, ...]  # of plain types, as `marshal` writes them


class Totals(NamedTuple):
    """The size of an index."""

    files: int
    size: int  # bytes, as far as they are known


class FilesByProject:
    """Files, which are added in any order. Those of a project keep their order.

    `spill()` writes them to the disk, sorted by project, if they are too many for memory; `groups()` merges these runs.
    """

    def __init__(self) -> None:
        self._files = defaultdict[str, list[File]](list)
        self._disk: _Disk | None = None
        self._ends: list[int] = []  # of the runs on disk

    @property
    def is_on_disk(self) -> bool:
        """Whether there were too many files for memory."""
        return self._disk is not None

    def extend(self, files: Iterable[File]) -> None:
        """Add files."""
        by_project = self._files
        for file in files:
            by_project[file.facts.project].append(file)  # reading the field through the file would take longer

    def add_project(self, name: str) -> None:
        """Add a project that may have no file."""
        self._files[name]

    def groups(self) -> Iterator[_Group]:
        """Yield each project with its files, by name."""
        in_memory = sorted(self._files.items())
        if self._disk is None:
            yield from in_memory
            return
        starts = [0, *self._ends]
        runs = [map(_group, self._disk.values(start, end)) for start, end in zip(starts, self._ends, strict=False)]
        for name, same in groupby(merge(*runs, in_memory, key=itemgetter(0)), key=itemgetter(0)):
            yield name, [file for _, files in same for file in files]

    def __iter__(self) -> Iterator[File]:
        """Yield the files, by project."""
        return chain.from_iterable(files for _, files in self.groups())

    def spill(self) -> None:
        """Write the files in memory to the disk if there are too many."""
        if sum(map(len, self._files.values())) < MOST_IN_MEMORY:
            return
        self._disk = self._disk or _Disk()
        for name, files in sorted(self._files.items()):
            self._disk.append((name, list(map(_packed, files))))
        self._ends.append(self._disk.end)
        self._files.clear()


def _group(value: _Value) -> _Group:
    name, files = value
    return name, list(map(_unpacked, files))


class StoredProjects(Sequence[Project]):
    """Projects on disk, by name. Each is read when it is needed; only the last one stays in memory."""

    def __init__(self, projects: Iterable[Project]) -> None:
        from array import array  # here, since most indexes stay in memory

        self._disk = _Disk()
        self.names: list[str] = []
        self._starts = array("q")
        self._last: tuple[int, Project] | None = None  # HTML and JSON of a project are rendered in turn
        files = size = 0
        self.has_made_files = (
            False  # whether mkindex makes a file beside one of these, for its variants or attestations
        )
        for project in projects:
            self.names.append(project.name)
            self._starts.append(self._disk.end)
            packed = list(map(_packed, project.files))
            self._disk.append((project.name, packed, None if project.status is None else tuple(project.status)))
            files += len(project.files)
            self.has_made_files |= any(file.attested or file.facts.variant for file in project.files)
            size += sum(file.size or 0 for file in project.files)
        self.totals = Totals(files, size)

    @property
    def by_name(self) -> Mapping[str, Project]:
        """These projects by name. It is not kept: with a cycle of references, the file would stay for some time."""
        return _ByName(self.names, self)

    def __len__(self) -> int:
        return len(self.names)

    @overload
    def __getitem__(self, index: int) -> Project: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Project, ...]: ...
    def __getitem__(self, index: int | slice) -> Project | tuple[Project, ...]:
        if isinstance(index, slice):
            return tuple(self[number] for number in range(*index.indices(len(self))))
        number = range(len(self))[index]
        last = self._last
        if last is None or last[0] != number:
            self._last = last = number, self._project(number, self._disk.value(self._starts[number]))
        return last[1]

    def __iter__(self) -> Iterator[Project]:
        return (self._project(*one) for one in enumerate(self._disk.values(0, self._disk.end)))

    def __reduce__(self) -> tuple[type[tuple[Project, ...]], tuple[tuple[Project, ...]]]:
        return tuple, (tuple(self),)  # for a process that renders templates of the user

    def _project(self, number: int, value: _Value) -> Project:
        _, files, status = value
        return Project(
            name=self.names[number],  # the same text, not a copy
            files=tuple(map(_unpacked, files)),
            status=None if status is None else ProjectStatus(*status),
        )


class _ByName(Mapping[str, Project]):
    """Stored projects by their name."""

    def __init__(self, names: Sequence[str], projects: "StoredProjects") -> None:
        self._names = names
        self.projects = projects

    def __getitem__(self, name: str) -> Project:
        number = bisect_left(self._names, name)
        if number == len(self._names) or self._names[number] != name:
            raise KeyError(name)
        return self.projects[number]

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


def by_name(projects: Iterable[Project]) -> Mapping[str, Project]:
    """Return projects by their name."""
    if isinstance(projects, StoredProjects):
        return projects.by_name
    return {project.name: project for project in projects}


class _DigestByName(Mapping[str, str]):
    """A digest for each project, by its name, in sixteen bytes."""

    def __init__(self, names: Sequence[str], digests: Iterable[str]) -> None:
        self._names = names
        self._digests = b"".join(map(bytes.fromhex, digests))

    def __getitem__(self, name: str) -> str:
        number = bisect_left(self._names, name)
        if number == len(self._names) or self._names[number] != name:
            raise KeyError(name)
        return self._digests[number * _DIGEST : (number + 1) * _DIGEST].hex()

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


def with_digests(projects: Mapping[str, Project], digests: Iterable[str]) -> Mapping[str, str]:
    """Return the digests of projects, given in their order, by the name of the project."""
    if isinstance(projects, _ByName):
        return _DigestByName(tuple(projects), digests)
    return dict(zip(projects, digests, strict=True))


def in_order(projects: Mapping[str, Project]) -> Sequence[Project]:
    """Return the projects that `by_name` returned as they were."""
    return projects.projects if isinstance(projects, _ByName) else tuple(projects.values())


def may_have_made_files(projects: Mapping[str, Project]) -> bool:
    """Tell whether mkindex may make files beside those of these projects: only what is known of those on disk."""
    return not isinstance(projects, _ByName) or projects.projects.has_made_files


def names_of(projects: Iterable[Project]) -> Sequence[str]:
    """Return the names of projects, without reading those that are on disk."""
    return projects.names if isinstance(projects, StoredProjects) else [project.name for project in projects]


def totals(projects: Iterable[Project]) -> Totals:
    """Return the size of an index."""
    if isinstance(projects, StoredProjects):
        return projects.totals
    projects = tuple(projects)
    unread = [project.outline for project in projects if isinstance(project, UnreadProject)]
    sizes = [file.size or 0 for project in projects for file in project.files]
    return Totals(len(sizes) + sum(one.file_count for one in unread), sum(sizes) + sum(one.size for one in unread))


class _Disk:
    """A temporary file with values, which several threads and processes can read at the same time."""

    def __init__(self) -> None:
        import tempfile  # here, since most indexes stay in memory

        with _errors(), tempfile.TemporaryFile(buffering=0) as file:
            self._descriptor = os.dup(file.fileno())
        self._waiting: list[bytes] = []
        self._size = 0  # bytes that wait
        self._written = 0  # bytes

    def __del__(self) -> None:
        if hasattr(self, "_descriptor"):
            os.close(self._descriptor)

    @property
    def end(self) -> int:
        """Where the next value will be."""
        return self._written + self._size

    def append(self, value: _Value) -> None:
        data = marshal.dumps(value)
        self._waiting += len(data).to_bytes(_LENGTH, "big"), data
        self._size += _LENGTH + len(data)
        if self._size >= _PART:
            self._flush()

    def value(self, at: int) -> _Value:
        """Return the value at a position."""
        if self._waiting:
            self._flush()
        length = int.from_bytes(self._read(at, _LENGTH), "big")
        value: _Value = marshal.loads(self._read(at + _LENGTH, length))  # noqa: S302 (written by this process)
        return value

    def values(self, start: int, end: int) -> Iterator[_Value]:
        """Yield the values between two positions."""
        self._flush()
        data, at = b"", 0  # what was read, and where the next value is in it
        while start < end or at < len(data):
            if len(data) - at >= _LENGTH:
                next_at = at + _LENGTH + int.from_bytes(data[at : at + _LENGTH], "big")
                if next_at <= len(data):
                    yield marshal.loads(data[at + _LENGTH : next_at])  # noqa: S302 (written by this process)
                    at = next_at
                    continue
                wanted = next_at - len(data)
            else:
                wanted = _PART
            part = self._read(start, min(max(wanted, _PART), end - start))
            data, at, start = data[at:] + part, 0, start + len(part)

    def _flush(self) -> None:
        data = memoryview(b"".join(self._waiting))
        self._waiting.clear()
        self._size = 0
        with _errors():
            while data:
                count = os.pwrite(self._descriptor, data, self._written)
                data, self._written = data[count:], self._written + count

    def _read(self, at: int, length: int) -> bytes:
        with _errors():
            data = os.pread(self._descriptor, length, at)
            while len(data) < length:
                part = os.pread(self._descriptor, length - len(data), at + len(data))
                if not part:
                    raise OSError(errno.EIO, "ends too early")
                data += part
        return data


@contextmanager
def _errors() -> Iterator[None]:
    """Raise each OSError as a MkindexError that says what to do."""
    try:
        yield
    except OSError as error:
        import tempfile

        raise MkindexError(
            f"cannot use a temporary file in {printable(tempfile.gettempdir())}: {error.strerror}. An index of many "
            "files needs about 1 KB for each of them there; TMPDIR chooses another directory"
        ) from error


def _packed(file: File) -> _Value:
    """Return a file as plain tuples, which `marshal` writes."""
    artifact, facts, filename, attested = file
    place: _Value
    if isinstance(artifact, Link):
        place = tuple(artifact)
    else:
        root, relative, fingerprint, link = artifact
        place = root, relative, tuple(fingerprint), None if link is None else tuple(link)
    return place, tuple(facts), filename, None if attested is None else tuple(attested)


def _unpacked(packed: _Value) -> File:
    """Return what `_packed` made a tuple of."""
    place, facts, filename, attested = packed
    artifact: Artifact | Link
    if len(place) == _LINK_FIELDS:
        artifact = _make(Link, place)
    else:
        root, relative, fingerprint, listing = place
        link = None if listing is None else _make(Link, listing)
        artifact = Artifact(root, relative, _make(Fingerprint, fingerprint), link)
    return _make(File, (artifact, _make(Facts, facts), filename, None if attested is None else Provenance(*attested)))


_LINK_FIELDS = len(Link._fields)
_make = tuple.__new__  # of a named tuple, in half the time that its constructor takes
