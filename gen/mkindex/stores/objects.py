"""The protocol of an object store, as far as sources and destinations need one. All keys are below its address."""

from collections.abc import Iterable, Iterator, Sequence
from enum import Enum
from typing import Final, NamedTuple, Protocol


class StoreError(Exception):
    """A store did not do what it was asked to do. The text says why and what to do, without the address."""


class MissingObject(StoreError):
    """There is no object with a key."""


class ChangedObject(StoreError):
    """An object has another ETag than it had."""

    def __init__(self) -> None:
        super().__init__("changed while it was read: run again")


class LargeObject(StoreError):
    """An object has more bytes than were asked for at most."""

    def __init__(self, key: str, most: int) -> None:
        super().__init__(f"{key} is larger than {most:,} bytes")


class Conflict(Exception):
    """The condition of a put does not hold: another writer has created or replaced the object."""


class Absent(Enum):
    """The condition that there is no object with a key."""

    ABSENT = "absent"


ABSENT: Final = Absent.ABSENT
Condition = Absent | str  # an ETag: the object is still the one that has it


class Headers(NamedTuple):
    """What readers of an object get with it."""

    content_type: str
    cache_control: str


class StoredObject(NamedTuple):
    """What a listing says about an object."""

    key: str
    size: int  # bytes
    etag: str
    modified: int  # seconds since the epoch


class Content(NamedTuple):
    """The bytes of an object, or the part of them that was requested."""

    data: bytes
    etag: str
    modified: int  # seconds since the epoch


class End(NamedTuple):
    """The last bytes of an object."""

    data: bytes
    sha256: str  # of the whole object, as its metadata say; "": they do not


class Original(NamedTuple):
    """An object that is copied to another key, or to another store."""

    store: "ObjectStore"
    key: str
    size: int  # bytes
    etag: str  # it must still have
    sha256: str


class ObjectStore(Protocol):
    """The objects below one address. Several threads may use it. All methods raise StoreError."""

    @property
    def address(self) -> str:
        """The address for messages."""

    @property
    def url(self) -> str | None:
        """The http address of the objects, with a slash at its end; None if it is not known."""

    def directory_key(self, directory: str) -> str | None:
        """Return the key of a directory, which ends with a slash or is ""; None if there can be no such object."""

    @property
    def is_conditional(self) -> bool:
        """Whether the condition of a put is checked by the store itself, so that no other writer can come between."""

    def get(self, key: str, *, most: int) -> Content | None:
        """Return an object of at most `most` bytes; None if there is none. Raises LargeObject."""

    def head(self, key: str) -> StoredObject | None:
        """Return what is known about an object without reading it; None if there is none."""

    def list(self, prefix: str = "", *, recursive: bool = True) -> Iterator[StoredObject]:
        """Yield the objects whose keys begin with `prefix`, which is "" or ends with a slash, in any order.

        Without `recursive`, only those without another slash in their key.
        """

    def read_end(self, key: str, length: int) -> End:
        """Return the last bytes of an object, at most `length`. Raises MissingObject."""

    def read(self, key: str, start: int, length: int, *, etag: str) -> bytes:
        """Return bytes of an object, which must still have this ETag. Raises MissingObject."""

    def stream(self, key: str, start: int, *, etag: str) -> Iterator[bytes]:
        """Yield the bytes of an object from `start` on. It must still have this ETag. Raises MissingObject."""

    def checksum(self, key: str) -> str:
        """Return the sha256 of a whole object that the store computed; "" if it has none."""

    def names(self) -> Iterable[str]:
        """Return the first parts of all keys."""

    def put(self, key: str, data: bytes, headers: Headers, *, condition: Condition | None = None) -> str:
        """Create or replace an object, and return its ETag. Raises Conflict if the condition does not hold."""

    def upload(self, key: str, parts: Iterator[bytes], headers: Headers, *, size: int, sha256: str) -> None:
        """Create or replace an object of any size. If iterating over its parts raises an error, nothing is created.

        `sha256` is kept with the object, for those who read the bucket as a source.
        """

    def copies_from(self, address: str) -> bool:
        """Tell whether `copy` can copy the objects below the address of a bucket."""

    def copy(self, key: str, original: Original, headers: Headers) -> None:
        """Create or replace an object as a copy that the store makes itself. Raises MissingObject and ChangedObject."""

    def delete(self, keys: Sequence[str]) -> None:
        """Delete objects; those that do not exist are ignored."""

    def abort_uploads(self, prefix: str, *, silent_for: float) -> None:
        """Abort the uploads of large objects that did not end, and to which nothing was sent for so many seconds."""
