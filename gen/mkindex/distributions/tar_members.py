"""The members of a tar archive by their headers, within bounds: ustar, pax, GNU, and the format before POSIX.

Not with `tarfile`: 300 bytes of pax records keep it busy for minutes, and it takes a damaged header for the end of the
archive. The names, kinds and sizes are those that `tarfile` finds, and so pip. What it reads and uv refuses is noted.
What pip and uv do was seen with pip 26.3 (Python 3.11) and uv 0.13: `tests/functional/test_unusual_tars.py`.
"""

import re
from collections.abc import Iterator
from functools import lru_cache
from struct import Struct
from typing import NamedTuple

from mkindex.distributions.gunzip import Gunzip
from mkindex.distributions.zip_directory import MAX_MEMBERS
from mkindex.errors import Unreadable

MAX_HEADER = 1 << 20  # bytes of one long name, or of the pax records of one member
MAX_HEADERS = 8 << 20  # bytes of all of them
BLOCK = 512
REGULAR, HARD_LINK, SYMLINK, DIRECTORY = (b"0", b"\0", b"7"), b"1", b"2", b"5"
_WITHOUT_CONTENT = (HARD_LINK, SYMLINK, b"3", b"4", DIRECTORY, b"6")

# name, mode, uid, gid, size, mtime, checksum, kind, target of a link, identity, devmajor, devminor, prefix of the name
_HEADER = Struct("100s8s8s8s12s12s8sc100s8s64x8s8s155s12x")
_PAX_IDENTITY, _GNU_IDENTITY = b"ustar\x0000", b"ustar  \0"
_LONG_NAME, _LONG_TARGET, _SPARSE = b"L", b"K", b"S"
_RECORDS, _SOLARIS_RECORDS, _GLOBAL_RECORDS = b"x", b"X", b"g"
_ANNOUNCING = (_LONG_NAME, _LONG_TARGET, _RECORDS, _SOLARIS_RECORDS)  # headers that set fields of the next member
_OF_GNU, _OF_PAX = (_LONG_NAME, _LONG_TARGET), (_RECORDS, _SOLARIS_RECORDS, _GLOBAL_RECORDS)
_FIELDS = (b"path", b"linkpath", b"size")

_RECORD = re.compile(rb"(\d{1,7}) ([^=]+)=")
_DECIMAL = re.compile(rb"[0-9]{1,19}")
_OCTAL = re.compile(rb" *([0-7]*) *")
_OCTAL_OF_UV = re.compile(rb"[0-7]+[ \0]+|\0*")
_KEY_OF_UV = re.compile(
    rb"atime|comment|ctime|gid|gname|hdrcharset|linkpath|mtime|path|size|uid|uname|(?:SCHILY|LIBARCHIVE)\..*", re.DOTALL
)
_TIME_OF_UV = re.compile(rb"[0-9.]+")
_DAMAGED = "a tar header is damaged: copy or build it again"
_SPARSE_REFUSED = "sparse tar members are not supported: build it again"
_BEFORE_POSIX = "in the tar format before POSIX"
_TWO_READINGS = "a tar header can be read in different ways: build it again"


class Member(NamedTuple):
    """A file, link, directory or other member."""

    name: bytes
    kind: bytes
    size: int  # of its content
    target: bytes  # of a link


