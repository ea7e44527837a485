"""Fixtures of the tests with emulators, clusters and many servers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from support.ceph_server import run_ceph
from support.example_index import base, hashes, home, index_server, server, site, site_server, tree, wheels

if TYPE_CHECKING:
    from collections.abc import Iterator

    from support.s3_server import Bucket

__all__ = ["base", "hashes", "home", "index_server", "server", "site", "site_server", "tree", "wheels"]


@pytest.fixture(scope="session")
def ceph(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bucket]:
    """A bucket of Ceph, which takes 15 s to start."""
    with run_ceph(tmp_path_factory.mktemp("ceph")) as running:
        yield running
