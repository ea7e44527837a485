"""The members of a zip by its directory, and whether all readers see the same ones; nothing is extracted.

The directory is read here and not by `zipfile`, for three reasons: `zipfile` makes an object for every member before it
says how many there are; it accepts archives that other readers see differently (two zips in one file, bytes before or
after the archive); and it does not say where the bytes of a member are, from which the `.metadata` sibling is written
later.

Numbers in comments are sections of PKWARE's APPNOTE. What clients do was seen with pip 26.3 and uv 0.13:
`tests/functional/test_unusual_wheels.py`.
"""

import posixpath
import unicodedata
import zlib
from collections.abc import Callable, Sequence
from struct import Struct

from mkindex.errors import Unreadable
from mkindex.text import printable

MAX_MEMBERS = 100_000  # the largest wheels on the public index have some 20,000
MAX_DIRECTORY = 32 << 20  # bytes of a zip's central directory
# The public index rejects uploads by the same rule.
BOMB_SIZE, BOMB_RATIO = 64 << 20, 50

# Reads from an archive, given offset and length; returns fewer bytes at the end of the archive.
ReadAt = Callable[[int, int], bytes]


_END = Struct("<4s4HLLH")  # 4.3.16 end of central directory
_END64_LOCATOR = Struct("<4sLQL")  # 4.3.15
_END64 = Struct("<4sQ2H2L4Q")  # 4.3.14
_ENTRY = Struct("<4s2x6s4xLLLHHH8xL")  # 4.3.12 one file in the central directory
LOCAL_HEADER = Struct("<4s6s4xLLLHH")  # 4.3.7 local file header
KIND = Struct("<BxHH")  # in both: version needed to extract, flags, method
NEVER_READ = 0x61  # flags: encrypted, or a patch (4.4.4)
DESCRIPTOR, UTF8 = 0x8, 0x800
DESCRIPTOR_SIZES = (0, 12, 16, 20, 24)  # 4.3.9
MAX_VERSION = 63  # 6.3: pip and uv refuse a newer one
_NOT_ONE_ZIP = "the zip has extra bytes before or between its members: build it again"
STORED, DEFLATED = 0, 8
SEE_ZIP64 = 0xFFFFFFFF
ZIP64_FIELD, _UNICODE_PATH_FIELD = 0x1, 0x7075  # 4.5.3, 4.6.9


# Kind, checksum, compressed size, size and offset: a plain tuple, since a wheel may have thousands.
Member = tuple[bytes, int, int, int, int]
Members = dict[bytes, Member]


def shown(name: bytes) -> str:
    """Return the name of a member for a message."""
    return printable(name.decode("utf-8", "replace"))


def read_members(read_at: ReadAt, size: int, *, reads_headers: bool = True) -> Members:
    """Return the members by name. Raises Unreadable if readers could see different ones, or none can read them.

    `reads_headers`: a local header is read if only that can show that nothing is hidden after the member.
    """
    start, length, count = _directory(read_at, size)
    if count > MAX_MEMBERS or length > MAX_DIRECTORY:
        raise Unreadable(
            f"its zip directory has {count:,} members in {length:,} bytes, over the limits of mkindex: build it again"
        )
    data = read_at(start, length)
    members: Members = {}
    repeated: list[tuple[bytes, Member]] = []
    kinds: set[bytes] = set()
    at = seen = total = end = 0
    is_dense = True  # each member begins where the one before ends
    while at + _ENTRY.size <= length and seen < count:
        magic, kind, crc, packed, unpacked, n, x, c, offset = _ENTRY.unpack_from(data, at)
        if magic != b"PK\1\2":
            break
        name_end = at + _ENTRY.size + n
        name = data[at + _ENTRY.size : name_end]
        if x or SEE_ZIP64 in (packed, unpacked, offset):
            extra = data[name_end : name_end + x]
            unpacked, packed, offset = _zip64_values(name, extra, unpacked, packed, offset)
        member = (kind, crc, packed, unpacked, offset)
        if members.setdefault(name, member) is not member:
            repeated.append((name, member))
        kinds.add(kind)
        at = name_end + x + c
        seen += 1
        total += unpacked
        is_dense = is_dense and offset == end
        end = offset + LOCAL_HEADER.size + n + packed
    if at != length or seen != count:
        raise Unreadable("its zip directory is damaged: copy or build it again")
    if total > BOMB_SIZE and total > BOMB_RATIO * size:
        raise Unreadable(
            f"a zip bomb: {size:,} bytes that unpack to {total:,}. Remove it, or store large members as they are"
        )
    _check_kinds(kinds, members, repeated)
    _check_names(members)
    _check_repeated(repeated, members)
    if not (is_dense and end == start):
        _check_layout([*members.items(), *repeated], start, read_at if reads_headers else None)
    return members


