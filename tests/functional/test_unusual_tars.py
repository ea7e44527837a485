"""Sdists whose tar archive is unusual: pip and uv take or refuse each of them as mkindex says."""

from __future__ import annotations

import gzip
import io
import tarfile
from typing import TYPE_CHECKING

import pytest

from mkindex.distributions.tarballs import read_tar_sdist
from mkindex.errors import Unreadable
from support.clients import ClientFailed, ClientHome
from support.tars import OLD, long_name, pax_header, pax_record, tar_header
from support.wheels import sdist

if TYPE_CHECKING:
    from pathlib import Path

END = bytes(1024)


def foo(format: int = tarfile.USTAR_FORMAT) -> bytes:  # noqa: A002
    """The members of an sdist, without the end of the archive."""
    buffer = io.BytesIO()
    with (
        tarfile.open(fileobj=io.BytesIO(sdist("foo", "1.0"))) as source,
        tarfile.open(fileobj=buffer, mode="w", format=format) as copy,
    ):
        for member in source:
            copy.addfile(member, source.extractfile(member))
        end = copy.offset
    return buffer.getvalue()[:end]


USTAR, GNU_FOO = foo(), foo(tarfile.GNU_FORMAT)
# An archive, and whether pip and uv take it.
ARCHIVES = {
    "long-name-of-gnu": (GNU_FOO + long_name(b"foo-1.0/a") + tar_header() + END, True, True),
    "before-posix": (USTAR + tar_header(b"\0", name="foo-1.0/a", identity=OLD) + END, True, False),
    "record": (pax_header(pax_record(b"A.b", b"x")) + USTAR + END, True, False),
    "one-zero-block": (GNU_FOO + bytes(512), True, False),
    "link-out-of-the-project": (GNU_FOO + tar_header(b"2", name="foo-1.0/l", target="..") + END, False, True),
    "hard-link-to-nothing": (GNU_FOO + tar_header(b"1", name="foo-1.0/l", target="foo-1.0/x") + END, False, False),
    "pipe": (GNU_FOO + tar_header(b"6", name="foo-1.0/l") + END, False, False),
}


@pytest.mark.parametrize("archive", ARCHIVES)
@pytest.mark.parametrize("client", ["pip", "uv"])
def test_a_client_takes_an_archive_as_mkindex_says(home: ClientHome, tmp_path: Path, client: str, archive: str) -> None:
    data, *taken = ARCHIVES[archive]
    path = tmp_path / "foo-1.0.tar.gz"
    path.write_bytes(gzip.compress(data))
    is_taken = taken[client == "uv"]
    assert (installs(home, client, path), says(path, client)) == (is_taken, is_taken)


def says(path: Path, client: str) -> bool:
    """Whether a client takes an sdist according to mkindex."""
    try:
        return f"{client} refuses it" not in read_tar_sdist(io.BytesIO(path.read_bytes()), path.stat().st_size).refusal
    except Unreadable:
        return False


def installs(home: ClientHome, client: str, path: Path) -> bool:
    """Whether a client installs an sdist."""
    options = ("install", "--no-index", "--no-deps", "--target", home.path / "target", path)
    try:
        home.pip("pip", *options) if client == "pip" else home.uv("pip", *options, "--no-config")
    except ClientFailed:
        return False
    return True
