"""Wheels that pip or uv refuse or readers see differently, and what clients, a build and a check do with each."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from support.raw_zips import Member, build_zip, members_of, unicode_path
from support.wheels import metadata, wheel

if TYPE_CHECKING:
    from collections.abc import Callable

NAME, TAG = "foo-2.0-py3-none-any.whl", b"py3-none-any"
INFO, MODULE = "foo-2.0.dist-info", "foo/__init__.py"
WHEEL, RECORD, METADATA, ENTRY_POINTS = (
    f"{INFO}/{part}" for part in ("WHEEL", "RECORD", "METADATA", "entry_points.txt")
)
MEMBERS = members_of(wheel("foo", "2.0"))
OTHER = metadata("foo", "2.0", requires_dist=["other"])


@dataclass(frozen=True)
class Odd:
    """A wheel, which of pip and uv installs it, what a build says, and the rule that a check finds broken."""

    data: bytes
    clients: Literal["both", "pip", "uv", "none"]
    says: str = ""  # a note if a client installs it and readers agree, else the reason for its rejection; "": nothing
    rule: str = ""

    @property
    def is_published(self) -> bool:
        """Whether a build publishes it."""
        return self.rule in ("", "wheel-refused", "wheel-tags")


def changed(name: str, **values: object) -> bytes:
    return build_zip(list({**MEMBERS, name: replace(MEMBERS[name], **values)}.values()))  # type: ignore[arg-type]


def without(name: str) -> bytes:
    return build_zip([member for path, member in MEMBERS.items() if path != name])


def with_member(name: str | bytes, content: bytes = b"", **values: object) -> bytes:
    path = name if isinstance(name, bytes) else name.encode()
    member = Member(name=path, content=content, **values)  # type: ignore[arg-type]
    return build_zip([*MEMBERS.values(), member])


def content(name: str, change: Callable[[bytes], bytes]) -> bytes:
    return changed(name, content=change(MEMBERS[name].content))


def entry_points(text: str) -> bytes:
    return with_member(ENTRY_POINTS, text.encode())


def _refused(by: str, what: str) -> str:
    return f"{what}: {by}. Build it again"


def neither(data: bytes, what: str, rule: str = "wheel-broken") -> Odd:
    return Odd(data, "none", f"{what}: pip and uv refuse it. Build it again", rule)


def only(client: Literal["pip", "uv"], data: bytes, what: str) -> Odd:
    other = "uv" if client == "pip" else "pip"
    return Odd(data, client, f"{what}: {other} refuses it. Build it again", "wheel-refused")


def unclear(clients: Literal["both", "pip", "uv", "none"], data: bytes, what: str) -> Odd:
    return Odd(data, clients, f"{what}: build it again", "wheel-ambiguous")


SCHEMES = "is in no directory of data, headers, platlib, purelib, scripts"
BETWEEN = "the zip has extra bytes before or between its members"

# What both install.
FINE = {
    "a comment": build_zip(list(MEMBERS.values()), comment=b"hello"),
    "zeros after the end": build_zip(list(MEMBERS.values()), after=b"\0"),
    "the same member twice": with_member(MODULE, MEMBERS[MODULE].content),
    "its .dist-info as a directory twice": build_zip([*MEMBERS.values(), *[Member(name=f"{INFO}/".encode())] * 2]),
    "Wheel-Version 1.9": content(WHEEL, lambda raw: raw.replace(b"1.0", b"1.9")),
    "an empty RECORD": content(RECORD, lambda _: b""),
    "Metadata-Version 3.0": content(METADATA, lambda raw: raw.replace(b": 2.1", b": 3.0")),
    "two spellings of the name": content(METADATA, lambda raw: raw.replace(b"\nName: foo", b"\nName: foo\nName: Foo")),
    "scripts": entry_points("[console_scripts]\nfoo = foo:main\n"),
    ".data of another name": with_member("bar-1.0.data/purelib/bar.py"),
}

ODD = {
    # WHEEL
    "no WHEEL": neither(without(WHEEL), "no WHEEL in its .dist-info"),
    "no Wheel-Version": neither(changed(WHEEL, content=b"Tag: py3-none-any\n"), "WHEEL has no Wheel-Version"),
    "Wheel-Version 2.0": neither(
        content(WHEEL, lambda raw: raw.replace(b"1.0", b"2.0")),
        "WHEEL says Wheel-Version: 2.0, not Wheel-Version: 1.0",
    ),
    "Wheel-Version 1": only(
        "pip",
        content(WHEEL, lambda raw: raw.replace(b"1.0", b"1")),
        "WHEEL says Wheel-Version: 1, not Wheel-Version: 1.0",
    ),
    "WHEEL of Latin-1": neither(content(WHEEL, lambda raw: raw + b"X: \xff\n"), "WHEEL is not UTF-8"),
    "other tags in WHEEL": Odd(
        content(WHEEL, lambda raw: raw.replace(TAG, b"cp39-cp39-win32")),
        "both",
        "WHEEL has no tag py3-none-any: uv may install it again each time. Build it again",
        "wheel-tags",
    ),
    # RECORD
    "no RECORD": neither(without(RECORD), "no RECORD in its .dist-info"),
    "RECORD of Latin-1": neither(content(RECORD, lambda raw: raw + b"\xff,,\n"), "RECORD is not UTF-8"),
    "a row of two fields": only(
        "pip", content(RECORD, lambda raw: raw + b"foo/x,\n"), "RECORD has a row of 2 fields instead of 3"
    ),
    "a size in words": only(
        "pip",
        content(RECORD, lambda raw: raw + b"foo/x,,large\n"),
        "RECORD has a size that is not a number (large)",
    ),
    "an empty row": only("uv", content(RECORD, lambda raw: raw + b"\n"), "RECORD has an empty line"),
    # .data
    "an unknown scheme": neither(with_member("foo-2.0.data/lib/x"), f"'foo-2.0.data/lib/x' {SCHEMES}"),
    "an unknown scheme of another name": only(
        "uv", with_member("bar-2.0.data/lib/x"), f"'bar-2.0.data/lib/x' {SCHEMES}"
    ),
    "a script in a subdirectory": only(
        "pip", with_member("foo-2.0.data/scripts/a/b"), "'foo-2.0.data/scripts/a/b' is a script in a subdirectory"
    ),
    # entry_points.txt
    "a line without =": neither(
        entry_points("[console_scripts]\nfoo\n"), "entry_points.txt has a line without = ('foo')"
    ),
    "a script without an object": neither(
        entry_points("[console_scripts]\nfoo = foo\n"),
        "entry_points.txt has 'foo' for the script 'foo', not module:object",
    ),
    "a script with a comment": only(
        "pip",
        entry_points("[console_scripts]\nfoo = foo:main # it\n"),
        "entry_points.txt has 'foo:main # it' for the script 'foo', not module:object",
    ),
    "a script twice": only(
        "pip", entry_points("[console_scripts]\nfoo = foo:main\nfoo = foo:main\n"), "entry_points.txt has 'foo' twice"
    ),
    # The zip
    "a wrong checksum of RECORD": Odd(
        changed(RECORD, crc=1), "none", "RECORD has a wrong checksum: copy or build it again", "wheel-broken"
    ),
    "an encrypted member": Odd(
        changed(MODULE, flags=1), "none", f"{MODULE} is encrypted: build it again", "wheel-broken"
    ),
    "an unknown method": Odd(
        changed(MODULE, method=99),
        "none",
        f"{MODULE} is compressed by another method than deflate: build it again",
        "wheel-broken",
    ),
    "a newer version of zip": Odd(
        changed(MODULE, version=64),
        "none",
        f"{MODULE} needs version 6.4 of zip, and clients read 6.3: build it again",
        "wheel-broken",
    ),
    "a newline after the end": Odd(
        build_zip(list(MEMBERS.values()), after=b"\n"),
        "pip",
        "the zip has extra bytes after its end: copy or build it again",
        "wheel-ambiguous",
    ),
    "bytes between members": unclear("pip", changed(MODULE, after=b"xxxx"), BETWEEN),
    "a hidden METADATA": unclear("pip", with_member(METADATA, OTHER, is_listed=False), BETWEEN),
    "another METADATA": unclear("none", with_member(METADATA, OTHER), f"more than one {METADATA}"),
    "another module of the same name": unclear("pip", with_member(MODULE, b"1"), f"more than one {MODULE}"),
    "METADATA with NUL": unclear(
        "none", with_member(f"{METADATA}\0x", OTHER), rf"{METADATA}\x00x has control characters"
    ),
    "RECORD with NUL": unclear("pip", with_member(f"{RECORD}\0x"), rf"{RECORD}\x00x has control characters"),
    "METADATA as a directory": unclear(
        "none", with_member(f"{METADATA}/"), f"{METADATA}/ is not what clients look for"
    ),
    "./METADATA": unclear(
        "none",
        with_member(f"{INFO}/./METADATA", OTHER),
        f"{INFO}/./METADATA and another member are the same path",
    ),
    "METADATA/.": unclear(
        "none", with_member(f"{METADATA}/.", OTHER), f"{METADATA}/. and another member are the same path"
    ),
    "metadata in small letters": unclear(
        "both", with_member(f"{INFO}/metadata", OTHER), f"{INFO}/metadata is not what clients look for"
    ),
    r"\METADATA": unclear(
        "both",
        with_member(f"{INFO}\\METADATA", OTHER),
        rf"{INFO}\METADATA is in a .dist-info directory on Windows only",
    ),
    "METADATA by an extra field": unclear(
        "pip",
        with_member("foo/x", OTHER, extra=unicode_path(b"foo/x", METADATA.encode())),
        f"foo/x has another name, {METADATA}, in an extra field",
    ),
    "a path that leads out": unclear("uv", with_member("../x"), "../x leads out of the archive"),
    "an absolute path": unclear("uv", with_member("/x"), "/x leads out of the archive"),
    "a drive": unclear("both", with_member("C:/x"), "C:/x leads out of the archive"),
    "a name of unknown encoding": unclear("pip", with_member("foo/é"), "foo/é is not marked as UTF-8"),
    # What only a check finds, which reads every member and its header.
    "a wrong checksum": Odd(changed(MODULE, crc=1), "none", rule="wheel-broken"),
    "another size in the header": Odd(changed(MODULE, local_size=1), "pip", rule="wheel-ambiguous"),
    "another checksum in the header": Odd(changed(MODULE, local_crc=1), "pip", rule="wheel-ambiguous"),
    "another method in the header": Odd(changed(MODULE, local_method=8), "pip", rule="wheel-ambiguous"),
    "another name in the header": Odd(changed(MODULE, local_name=b"foo/__main__.py"), "none", rule="wheel-broken"),
}