def _check_kinds(kinds: set[bytes], members: Members, repeated: Sequence[tuple[bytes, Member]]) -> None:
    """Raise Unreadable if clients cannot read members of one of these kinds."""
    for kind in kinds:
        version, flags, method = KIND.unpack(kind)
        wrong = ""
        if flags & NEVER_READ:
            wrong = "is encrypted"
        elif method not in (STORED, DEFLATED):
            wrong = "is compressed by another method than deflate"
        elif version > MAX_VERSION:
            wrong = f"needs version {version // 10}.{version % 10} of zip, and clients read 6.3"
        if wrong:
            name = next(name for name, member in (*members.items(), *repeated) if member[0] == kind)
            raise Unreadable(f"{shown(name)} {wrong}: build it again")


# The characters of nearly all names.
_PLAIN = bytes(c for c in range(0x20, 0x7F) if c not in b":\\")
_CONTROL = frozenset({"Cc", "Cf", "Cn", "Co", "Cs"})


def _check_names(members: Members) -> None:
    """Raise Unreadable if readers could take the names of members for different paths."""
    joined = b"\0/%s\0" % b"\0/".join(members)
    is_plain = joined.translate(None, _PLAIN) == bytes(len(members) + 1)
    if is_plain and not (b"//" in joined or b"/." in joined or b"\0/\0" in joined):
        return
    paths: set[str] = set()
    for name, (kind, *_) in members.items():
        if wrong := why_unclear(name, is_utf8=bool(KIND.unpack(kind)[1] & UTF8)):
            raise Unreadable(f"{shown(name)} {wrong}: build it again")
        path = posixpath.normpath(name.decode().replace("\\", "/"))
        if ".dist-info/" in path.lower():  # some file systems ignore the case
            path = path.lower()
        if path in paths:
            raise Unreadable(f"{shown(name)} and another member are the same path: build it again")
        paths.add(path)


def why_unclear(name: bytes, *, is_utf8: bool) -> str:
    """Return why clients refuse the name of a member, or read it differently; "" if they do not."""
    if not name.isascii() and not is_utf8:
        return "is not marked as UTF-8"
    try:
        text = name.decode()
    except UnicodeDecodeError:
        return "is not UTF-8"
    if any(unicodedata.category(c) in _CONTROL for c in text):
        return "has control characters"
    path = text.replace("\\", "/")
    if not path or path.startswith("/") or path[1:2] == ":" or ".." in path.split("/"):
        return "leads out of the archive"
    if ".dist-info\\" in text.lower():
        return "is in a .dist-info directory on Windows only"
    return ""


def _check_repeated(repeated: Sequence[tuple[bytes, Member]], members: Members) -> None:
    """Raise Unreadable if members of the same name may differ. pip and uv accept equal ones."""
    for name, (_, crc, _, size, _) in repeated:
        _, first_crc, _, first_size, _ = members[name]
        if (crc, size) != (first_crc, first_size) or (b".dist-info/" in name and not name.endswith(b"/")):
            raise Unreadable(f"more than one {shown(name)}: build it again")


def _check_layout(members: Sequence[tuple[bytes, Member]], directory: int, read_at: ReadAt | None) -> None:
    """Raise Unreadable if members overlap, or if something is hidden between them.

    A header, a name, an extra field, data and a descriptor belong to a member. Without `read_at`, the length of the
    extra field is unknown, and only overlaps are found.
    """
    ordered = sorted((offset, packed, kind, len(name)) for name, (kind, _, packed, _, offset) in members)
    if not ordered or ordered[0][0]:
        raise Unreadable(_NOT_ONE_ZIP)
    following = [offset for offset, *_ in ordered[1:]] + [directory]
    for (offset, packed, kind, length), end in zip(ordered, following, strict=True):
        rest = end - (offset + LOCAL_HEADER.size + length + packed)
        if rest < 0:
            raise Unreadable("its members overlap (a zip bomb?): remove it, or build it again")
        sizes = DESCRIPTOR_SIZES if KIND.unpack(kind)[1] & DESCRIPTOR else (0,)
        if rest in sizes or not read_at:
            continue
        header = read_at(offset, LOCAL_HEADER.size)
        if len(header) == LOCAL_HEADER.size and rest - LOCAL_HEADER.unpack(header)[-1] not in sizes:
            raise Unreadable(_NOT_ONE_ZIP)