class TarReader:
    """The members of an archive, in their order."""

    def __init__(self, data: Gunzip) -> None:
        self._data = data
        self._identity = b""
        self._left = MAX_HEADERS
        self.refused_by_uv = ""  # why, once all members were taken

    def members(self) -> Iterator[Member]:
        """Yield each member when `data` is at its content; afterwards `data` may be anywhere in it.

        Raises Unreadable.
        """
        count = 0
        kinds: set[bytes] = set()  # of the headers before that of the member
        fields: dict[bytes, bytes] = {}  # of the member, that these headers set
        while (block := self._block()) is not None:
            header = self._parse(block)
            if header.kind in _ANNOUNCING:
                if header.kind in kinds:
                    raise Unreadable(_TWO_READINGS)
                kinds.add(header.kind)
                self._add(fields, header)
                continue
            count += 1
            if count > MAX_MEMBERS:
                raise Unreadable(f"more than {MAX_MEMBERS:,} members, the limit of mkindex: build it again")
            if header.kind == _GLOBAL_RECORDS:
                if kinds - {_GLOBAL_RECORDS}:
                    self.note("a global pax header after that of a member")
                kinds.add(header.kind)
                self._add({}, header)
                continue
            member = self._member(header, fields)
            end = self._data.position + member.size
            yield member
            if not self._data.skip_to(end + -end % BLOCK):
                raise Unreadable("incomplete, or a member claims more bytes than there are: copy it again")
            kinds, fields = set(), {}
        if kinds:
            raise Unreadable(_DAMAGED)

    def note(self, reason: str) -> None:
        """Note why uv refuses the archive."""
        self.refused_by_uv = self.refused_by_uv or reason

    def _block(self) -> bytes | None:
        """Return the next header, None at the end of the archive."""
        block = self._data.read(BLOCK)
        if len(block) != BLOCK:
            raise Unreadable("incomplete: the end of the tar archive is missing. Copy it again")
        if block.strip(b"\0"):
            return block
        if self._data.read(BLOCK) != bytes(BLOCK):
            self.note("one block of zeros at the end of the tar archive, instead of two")
        return None

    def _parse(self, block: bytes) -> Member:
        name, *numbers, kind, target, identity, major, minor, prefix = _HEADER.unpack(block)
        _check_sum(block, numbers.pop())
        numbers += major, minor
        if kind == _SPARSE:
            raise Unreadable(_SPARSE_REFUSED)
        name, target, prefix = (text.partition(b"\0")[0] for text in (name, target, prefix))
        if kind == b"\0" and name.endswith(b"/"):
            kind = DIRECTORY
            self.note(_BEFORE_POSIX)
        if prefix and kind not in (_LONG_NAME, _LONG_TARGET):
            if identity == _GNU_IDENTITY:  # tarfile takes the times that GNU tar writes there for a part of the name
                raise Unreadable(_TWO_READINGS)
            name = prefix + b"/" + name
        self._check_profile(kind, identity, numbers)
        *_, size, _, _, _ = map(_number, numbers)
        if size < 0:
            raise Unreadable(_DAMAGED)
        return Member(name, kind, size, target)

    def _check_profile(self, kind: bytes, identity: bytes, numbers: list[bytes]) -> None:
        """Note why uv refuses a header, if it does."""
        is_gnu = identity == _GNU_IDENTITY
        if identity not in (_PAX_IDENTITY, _GNU_IDENTITY):
            self.note(_BEFORE_POSIX)
        is_of_other = kind in (_OF_PAX if is_gnu else _OF_GNU) or kind == _SOLARIS_RECORDS
        if is_of_other or identity != (self._identity or identity):
            self.note("in a mixture of tar formats")
        if not all(map(_is_usual_for_gnu if is_gnu else _is_usual, numbers)):
            self.note("a number in a tar header is not written as usual")
        self._identity = identity

    def _member(self, header: Member, fields: dict[bytes, bytes]) -> Member:
        """Return the member of a header, with the fields that the headers before it set."""
        name, target = fields.get(b"path", header.name), fields.get(b"linkpath", header.target)
        size = header.size
        if b"size" in fields:
            if not _DECIMAL.fullmatch(fields[b"size"]):
                raise Unreadable(_DAMAGED)
            size = int(fields[b"size"])
        if b"linkpath" in fields and header.kind not in (HARD_LINK, SYMLINK):
            self.note("a member that is not a link has a target")
        if size and header.kind in _WITHOUT_CONTENT:
            self.note("a member that is not a file has a size")
            size = 0
        return Member(name, header.kind, size, target)

    def _add(self, fields: dict[bytes, bytes], header: Member) -> None:
        """Add the fields that a long name, a long target or pax records set. Raises Unreadable."""
        self._left -= header.size
        if header.size > MAX_HEADER:
            raise Unreadable(f"a tar header of {header.size:,} bytes, more than {MAX_HEADER:,}: build it again")
        if self._left < 0:
            raise Unreadable(f"tar headers with names of more than {MAX_HEADERS:,} bytes: build it again")
        content = self._data.read(header.size)
        if not self._data.skip_to(self._data.position + -header.size % BLOCK):
            raise Unreadable(_DAMAGED)
        if header.kind in (_LONG_NAME, _LONG_TARGET):
            text, end, rest = content.partition(b"\0")
            if not end or rest.strip(b"\0"):
                self.note("a long name in a tar header that does not end as usual")
            _set_field(fields, b"path" if header.kind == _LONG_NAME else b"linkpath", text)
            return
        records = list(_pax_records(content))
        if not records or content.endswith(b"\0"):
            self.note("a pax header without records, or with more than records")
        for key, value in records:
            if key.startswith(b"GNU.sparse."):
                raise Unreadable(_SPARSE_REFUSED)
            if not _KEY_OF_UV.fullmatch(key) or (key.endswith(b"time") and not _TIME_OF_UV.fullmatch(value)):
                self.note("a pax header with an unusual record")
            if key in _FIELDS:
                if header.kind == _GLOBAL_RECORDS:
                    raise Unreadable(_TWO_READINGS)
                _set_field(fields, key, value)


def _set_field(fields: dict[bytes, bytes], key: bytes, value: bytes) -> None:
    """Set a field. Raises Unreadable if another header set it differently: readers take one or the other."""
    if fields.setdefault(key, value) != value:
        raise Unreadable(_TWO_READINGS)


def _pax_records(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield keys and values. Raises Unreadable."""
    at = 0
    while at < len(content) and content[at]:
        match = _RECORD.match(content, at)
        end = at + int(match[1]) if match else 0
        if not match or not match.end() < end <= len(content) or content[end - 1 : end] != b"\n":
            raise Unreadable(_DAMAGED)
        yield match[2], content[match.end() : end - 1]
        at = end


def _check_sum(block: bytes, field: bytes) -> None:
    """Raise Unreadable if the checksum of a header is wrong."""
    total = sum(block) - sum(field) + len(field) * 0x20
    expected = _number(field)
    if expected == total:
        return
    # Some old programs took the bytes for signed numbers.
    if expected != total - 256 * sum(byte > 0x7F for byte in block[:148] + block[156:]):
        raise Unreadable(_DAMAGED)


@lru_cache(maxsize=1024)  # most fields of an archive have the same few values
def _is_usual(field: bytes) -> bool:
    """Tell whether uv accepts a number of a header of ustar and pax."""
    return bool(_OCTAL_OF_UV.fullmatch(field))


def _is_usual_for_gnu(field: bytes) -> bool:
    return _is_usual(field) or field[0] == 0x80


@lru_cache(maxsize=1024)
def _number(field: bytes) -> int:
    """Return a number of a header: octal, or in base 256 (GNU). Raises Unreadable if it is not a number."""
    if field[0] in (0x80, 0xFF):
        return int.from_bytes(field[1:], "big") - (256 ** (len(field) - 1) if field[0] == 0xFF else 0)
    octal = _OCTAL.fullmatch(field.partition(b"\0")[0])
    if not octal:
        raise Unreadable(_DAMAGED)
    return int(octal[1] or b"0", 8)
