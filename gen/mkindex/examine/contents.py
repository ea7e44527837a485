"""What is inside of wheels, for people: of this machine, or of buckets, where only the directory of a zip is read."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from contextlib import contextmanager, suppress
from io import BufferedIOBase, FileIO

from mkindex.errors import Unreadable
from mkindex.examine.core_metadata import is_here, is_published, open_file
from mkindex.model.files import Artifact, File
from mkindex.web.client import WebClient
from mkindex.web.ranges import RangeStream
from mkindex.web.responses import RequestFailed

Contents = list[tuple[str, int]]  # path and size in bytes of each file


class ContentsReader:
    """Lists what is inside of wheels. `read(path, most, start)` returns bytes of a file of the published tree."""

    def __init__(self, web: WebClient, connections: Executor, read: Callable[[str, int, int], bytes]) -> None:
        self._web = web
        self._connections = connections  # threads that wait for servers
        self._read = read

    def list_each(self, wheels: Sequence[File]) -> Iterator[Contents]:
        """Yield what is inside of each wheel; nothing if it is on another server, has changed or cannot be read."""
        waiting = [self._connections.submit(self._list, wheel) if _is_object(wheel) else None for wheel in wheels]
        for wheel, later in zip(wheels, waiting, strict=True):
            yield later.result() if later else self._list(wheel)

    def _list(self, wheel: File) -> Contents:
        with suppress(OSError, Unreadable, RequestFailed), self._open(wheel) as stream:
            from mkindex.distributions.zip_directory import read_members, shown
            from mkindex.distributions.zips import random_access

            members = read_members(random_access(stream), wheel.size or 0, reads_headers=False)
            return [(shown(path), member[3]) for path, member in members.items() if not path.endswith(b"/")]
        return []

    @contextmanager
    def _open(self, wheel: File) -> Iterator[FileIO | BufferedIOBase]:
        if not _is_object(wheel):
            with open_file(wheel) as stream:
                yield stream
            return
        artifact = wheel.local
        if is_published(wheel, artifact):
            yield RangeStream(
                artifact.location, artifact.size, fetch=lambda start, most: self._read(artifact.relative, most, start)
            )
        elif artifact.link and (
            opened := self._web.open_ranges(artifact.link.url, artifact.size, validator=artifact.link.revision)
        ):
            yield opened
        else:
            raise FileNotFoundError


def _is_object(wheel: File) -> bool:
    """Tell whether a wheel is in a bucket, either that of the index or another one from which it gets there."""
    return isinstance(wheel.artifact, Artifact) and not is_here(wheel)