def _directory(read_at: ReadAt, size: int) -> tuple[int, int, int]:
    """Return offset, length and entry count of the central directory."""
    tail_start = max(0, size - _END.size - 0xFFFF)
    tail = read_at(tail_start, size - tail_start)
    at = tail.rfind(b"PK\5\6")
    if at < 0 or at + _END.size > len(tail):
        raise Unreadable("not a zip file (damaged or incomplete download). Copy or build it again")
    _, disk, first_disk, _, count, length, start, comment = _END.unpack_from(tail, at)
    rest = tail[at + _END.size :]
    # pip and uv install a wheel with zeros after its end.
    if len(rest) < comment or rest[comment:].strip(b"\0") or disk or first_disk:
        raise Unreadable("the zip has extra bytes after its end: copy or build it again")
    if b"PK\1\2" in rest:  # PK\5\6 would be the one that was found
        raise Unreadable("the comment at the end of the zip looks like another zip: build it again")
    end = tail_start + at
    locator = read_at(end - _END64_LOCATOR.size, _END64_LOCATOR.size) if end >= _END64_LOCATOR.size else b""
    # Not only if a value needs it: from 2 GiB on Python writes the zip64 records, and the values in both places.
    if locator.startswith(b"PK\6\7"):
        _, _, end64, _ = _END64_LOCATOR.unpack(locator)
        record = read_at(end64, _END64.size) if end64 < end else b""
        if len(record) != _END64.size or not record.startswith(b"PK\6\6"):
            raise Unreadable("its zip64 directory is damaged: copy or build it again")
        _, rest, _, _, _, _, _, count, length, start = _END64.unpack(record)
        # 4.3.14.1: the record's own size leaves out its first 12 bytes.
        if end64 + 12 + rest != end - _END64_LOCATOR.size:
            raise Unreadable("its zip64 directory is damaged: copy or build it again")
        end = end64
    if start + length != end:
        raise Unreadable(_NOT_ONE_ZIP)
    return start, length, count


def extra_fields(name: bytes, extra: bytes) -> dict[int, bytes]:
    """Return the extra fields of a header by their tags. Raises Unreadable if clients refuse them (4.5)."""
    fields: dict[int, bytes] = {}
    at = 0
    while at + 4 <= len(extra):
        tag, length = int.from_bytes(extra[at : at + 2], "little"), int.from_bytes(extra[at + 2 : at + 4], "little")
        field = extra[at + 4 : at + 4 + length]
        is_special = tag in (ZIP64_FIELD, _UNICODE_PATH_FIELD)
        if len(field) != length or (is_special and tag in fields):
            raise Unreadable(f"the extra fields of {shown(name)} are damaged: build it again")
        fields[tag] = field
        at += 4 + length
    # Newer readers use this name instead. It is for the name with this checksum only.
    field = fields.get(_UNICODE_PATH_FIELD, b"")
    if field[1:5] == zlib.crc32(name).to_bytes(4, "little") and field[5:] != name:
        raise Unreadable(f"{shown(name)} has another name, {shown(field[5:])}, in an extra field: build it again")
    return fields


def _zip64_values(name: bytes, extra: bytes, *values: int) -> list[int]:
    """Replace values that do not fit into 32 bits by those in the zip64 extra field (4.5.3), in their fixed order."""
    field = extra_fields(name, extra).get(ZIP64_FIELD, b"")
    wide = [int.from_bytes(field[at : at + 8], "little") for at in range(0, len(field), 8)]
    # Without this, pip would take a field that is too long, and uv would not.
    if len(field) != 8 * values.count(SEE_ZIP64):
        raise Unreadable(f"the zip64 field of {shown(name)} does not fit its values: build it again")
    return [wide.pop(0) if value == SEE_ZIP64 else value for value in values]


def is_same_kind(local: bytes, central: bytes) -> bool:
    """Tell whether a member is read in the same way by its local header as by the directory."""
    version, flags, method = KIND.unpack(local)
    return version <= MAX_VERSION and not flags & NEVER_READ and method == KIND.unpack(central)[2]
