"""Targets of fuzzing: mkindex's own records, which may be damaged or forged: manifest, intent and cache."""

from __future__ import annotations

import io
import posixpath
import sqlite3
import zlib
from contextlib import closing
from functools import cache

from lab.scratch import scratch
from mkindex.cache import Cache
from mkindex.model.files import Artifact, Fingerprint
from mkindex.tree import intent, manifest
from mkindex.tree.manifest import DamagedManifest, Entry, Stage

SHA256 = "0123456789abcdef" * 4
FILE = f"files/{SHA256[:2]}/{SHA256[2:]}/demo-1.0-py3-none-any.whl"
ENTRIES = [
    Entry("", Stage.ROOT, "index.html", "key", SHA256, "1 2 3 4"),
    Entry("", Stage.ROOT, "simple/index.v1_json", SHA256, SHA256, "1 2 3 4"),
    Entry("demo", Stage.FILE, FILE, SHA256, SHA256, "1 2 3 4", 1_700_000_000),
    Entry("demo", Stage.METADATA, f"{FILE}.metadata", SHA256, SHA256, ""),
    Entry("demo", Stage.PROJECT, "simple/demo/index.html", "key", SHA256, ""),
]


def why_hostile(entry: Entry) -> str:
    """Return why a path may not be written or deleted, by rules of its own; "" if it may."""
    parts = entry.path.split("/")
    is_file = entry.stage in (Stage.FILE, Stage.METADATA)
    if posixpath.normpath(entry.path) != entry.path or entry.path.startswith("/") or ".." in parts:
        return f"{entry.path} leads elsewhere"
    if any(part.startswith(".") for part in parts) and entry.path not in (".nojekyll", ".htaccess"):
        return f"{entry.path} is hidden"
    if (parts[0] == "files") != is_file or (is_file and len(parts) != 4):
        return f"{entry.path} is of another stage"
    return "" if entry.path.isascii() and entry.path.isprintable() else f"{entry.path!r} has other characters"


def manifests() -> list[bytes]:
    """Manifests without their checksum."""
    whole = b"".join(manifest.encode((entry.position, entry) for entry in ENTRIES))
    return [
        whole[: whole.rindex(b"end ")],
        b"mkindex manifest 2\n",
        b"mkindex manifest 2\n[a]\n2\tb\t\t\t\t\nnew\tline\n",
    ]


def check_manifest(data: bytes) -> str:
    """Read a manifest with a right checksum: its paths are ours, and it is written again as it was."""
    stream = io.BytesIO(data + b"end %08x\n" % zlib.crc32(data))
    try:
        found = [entry for extent, lines in manifest.sections(stream) for entry in manifest.decode(extent.name, lines)]
    except DamagedManifest:
        return ""
    if wrong := [why for entry in found if (why := why_hostile(entry))]:
        return wrong[0]
    again = b"".join(manifest.encode((entry.position, entry) for entry in found))
    known = [line for line in data.splitlines() if line[:1] in b"0123["]
    return "" if len(again.splitlines()) - 2 <= len(known) else f"written as {again!r:.200}"


def intents() -> list[bytes]:
    return [b"".join(intent.encode(ENTRIES)), b"mkindex intent 2\ndemo\t2\tsimple/demo/index.html\n"]


def check_intent(data: bytes) -> str:
    path = scratch() / "intent"
    path.write_bytes(data)
    try:
        with path.open("rb") as stream:
            found = intent.decode(stream)
    except DamagedManifest:
        return ""
    return next((why for entry in found if (why := why_hostile(entry))), "")


FINGERPRINT = Fingerprint(1, 2, 3, 4)
ARTIFACTS = [Artifact("/root", f"{name}.whl", FINGERPRINT) for name in "abc"]
FACTS = {artifact.path: f"facts\tof {artifact.relative}" for artifact in ARTIFACTS}


@cache
def _database() -> bytes:
    directory = scratch() / "sound"
    with Cache(directory) as database:
        for path, facts in FACTS.items():
            database.put(path, FINGERPRINT, facts, read_ns=10**18)
    with closing(sqlite3.connect(directory / "facts.sqlite3")) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")
    return (directory / "facts.sqlite3").read_bytes()


def databases() -> list[bytes]:
    return [_database()]


def check_cache(data: bytes) -> str:
    """Facts from a damaged database are those that were written, or none; and it can be used afterwards."""
    directory = scratch() / "damaged"
    directory.mkdir(exist_ok=True)
    for name in ("facts.sqlite3", "facts.sqlite3-wal", "facts.sqlite3-shm"):
        (directory / name).unlink(missing_ok=True)
    (directory / "facts.sqlite3").write_bytes(data)
    with Cache(directory) as database:
        found = [*database.get(ARTIFACTS)]
        database.put("new", FINGERPRINT, "facts", read_ns=10**18)
    expected = [FACTS[artifact.path] for artifact in ARTIFACTS]
    wrong = [one for one, right in zip(found, expected, strict=True) if one not in (None, right)]
    return f"facts that nobody wrote: {wrong}" if wrong else ""
