"""Sdists that are laid out in an unusual way: mkindex publishes those that pip or uv can install, in both formats."""

from __future__ import annotations

import io
import tarfile
import zipfile
from typing import TYPE_CHECKING

import pytest

from support.builds import publish
from support.clients import INSTALLERS, ClientFailed, ClientHome
from support.http_servers import serve_directory
from support.wheels import sdist

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

Members = dict[str, bytes]

# What is made of the members of an sdist, and whether pip and uv install the result.
LAYOUTS: dict[str, tuple[Callable[[Members], Members], bool, bool]] = {
    "usual": (lambda members: members, True, True),
    "no-pkg-info": (lambda members: {name: members[name] for name in members if "PKG-INFO" not in name}, True, True),
    "only-pkg-info": (lambda members: {name: members[name] for name in members if "PKG-INFO" in name}, False, False),
    "no-directory": (lambda members: {name.partition("/")[2]: members[name] for name in members}, True, True),
    "two-directories": (lambda members: members | {"docs/README": b""}, False, False),
    "apple-double": (lambda members: {"._sdist": b""} | members, False, False),
    "other-version": (
        lambda members: {
            name: content.replace(b"Version: 1.0\n", b"Version: 2.0\n") for name, content in members.items()
        },
        False,
        False,
    ),
    "dot": (lambda members: {f"./{name}": members[name] for name in members}, False, True),
}
SUFFIXES = (".tar.gz", ".zip")


def members_of(name: str) -> Members:
    with tarfile.open(fileobj=io.BytesIO(sdist(name, "1.0"))) as archive:
        members = ((member.name, archive.extractfile(member)) for member in archive if member.isfile())
        return {path: content.read() for path, content in members if content}


def packed(members: Members, suffix: str) -> bytes:
    buffer = io.BytesIO()
    if suffix == ".zip":
        with zipfile.ZipFile(buffer, "w") as archive:
            for name, content in members.items():
                archive.writestr(name, content)
        return buffer.getvalue()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size, info.mtime = len(content), 1_577_836_800  # zip files have no times before 1980
            tar.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


@pytest.fixture(scope="module")
def sdists(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory of sdists, one for each layout and format."""
    directory = tmp_path_factory.mktemp("sdists")
    for layout, (change, _, _) in LAYOUTS.items():
        for suffix in SUFFIXES:
            project = f"{layout}{suffix[1:4]}"
            filename = f"{project.replace('-', '_')}-1.0{suffix}"
            (directory / filename).write_bytes(packed(change(members_of(project)), suffix))
    return directory


@pytest.fixture(scope="module")
def index(sdists: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Yield the address of an index that lists them all."""
    directory = tmp_path_factory.mktemp("index")
    for path in sdists.iterdir():
        page = directory / "simple" / path.name.partition("-1.0")[0].replace("_", "-") / "index.html"
        page.parent.mkdir(parents=True)
        (page.parent / path.name).write_bytes(path.read_bytes())
        page.write_text(f'<!DOCTYPE html><a href="{path.name}">{path.name}</a>')
    with serve_directory(directory, directory / "log") as server:
        yield f"{server.url}simple/"


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("client", ["pip", "uv"])
def test_a_client_installs_an_sdist_as_the_table_says(
    home: ClientHome, index: str, client: str, layout: str, suffix: str
) -> None:
    project = f"{layout}{suffix[1:4]}"
    try:
        found: str | None = INSTALLERS[client](home, index, [project])[project]
    except ClientFailed:
        found = None
    expected = LAYOUTS[layout][1 if client == "pip" else 2]
    assert found == ("1.0" if expected else None)


def test_what_no_client_installs_is_rejected_and_what_one_refuses_has_a_note(sdists: Path, tmp_path: Path) -> None:
    report = publish(sdists, tmp_path / "public")
    published = {file.project for file in report.files}
    noted = {note.location.rpartition("/")[2].partition("-1.0")[0].replace("_", "-") for note in report.notes}
    both = {name: (by_pip, by_uv) for name, (_, by_pip, by_uv) in LAYOUTS.items()}
    assert published == {f"{name}{end[1:4]}" for name, one in both.items() if any(one) for end in SUFFIXES}
    assert {f"dot{end[1:4]}" for end in SUFFIXES} <= noted
