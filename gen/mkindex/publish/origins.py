"""Where the bytes of the files of an index in a bucket come from: from this machine, or from another bucket."""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from io import FileIO

from mkindex.distributions.zips import random_access
from mkindex.errors import DestinationError
from mkindex.hosts.buckets import is_bucket
from mkindex.model.files import File
from mkindex.publish.plan import FileChanged
from mkindex.publish.staging import read_metadata
from mkindex.stores.objects import ChangedObject, MissingObject, ObjectStore, Original, StoreError
from mkindex.text import printable

PART = 8 << 20  # bytes that are read at once


class Origins:
    """Reads files. Several threads may use it. `open_store` opens a bucket by its address.

    All methods raise FileChanged, and DestinationError for a store that does not do what it was asked to do.
    """

    def __init__(self, open_store: Callable[[str], ObjectStore]) -> None:
        self._open_store = cache(open_store)

    def original(self, file: File) -> Original | None:
        """Return the object that a file is; None for a file of this machine."""
        artifact = file.local
        if not is_bucket(artifact.root):
            return None
        etag = artifact.link.revision if artifact.link else ""
        return Original(self._open_store(artifact.root), artifact.relative, artifact.size, etag, file.sha256)

    def parts(self, file: File, *, is_stopped: Callable[[], bool]) -> Iterator[bytes]:
        """Yield the bytes of a file. If they have another hash, the last of them are not yielded."""
        digest, last = hashlib.sha256(), b""
        with self.errors(file):
            for part in self._read(file):
                if is_stopped():
                    raise DestinationError("stopped")
                digest.update(part)
                if last:
                    yield last
                last = part
        if digest.hexdigest() == file.sha256:
            yield last
        elif is_bucket(file.local.root):  # its ETag is the same, so it did not change
            raise DestinationError(
                f"{printable(file.local.path)}: the sha256 in the metadata of the object is wrong. Upload it again"
            )
        else:
            raise FileChanged(file)

    def _read(self, file: File) -> Iterator[bytes]:
        if original := self.original(file):
            yield from original.store.stream(original.key, 0, etag=original.etag)
            return
        with _open(file) as source:
            while part := source.read(PART):
                yield part

    def metadata(self, file: File) -> bytes:
        """Return the METADATA of a wheel."""
        with self.errors(file):
            if original := self.original(file):
                store, key, etag = original.store, original.key, original.etag
                return read_metadata(file, lambda start, length: store.read(key, start, length, etag=etag))
            with _open(file) as wheel:
                return read_metadata(file, random_access(wheel))

    @contextmanager
    def errors(self, file: File) -> Iterator[None]:
        """Raise the errors of this class instead of those of stores."""
        try:
            yield
        except (MissingObject, ChangedObject) as error:
            raise FileChanged(file) from error
        except StoreError as error:
            raise DestinationError(f"{printable(file.local.path)}: {error}") from error


def _open(file: File) -> FileIO:
    try:
        return FileIO(file.local.path)
    except FileNotFoundError as error:
        raise FileChanged(file) from error
