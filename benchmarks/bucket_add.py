"""Measure `add` of one wheel to an index of many files in a bucket: `python -m benchmarks.bucket_add 1000000`.

The bucket is in memory (obstore's MemoryStore), and begins with a manifest that is made for this, of projects with a
hundred wheels each: what is measured is mkindex, and the bytes that a store would get and send. The wheels that the
manifest lists are not there: `add` does not look at them.
"""

import argparse
import io
import json
import resource
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from benchmarks.corpus import tiny_wheel
from obstore.store import MemoryStore

import mkindex.stores.open
from mkindex.build.growing import Growth
from mkindex.build.pipeline import build
from mkindex.config import Config
from mkindex.hosts.buckets import BucketAddress
from mkindex.stores.objects import Condition, Content, Headers
from mkindex.stores.obstore_objects import ObstoreObjects
from mkindex.tree import manifest
from mkindex.tree.manifest import Entry, Position, Stage
from mkindex.tree.names import MANIFEST, file_path

_FILES = 100  # of each project


class _Store(ObstoreObjects):
    """A store in memory that counts requests and bytes."""

    def __init__(self) -> None:
        super().__init__(MemoryStore(), BucketAddress("s3", "a-bucket", ""), None)
        self.seen: Counter[str] = Counter()

    def get(self, key: str, *, most: int) -> Content | None:
        found = super().get(key, most=most)
        self.seen.update({"requests": 1, "bytes read": len(found.data) if found else 0})
        return found

    def put(self, key: str, data: bytes, headers: Headers, *, condition: Condition | None = None) -> str:
        self.seen.update({"requests": 1, "bytes written": len(data)})
        return super().put(key, data, headers, condition=condition)


def _name(number: int) -> str:
    return f"p{number:06}"


def _digest(project: int, number: int) -> str:
    return f"{project * _FILES + number:064x}"[::-1]


def _entries(projects: int) -> Iterator[tuple[Position, Entry]]:
    for project in range(1, projects):
        name = _name(project)
        files = sorted(
            (file_path(_digest(project, number), f"{name}-1.{number}-py3-none-any.whl"), _digest(project, number))
            for number in range(_FILES)
        )
        entries = [Entry(name, Stage.FILE, path, sha256, sha256, "", None) for path, sha256 in files]
        entries += [Entry(name, Stage.METADATA, f"{path}.metadata", sha256, sha256, "", None) for path, sha256 in files]
        for page in "index.html", "index.v1_json":
            entries.append(Entry(name, Stage.PROJECT, f"simple/{name}/{page}", "0" * 32, "0" * 64, "", None))
        yield from ((entry.position, entry) for entry in entries)


def _lines(project: int) -> tuple[bytes, ...]:
    name = _name(project)
    files = []
    for number in range(_FILES):
        sha256, version = _digest(project, number), f"1.{number}"
        files.append(
            [f"{name}-{version}-py3-none-any.whl", version, sha256, 10_000, "2023-11-14T22:13:20Z", "", sha256]
        )
    return (b"files\t" + json.dumps(files, separators=(",", ":")).encode() + b"\n",)


def _add(name: str, version: str) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        Path(scratch, f"{name}-{version}-py3-none-any.whl").write_bytes(tiny_wheel(name, version, "py3-none-any"))
        build(Config(sources=(scratch,), destination="s3://a-bucket", cache_dir=None), growth=Growth())


def main() -> None:
    """Measure, and print one line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", type=int)
    projects = parser.parse_args().files // _FILES
    store = _Store()
    mkindex.stores.open.open_bucket = lambda *_, **__: store
    _add(_name(0), "1.0")  # which records the options of the index
    found = store.get(MANIFEST, most=1 << 20)
    assert found
    extents = [extent for extent, _ in manifest.sections(io.BytesIO(found.data))]
    numbers = {_name(number): number for number in range(1, projects)}
    data = b"".join(
        manifest.encode(_entries(projects), io.BytesIO(found.data), extents, lambda name: _lines(numbers[name]))
    )
    store.put(MANIFEST, data, Headers("text/plain", ""))
    _add(_name(7), "2.0")  # which writes all pages, since their keys were made, and divides the manifest
    size, before = len(data), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    del data
    store.seen.clear()
    started = time.monotonic()
    _add(_name(7), "3.0")
    seconds = time.monotonic() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    counted = ", ".join(f"{number:,} {what}" for what, number in sorted(store.seen.items()))
    print(
        f"{projects * _FILES:,} files, manifest of {size:,} bytes: {seconds:.1f} s, {counted}, "
        f"{peak / 1024:.0f} MiB (before: {before / 1024:.0f})"
    )


if __name__ == "__main__":
    main()
