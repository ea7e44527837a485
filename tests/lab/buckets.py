"""Writers to a bucket of Ceph that are killed at a request, and a reader that looks after each one."""

from __future__ import annotations

import shutil
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lab.part import Part, Result
from mkindex.build.pipeline import build
from mkindex.config import Config
from mkindex.stores.open import open_bucket
from support.builds import cold_build, scratch_directory
from support.ceph_server import PROGRAMS, run_ceph
from support.crash_scenes import build_quickly, change, revert, start
from support.faulty_disk import ProcessKilled
from support.s3_server import NAME
from support.watched_store import broken_links, read_objects, watch

if TYPE_CHECKING:
    import random

    from lab.part import Attempts
    from mkindex.stores.objects import ObjectStore

ADDRESS = f"s3://{NAME}/python"


def attempts(chance: random.Random) -> Attempts:
    """Change an index, and kill the writer at a random request. The next one finishes what it began."""
    with pytest.MonkeyPatch.context() as patch, scratch_directory() as path:
        own, source = Path(path, "server"), Path(path, "wheels")
        own.mkdir()
        source.mkdir()
        with run_ceph(own) as running:
            for name, value in running.environment.items():
                patch.setenv(name, value)
            build_quickly(patch)
            store = open_bucket(ADDRESS, (), timeout=30.0)
            watched = watch(patch, store)
            start(source)
            before = cold_build(source)
            change(source)
            after = cold_build(source)
            edits = ((revert, before), (change, after))
            publish(source)
            while True:
                edit, wanted = edits[0]
                edits = edits[::-1]
                edit(source)
                seen = list[str]()
                watched.look = partial(look, store, seen)
                watched.requests, watched.killed_at = 0, chance.randrange(1, 60)
                with suppress(ProcessKilled):
                    publish(source)
                watched.look, watched.killed_at = None, 0
                publish(source)
                if read_objects(store) != wanted:
                    seen.append("the tree is not that of the source")
                yield Result(1, tuple(seen))


def look(store: ObjectStore, seen: list[str]) -> None:
    seen += broken_links(store)


def publish(source: Path) -> None:
    build(Config(sources=(str(source),), destination=ADDRESS, grace=0, jobs=1, prune=True))


PART = Part(name="buckets", what="writers to Ceph, killed at a request", attempts=attempts, short=1)
IS_POSSIBLE = all(map(shutil.which, PROGRAMS))
