"""Core metadata that clients cannot use: what a check finds in a file, and what --why says of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

import pytest

from mkindex.check.engine import CheckOptions, check
from mkindex.check.wheels import requirements
from support.builds import publish
from support.http_servers import serve_directory
from support.wheels import metadata, sdist, wheel, write_sdist, write_wheel

if TYPE_CHECKING:
    from pathlib import Path

UNPARSEABLE = (
    "cannot be parsed: pip ignores the file and takes an older version, and so does uv unless it can guess the meaning"
)
FOLDED = "is broken over several lines: pip ignores the file and takes an older version"
UV_IGNORES = "which ignores the file and takes an older version"


class Said(NamedTuple):
    """The lines of --why."""

    chosen: str | None
    reasons: dict[str, tuple[str, ...]]


def why(target: Path | str, requirement: str = "demo") -> Said:
    choices = check(CheckOptions(target=target, why=requirement, python=("3.12",))).why or ()
    chosen = next((one.filename for one in choices if one.chosen), None)
    return Said(chosen, {one.filename: one.reasons for one in choices if one.reasons})


def find_links_page(directory: Path, *files: tuple[str, bytes]) -> Path:
    """Write files that no build of mkindex would list as they are, and a page with links to them."""
    page = directory / "simple" / "demo"
    page.mkdir(parents=True)
    for name, content in files:
        (page / name).write_bytes(content)
    links = "".join(f'<a href="{name}">{name}</a><br>\n' for name, _ in files)
    (page / "index.html").write_text(f"<!DOCTYPE html>\n<html><body>\n{links}</body></html>\n")
    (directory / "simple" / "index.html").write_text(
        '<!DOCTYPE html>\n<html><body><a href="demo/">demo</a></body></html>'
    )
    return directory


def test_requirements_are_judged_as_they_stand_in_the_file() -> None:
    raw = metadata("demo", "1.0", requires_dist=["six~=1", "a>=1;\n os_name == 'nt'", "six~=1", "b"], extras=["-"])
    found = requirements(raw.replace(b"\n", b"\r\n"))
    assert (found.requires_dist, found.unusable, found.is_utf8) == (
        ("a>=1; os_name == 'nt'", "b", "six~=1", "six~=1"),
        (
            f"Requires-Dist 'six~=1' {UNPARSEABLE}",
            f"""Requires-Dist "a>=1; os_name == 'nt'" {FOLDED}""",
        ),
        True,
    )


@pytest.mark.parametrize("level", [None, "deep"])
def test_each_requirement_that_clients_cannot_use_is_an_error(tmp_path: Path, level: Literal["deep"] | None) -> None:
    (tmp_path / "wheels").mkdir()
    write_wheel(tmp_path / "wheels", "demo", "1.0", requires_dist=["six~=1", "six_", "good[x]>=1"])
    publish(tmp_path / "wheels", tmp_path / "public")
    report = check(CheckOptions(target=tmp_path / "public", files=level))
    assert [(one.rule.name, one.file, one.text) for one in report.findings if one.rule.severity == "error"] == [
        ("requires-dist", "demo-1.0-py3-none-any.whl", f"Requires-Dist 'six_' is not valid for uv, {UV_IGNORES}"),
        ("requires-dist", "demo-1.0-py3-none-any.whl", f"Requires-Dist 'six~=1' {UNPARSEABLE}"),
    ]


def test_the_pkg_info_of_an_sdist_may_be_in_another_encoding(tmp_path: Path) -> None:
    raw = metadata("demo", "1.0", summary="X").replace(b"X", b"\xe9")
    files = ("demo-1.0.tar.gz", sdist("demo", "1.0", pkg_info=raw)), ("demo-1.0-py3-none-any.whl", wheel("demo", "1.0"))
    target = find_links_page(tmp_path, *files)
    report = check(CheckOptions(target=target, files="deep"))
    assert [one for one in report.findings if one.rule.name == "metadata-encoding"] == []


def test_why_passes_over_a_file_whose_requirement_cannot_be_used(tmp_path: Path) -> None:
    (tmp_path / "wheels").mkdir()
    write_wheel(tmp_path / "wheels", "demo", "1.0", requires_dist=["six~=1"])
    write_wheel(tmp_path / "wheels", "demo", "1.1")
    write_wheel(tmp_path / "wheels", "demo", "1.2", requires_dist=["six~=1"])
    publish(tmp_path / "wheels", tmp_path / "public")
    # The metadata of 1.0 is not read, as clients do not read it.
    assert why(tmp_path / "public") == Said(
        "demo-1.1-py3-none-any.whl", {"demo-1.2-py3-none-any.whl": (f"Requires-Dist 'six~=1' {UNPARSEABLE}",)}
    )
    assert why(tmp_path / "public", "demo==1.2").chosen is None


@pytest.mark.parametrize("place", ["directory", "server"])
def test_why_reads_the_metadata_in_a_file_if_its_page_has_none(tmp_path: Path, place: str) -> None:
    target = find_links_page(
        tmp_path / "public",
        ("demo-1.0-py3-none-any.whl", wheel("demo", "1.0")),
        ("demo-1.1.tar.gz", sdist("demo", "1.1", pkg_info=metadata("demo", "1.9"))),
        ("demo-1.2-py3-none-any.whl", wheel("demo", "1.2", requires_python=">=3.99")),
        ("demo-1.3-py3-none-any.whl", wheel("demo", "1.3", metadata=metadata("demo", "1.3") + b"\n\xe9")),
        ("demo-1.4-py3-none-any.whl", wheel("demo", "1.4", metadata=metadata("other", "1.4"))),
    )
    expected = Said(
        "demo-1.0-py3-none-any.whl",
        {
            "demo-1.4-py3-none-any.whl": ("the filename says demo, but the metadata says other",),
            "demo-1.3-py3-none-any.whl": ("METADATA is not UTF-8",),
            "demo-1.2-py3-none-any.whl": ("its metadata requires Python >=3.99, but this is 3.12.0",),
            "demo-1.1.tar.gz": ("the filename says version 1.1, but the metadata says 1.9",),
        },
    )
    if place == "directory":
        assert why(target) == expected
    else:
        with serve_directory(target, tmp_path / "log") as server:
            assert why(f"{server.url}simple/") == expected


def test_why_takes_a_file_whose_metadata_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "wheels").mkdir()
    write_sdist(tmp_path / "wheels", "demo", "1.0")
    publish(tmp_path / "wheels", tmp_path / "public")
    next((tmp_path / "public").glob("files/*/*/demo-1.0.tar.gz")).write_bytes(b"not an sdist")
    assert why(tmp_path / "public") == Said("demo-1.0.tar.gz", {})
