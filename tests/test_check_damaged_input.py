"""Checking damaged pages and files: findings, never a crash."""

from __future__ import annotations

import io
import json
import random
from typing import TYPE_CHECKING, Any

import pytest

from mkindex.check.engine import CheckOptions, check
from mkindex.check.judge import Judge
from mkindex.check.observations import SeenProject
from mkindex.check.pages import read_page
from mkindex.check.wheels import content_of
from mkindex.web.responses import RawResponse
from support.index_copy import build_good_index, copy_index
from support.index_server import JSON_TYPE
from support.wheels import wheel

if TYPE_CHECKING:
    from pathlib import Path

    from mkindex.check.engine import CheckReport


URL = "https://example.com/simple/demo/"


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_good_index(tmp_path_factory.mktemp("check"))


def run_check(target: Path | str, **options: Any) -> CheckReport:  # noqa: ANN401 (the fields of CheckOptions)
    return check(CheckOptions(target=target, **options))


def damaged(data: bytes, seed: int) -> bytes:
    """Change, drop, repeat or insert some bytes."""
    chance = random.Random(seed)
    made = bytearray(data)
    for _ in range(chance.randint(1, 8)):
        at, length = chance.randrange(len(made) + 1), chance.randrange(40)
        piece = chance.choice(
            [
                b"",
                chance.randbytes(length),
                bytes(made[at : at + length]),
                b"null",
                b"[",
                b"1e999",
                b"\\ud800",
                b"\0",
                b"//[",
            ]
        )
        made[at : at + chance.randrange(length + 1)] = piece
    return bytes(made)


@pytest.mark.parametrize("seed", range(300))
def test_no_damaged_page_crashes_a_check(good: Path, seed: int) -> None:
    for project in ("", "alpha"):
        for name, media_type in (("index.html", "text/html"), ("index.v1_json", JSON_TYPE)):
            data = damaged((good / "simple" / project / name).read_bytes(), seed)
            reply = RawResponse(URL, 200, {"content-type": media_type}, data)
            for kind in ("root", "project", "flat"):
                found = read_page(reply, kind, project="alpha")
                list(Judge().findings(found, "page"))
                list(Judge().findings(SeenProject(name="alpha", html=found, json=found), "page"))


ODD: list[Any] = [None, True, 0, -1, 1.5, "", "x", [], [[]], {}, {"x": None}, "\ud800", "http://[", 10**400]


@pytest.mark.parametrize("value", ODD, ids=lambda value: repr(value)[:20])
def test_no_value_of_any_field_crashes_a_check(good: Path, value: object) -> None:
    whole = json.loads((good / "simple/alpha/index.v1_json").read_text())
    first = whole["files"][0]
    pages = [{**whole, key: value} for key in (*whole, "projects", "project-status")]
    pages += [
        {**whole, "files": [{**first, key: value}]}
        for key in (*first, "yanked", "provenance", "dist-info-metadata", "gpg-sig")
    ]
    pages += [{**whole, "meta": {"api-version": value}}, {**whole, "project-status": {"status": value}}]
    pages += [{**whole, "projects": [{"name": value}]}, {**whole, "files": [value]}, value]  # type: ignore[list-item]
    for one in pages:
        for kind in ("root", "project"):
            found = read_page(
                RawResponse(URL, 200, {"content-type": JSON_TYPE}, json.dumps(one).encode()), kind, project="alpha"
            )
            list(Judge().findings(found, "page"))
            list(Judge().findings(SeenProject(name="alpha", html=found, json=found), "page"))


@pytest.mark.parametrize("seed", range(300))
def test_no_damaged_file_crashes_a_check(seed: int) -> None:
    data = damaged(wheel("demo", "1.0", requires_dist=["a", "b"]), seed)
    content_of("demo-1.0-py3-none-any.whl", io.BytesIO(data), len(data), whole=True)
    content_of("demo-1.0.tar.gz", io.BytesIO(data), len(data), whole=True)
    content_of("demo-1.0.zip", io.BytesIO(data), len(data), whole=True)


@pytest.mark.slow
def test_a_check_of_damaged_pages_completes(good: Path, tmp_path: Path) -> None:
    for seed in range(30):
        index_copy = copy_index(good, tmp_path / str(seed), "both")
        for path in (index_copy.tree / "simple").rglob("index.*"):
            path.write_bytes(damaged(path.read_bytes(), seed))
        run_check(index_copy.tree, files="deep", closure=True)
