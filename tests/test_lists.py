"""Lists of files: a path or a URL a line, or what dumb-pypi's package lists have."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urldefrag, urljoin

import pytest

from mkindex import cli
from mkindex.distributions.filenames import STRANGE_NAME
from mkindex.errors import Note, Rejected, SourceError
from mkindex.examine.local import scan
from mkindex.model.files import Artifact, Fingerprint, Link
from mkindex.simple.reader import parse_json
from mkindex.sources.lists import ListSource
from mkindex.sources.selection import Selection
from support.requirements import skip_or_fail
from support.sources import open_with_defaults
from support.trees import HTML, JSON, read_tree
from support.wheels import write_sdist, write_wheel

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mkindex.sources.open import Found

FILES_URL = "https://files.example/whl"
FILE = "demo-1.0-py3-none-any.whl"
A, B, MD5 = "a1" * 32, "b2" * 32, "c3" * 16
DUMB_PYPI = Path(__file__).parent.parent / ".peers/dumb-pypi/bin/dumb-pypi"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory with wheels and sdists in it, and another one to stand in."""
    (tmp_path / "wheels/sub").mkdir(parents=True)
    (tmp_path / "elsewhere").mkdir()
    write_wheel(tmp_path / "wheels", "demo", "1.0", requires_python=">=3.9")
    write_sdist(tmp_path / "wheels", "demo", "1.0")
    write_wheel(tmp_path / "wheels/sub", "other", "2.0")
    monkeypatch.chdir(tmp_path / "elsewhere")
    return tmp_path


def listed(path: Path, content: bytes, **options: Any) -> list[Found]:  # noqa: ANN401 (fields of List)
    path.write_bytes(content)
    return list(ListSource(path=str(path), selection=Selection(), **options).artifacts())


def remote(path: Path, content: bytes, *, verify: bool = False) -> list[Found]:
    return listed(path, content, files_url=FILES_URL, verify=verify)


def local(root: Path, relative: str, **said: Any) -> Artifact:  # noqa: ANN401 (fields of Link)
    link = Link(url="file:", filename=relative.rpartition("/")[2], **said)
    return Artifact(str(root), relative, Fingerprint.of((root / relative).stat()), link)


def link(path: str = FILE, **said: Any) -> Link:  # noqa: ANN401 (fields of Link)
    fields: dict[str, Any] = {"trusted": True} | said
    return Link(url=f"{FILES_URL}/{path}", filename=unquote(path.rpartition("/")[2]), **fields)


def line(path: Path, number: int) -> str:
    return f"{path}, line {number}"


# --- lines of text --------------------------------------------------------------------------------------------------


def test_paths_are_relative_to_the_list_and_not_to_where_one_stands(here: Path) -> None:
    wheels = here / "wheels"
    assert listed(
        wheels / "list.txt", b"demo-1.0-py3-none-any.whl\n./sub/../demo-1.0.tar.gz\nsub/other-2.0-py3-none-any.whl\n"
    ) == [
        local(wheels, FILE),
        local(wheels, "demo-1.0.tar.gz"),
        local(wheels, "sub/other-2.0-py3-none-any.whl"),
    ]


@pytest.mark.parametrize("form", ["{}", "../wheels/sub/{}", "file://{}", "file://localhost{}", "FILE:{}"])
def test_a_file_elsewhere_on_this_machine_may_be_named_in_any_form(here: Path, form: str) -> None:
    name = "other-2.0-py3-none-any.whl"
    path = str(here / "wheels/sub" / name) if form != "../wheels/sub/{}" else name
    assert listed(here / "elsewhere/list", form.format(path).encode()) == [local(here / "wheels/sub", name)]


def test_comments_and_blank_lines_line_breaks_of_windows_and_white_space_say_nothing(here: Path) -> None:
    content = f"\ufeff# a comment\r\n\r\n  {FILE}  \r\n\t# another\n\x0c\n{FILE}\r\n\t{FILE}".encode()
    assert listed(here / "wheels/list", content) == [local(here / "wheels", FILE)] * 3


@pytest.mark.parametrize("content", [f"\ufeff{FILE}", f'\ufeff{{"filename": "{FILE}"}}\n'])
def test_a_byte_order_mark_is_no_part_of_the_first_line(here: Path, content: str) -> None:
    assert listed(here / "wheels/list", content.encode()) == [local(here / "wheels", FILE)]


def test_an_empty_list_names_nothing(here: Path) -> None:
    assert [listed(here / "list", content) for content in (b"", b"\n", b"# nothing\n", b"\xef\xbb\xbf")] == [[]] * 4


@pytest.mark.parametrize(
    ("text", "expected"),
    {
        f"https://host.example/a/{FILE}": Link(url=f"https://host.example/a/{FILE}", filename=FILE),
        f"HTTP://host.example:8080/{FILE}": Link(url=f"http://host.example:8080/{FILE}", filename=FILE),
        f"https://host.example/{FILE}#sha256={A}": Link(url=f"https://host.example/{FILE}", filename=FILE, sha256=A),
        f"https://host.example/{FILE}#sha256%3D{A}": Link(url=f"https://host.example/{FILE}", filename=FILE, sha256=A),
        f"https://host.example/{FILE}#egg=demo&sha256={A.upper()}": Link(
            url=f"https://host.example/{FILE}", filename=FILE, sha256=A
        ),
        f"https://host.example/{FILE}#md5={MD5}": Link(
            url=f"https://host.example/{FILE}", filename=FILE, other_hash=f"md5={MD5}"
        ),
        f"https://host.example/{FILE}?a=1&copy=2": Link(url=f"https://host.example/{FILE}?a=1&copy=2", filename=FILE),
        "https://host.example/a b/demo-1.0+cu.zip": Link(
            url="https://host.example/a%20b/demo-1.0%2Bcu.zip", filename="demo-1.0+cu.zip"
        ),
        "https://host.example/demo-1.0%2bcu.zip": Link(
            url="https://host.example/demo-1.0%2Bcu.zip", filename="demo-1.0+cu.zip"
        ),
    }.items(),
)
@pytest.mark.parametrize("files_url", [None, FILES_URL])
def test_a_url_is_a_file_elsewhere_that_nobody_vouches_for(
    here: Path, files_url: str | None, text: str, expected: Link
) -> None:
    assert listed(here / "list", text.encode(), files_url=files_url) == [expected]


@pytest.mark.parametrize(
    "text",
    [
        f"https://user:secret@host.example/{FILE}",
        f"https://user:sec/ret@host.example/{FILE}",
        f"https:///{FILE}",
        f"https:/host.example/{FILE}",
        f"https:{FILE}",
        f"https://host:port/{FILE}",
        f"https://ho st/{FILE}",
        f"https://[::1/{FILE}",
        f"ftp://host.example/{FILE}",
        f"s3://bucket/{FILE}",
        f"htps://host.example/{FILE}",
        f"javascript:{FILE}",
        f"git+https://host.example/{FILE}",
        f"file://other.example/{FILE}",
        "https://host.example/a%2Fb-1.0.zip",
        "https://host.example/a%00b-1.0.zip",
        "https://host.example/ä-1.0.zip",
        f"https://host.example/{FILE} # what follows is no comment",
    ],
)
@pytest.mark.parametrize("files_url", [None, FILES_URL])
def test_a_malformed_or_hostile_address_is_never_taken_for_a_path(here: Path, files_url: str | None, text: str) -> None:
    path = here / "wheels/list"
    found = listed(path, f"{text}\n{FILE}".encode(), files_url=files_url)
    assert found[1:] == [link() if files_url else local(here / "wheels", FILE)]
    assert isinstance(found[0], Rejected)
    assert found[0].location == line(path, 1)
    assert "ret" not in found[0].reason.replace("address", "")


@pytest.mark.parametrize(
    ("text", "path"),
    {
        FILE: FILE,
        f"./{FILE}": FILE,
        f"sub/{FILE}": f"sub/{FILE}",
        f"./sub//./{FILE}": f"sub/{FILE}",
        f"a b/{FILE}": f"a%20b/{FILE}",
        f"a#b/{FILE}": f"a%23b/{FILE}",
        f"a?b/{FILE}": f"a%3Fb/{FILE}",
        f"a%20b/{FILE}": f"a%2520b/{FILE}",
        f'a&b<c>"d"/{FILE}': f"a%26b%3Cc%3E%22d%22/{FILE}",
        f"ä/{FILE}": f"%C3%A4/{FILE}",
        "demo-1.0+cu.zip": "demo-1.0%2Bcu.zip",
        "demo-1!1.0.zip": "demo-1%211.0.zip",
    }.items(),
)
def test_with_a_files_url_a_path_is_an_address_below_it_that_is_trusted_unless_it_is_to_be_verified(
    here: Path, text: str, path: str
) -> None:
    assert remote(here / "list", text.encode()) == [link(path)]
    assert remote(here / "list", text.encode(), verify=True) == [link(path, trusted=False)]


def test_a_path_that_is_no_unicode_is_found_here_and_linked_by_its_bytes_there(here: Path) -> None:
    directory = os.fsdecode(b"caf\xe9")
    (here / "wheels" / directory).mkdir()
    write_wheel(here / "wheels" / directory, "demo", "1.0")
    content = b"caf\xe9/" + FILE.encode()
    assert remote(here / "wheels/list", content) == [link(f"caf%E9/{FILE}")]
    assert listed(here / "wheels/list", content) == [local(here / "wheels", f"{directory}/{FILE}")]


@pytest.mark.parametrize(
    "text", [f"/{FILE}", f"../{FILE}", f"sub/../../{FILE}", f"//host.example/{FILE}", f"/srv/../{FILE}"]
)
def test_with_a_files_url_no_path_leads_above_it(here: Path, text: str) -> None:
    reason = f"{text}: no path below --files-url: give it relative to that"
    assert remote(here / "list", text.encode()) == [Rejected(location=line(here / "list", 1), reason=reason)]


@pytest.mark.parametrize(
    "name", ['a"b-1.0.zip', "a'b-1.0.zip", "a b-1.0.zip", "a<b-1.0.zip", "ä-1.0.zip", f"{'a' * 256}.zip"]
)
def test_with_a_files_url_a_name_is_one_that_a_distribution_can_have(here: Path, name: str) -> None:
    found = remote(here / "list", f"sub/{name}".encode())
    assert found == [Rejected(location=line(here / "list", 1), reason=f"sub/{name}: {STRANGE_NAME}")]


def test_a_missing_file_a_directory_and_what_is_no_file_are_rejected_alone(here: Path) -> None:
    wheels = here / "wheels"
    (wheels / "dir-1.0.zip").mkdir()
    os.mkfifo(wheels / "pipe-1.0.zip")
    (wheels / "loop-1.0.zip").symlink_to("loop-1.0.zip")
    names = ["gone-1.0.zip", "dir-1.0.zip", "pipe-1.0.zip", "loop-1.0.zip", f"{FILE}/x-1.0.zip", FILE]
    no_file = "the list names it, and it is no regular file: name the files in it"
    assert listed(wheels / "list", "\n".join(names).encode()) == [
        *(
            Rejected(location=str(wheels / name), reason=reason)
            for name, reason in zip(
                names,
                [
                    "the list names it, and it cannot be read: No such file or directory",
                    no_file,
                    no_file,
                    "the list names it, and it cannot be read: Too many levels of symbolic links",
                    "the list names it, and it cannot be read: Not a directory",
                ],
                strict=False,
            )
        ),
        local(wheels, FILE),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "sub",
        "sub/",
        ".",
        "README.md",
        "demo",
        '"x"',
        "[1, 2]",
        "https://host.example/simple/",
        f"{FILE}.asc",
        "\x1b[31m",
    ],
)
def test_a_line_that_names_no_distribution_is_rejected_with_its_number(here: Path, text: str) -> None:
    found = listed(here / "wheels/list", f"# first\n{text}\n{FILE}\n".encode())
    shown = text.replace("\x1b", "\\x1b")
    reason = f"{shown} is neither a wheel nor an sdist: give a path or a URL a line"
    assert found == [Rejected(location=line(here / "wheels/list", 2), reason=reason), local(here / "wheels", FILE)]


def test_a_distribution_that_clients_do_not_install_is_passed_over(here: Path) -> None:
    text = "passed over: eggs are no longer installable: build a wheel"
    assert listed(here / "list", b"demo-1.0.egg") == [Note(location="demo-1.0.egg", text=text, detail=True)]


def test_a_line_with_a_nul_in_it_is_rejected_alone(here: Path) -> None:
    found = listed(here / "wheels/list", f"a\0b/{FILE}\n{FILE}\n".encode())
    assert isinstance(found[0], Rejected)
    assert found[1:] == [local(here / "wheels", FILE)]


@pytest.mark.parametrize("content", [b"a" * (1 << 21), b"#" + b"a" * (1 << 21), b"{" * (1 << 21)])
def test_a_line_without_an_end_is_an_error_and_not_read_to_its_end(here: Path, content: bytes) -> None:
    with pytest.raises(SourceError) as error:
        listed(here / "list", f"{FILE}\n".encode() + content)
    assert str(error.value) == f"{line(here / 'list', 2)}: longer than 1,048,576 bytes: is it a list?"


def test_a_list_that_cannot_be_read_is_an_error(here: Path) -> None:
    with pytest.raises(SourceError) as error:
        list(ListSource(path=str(here / "gone"), selection=Selection()).artifacts())
    assert str(error.value) == f"cannot read the list {here}/gone: No such file or directory"


def test_only_what_is_wanted_is_listed(here: Path) -> None:
    content = f'{FILE}\nhttps://host.example/x-1.0.zip\n{{"filename": "y-1.0.zip"}}\nx-2.0.zip\n'.encode()
    (here / "list").write_bytes(content)
    source = ListSource(
        path=str(here / "list"), selection=Selection(include=("x", "y"), exclude=("*-2.*",)), files_url=FILES_URL
    )
    assert list(source.artifacts()) == [
        Link(url="https://host.example/x-1.0.zip", filename="x-1.0.zip"),
        link("y-1.0.zip"),
    ]


# --- lines of JSON --------------------------------------------------------------------------------------------------


def objects(*entries: dict[str, Any]) -> bytes:
    return "".join(f"{json.dumps(entry)}\n" for entry in entries).encode()


EVERYTHING: dict[str, Any] = {
    "filename": FILE,
    "hash": f"sha256={A}",
    "requires_dist": ["click", "attrs; extra == 'x'"],
    "requires_python": ">=3.9, <4",
    "core_metadata": f"sha256={B}",
    "uploaded_by": "asottile",
    "upload_timestamp": 1767323045,
    "yanked_reason": 'broken <on> "purpose"',
}


def test_every_key_of_dumb_pypi_is_read_and_any_other_ignored(here: Path) -> None:
    said = {
        "sha256": A,
        "requires_python": ">=3.9, <4",
        "core_metadata": B,
        "upload_time": "2026-01-02T03:04:05Z",
        "yanked": 'broken <on> "purpose"',
    }
    assert remote(here / "list", objects(EVERYTHING | {"something": {"else": [None]}})) == [link(**said)]
    assert listed(here / "wheels/list", objects(EVERYTHING)) == [local(here / "wheels", FILE, **said)]


def nothing(key: str, *values: Any) -> list[tuple[str, Any, dict[str, Any]]]:  # noqa: ANN401 (whatever JSON has)
    """A key with values that say nothing."""
    return [(key, value, {}) for value in values]


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("hash", f"sha256={A.upper()}", {"sha256": A}),
        ("hash", f"md5={MD5}", {"other_hash": f"md5={MD5}"}),
        ("hash", f"sha512={'e' * 128}", {"other_hash": f"sha512={'e' * 128}"}),
        *nothing("hash", None, "", [], {}),
        ("upload_timestamp", 0, {"upload_time": "1970-01-01T00:00:00Z"}),
        ("upload_timestamp", 1767323045.987, {"upload_time": "2026-01-02T03:04:05Z"}),
        *nothing("upload_timestamp", None, True, "1767323045", -1, -0.5e9, 10**30, 1e300, []),
        ("requires_python", ">=3.9,\n <4", {"requires_python": ">=3.9, <4"}),
        *nothing("requires_python", None, "", 3, []),
        ("core_metadata", f"sha256={B}", {"core_metadata": B}),
        ("core_metadata", "true", {"core_metadata": ""}),
        *nothing("core_metadata", None, "", False),
        ("yanked_reason", "two\n lines\t", {"yanked": "two lines"}),
        ("yanked_reason", " ", {"yanked": ""}),
        *nothing("yanked_reason", None, ""),
        ("requires_dist", None, {}),
        ("uploaded_by", {"x": 1}, {}),
    ],
)
def test_a_value_says_what_it_says_to_dumb_pypi_or_nothing(
    here: Path, key: str, value: object, said: dict[str, Any]
) -> None:
    assert remote(here / "list", objects({"filename": FILE, key: value})) == [link(**said)]


@pytest.mark.parametrize("value", [1, ["sha256"], "sha256=zz", "sha256", f"blake2b={A}", A])
def test_a_hash_that_is_none_is_not_left_out_without_a_word(here: Path, value: object) -> None:
    reason = f"the hash of {FILE} is none that is known: give sha256=… and 64 digits"
    assert remote(here / "list", objects({"filename": FILE, "hash": value})) == [
        Rejected(location=f"{here}/list, line 1", reason=reason)
    ]


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", "-1e999"])
def test_a_number_that_is_none_is_no_time(here: Path, number: str) -> None:
    content = f'{{"filename": "{FILE}", "upload_timestamp": {number}}}'.encode()
    assert remote(here / "list", content) == [link()]


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "{}",
        '{"filename": null}',
        '{"filename": 1}',
        '{"filename": ""}',
        '{"filename": "demo"}',
        f'{{"filename": "https://host.example/{FILE}"}}',
        f'{{"filename": "ftp://host.example/{FILE}"}}',
        f'{{"filename": "../{FILE}"}}',
        f'{{"filename": "/{FILE}"}}',
        '{"filename": "a\\u0000b-1.0.zip"}',
        '{"filename": "a\\ud800b-1.0.zip"}',
        f'{{"filename": "{FILE}"}} {{}}',
        f'{{"filename": "{FILE}"',
        f'{{"filename": "{FILE}",}}',
        "{" + '"a":{' * 100_000,
        '{"filename": ' + "[" * 100_000,
        '{"upload_timestamp": ' + "9" * 5000 + "}",
        f'{{"filename": "\xff{FILE}"}}',
    ],
    ids=lambda text: text[:30],
)
def test_a_line_that_is_no_object_with_a_filename_is_rejected_alone_and_with_its_number(here: Path, text: str) -> None:
    content = objects({"filename": FILE}) + b"\n" + text.encode("latin-1") + b"\n" + objects({"filename": "x-1.0.zip"})
    found = remote(here / "list", content)
    assert [found[0], *found[2:]] == [link(), link("x-1.0.zip")]
    assert isinstance(found[1], Rejected)
    assert found[1].location == line(here / "list", 3)


# --- from the command line ------------------------------------------------------------------------------------------


def run(*arguments: str) -> int:
    return cli.run([*arguments, "--no-cache", "--quiet"])


def published(root: Path) -> dict[str, list[dict[str, Any]]]:
    """The files that the JSON pages of an index name, by project."""
    names = json.loads((root / "simple" / JSON).read_text())["projects"]
    return {name["name"]: json.loads((root / "simple" / name["name"] / JSON).read_text())["files"] for name in names}


def filenames(root: Path) -> list[str]:
    return [file["filename"] for files in published(root).values() for file in files]


def give(monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))


def test_a_list_and_a_directory_make_the_same_index(here: Path) -> None:
    (here / "wheels/list.txt").write_text(f"{FILE}\ndemo-1.0.tar.gz\nsub/other-2.0-py3-none-any.whl\n")
    assert [run(str(here / "wheels/list.txt"), "one"), run("--recursive", str(here / "wheels"), "two")] == [0, 0]
    assert read_tree(Path("one")) == read_tree(Path("two"))


def test_paths_from_standard_input_are_relative_to_where_one_stands(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(here / "wheels")
    give(monkeypatch, f"./{FILE}\nsub/other-2.0-py3-none-any.whl".encode())
    assert run("-", str(here / "public")) == 0
    assert filenames(here / "public") == [FILE, "other-2.0-py3-none-any.whl"]


def test_a_list_with_a_files_url_is_an_index_without_a_single_file(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    entries = objects(
        EVERYTHING, {"filename": "demo-2.0.tar.gz"}, {"filename": "a/De_Mo.x-1.0+cu.zip", "hash": f"sha256={B}"}
    )
    give(monkeypatch, entries)
    assert run("-", "public", "--files-url", f"{FILES_URL}/") == 0
    assert published(Path("public")) == {
        "de-mo-x": [
            {"filename": "De_Mo.x-1.0+cu.zip", "url": f"{FILES_URL}/a/De_Mo.x-1.0%2Bcu.zip", "hashes": {"sha256": B}}
        ],
        "demo": [
            {
                "filename": FILE,
                "url": f"{FILES_URL}/{FILE}",
                "hashes": {"sha256": A},
                "requires-python": ">=3.9, <4",
                "core-metadata": {"sha256": B},
                "yanked": 'broken <on> "purpose"',
                "upload-time": "2026-01-02T03:04:05Z",
            },
            {"filename": "demo-2.0.tar.gz", "url": f"{FILES_URL}/demo-2.0.tar.gz", "hashes": {}},
        ],
    }
    assert not Path("public/files").exists()


def test_a_list_and_a_directory_may_be_mixed(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (here / "list.txt").write_text("wheels/sub/other-2.0-py3-none-any.whl\n")
    assert run(str(here / "list.txt"), str(here / "wheels"), "public") == 0
    assert sorted(filenames(Path("public"))) == [FILE, "demo-1.0.tar.gz", "other-2.0-py3-none-any.whl"]


def test_a_bad_line_is_named_and_the_rest_is_published(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "wheels/list.jsonl").write_bytes(
        objects({"filename": FILE}) + b"{nonsense\n" + objects({"filename": "gone-1.0.zip"})
    )
    assert run(str(here / "wheels/list.jsonl"), "public") == 1
    assert filenames(Path("public")) == [FILE]
    first, second = capsys.readouterr().err.splitlines()
    assert first.startswith(f"rejected {here}/wheels/list.jsonl, line 2: ")
    assert second.startswith(f"rejected {here}/wheels/gone-1.0.zip: the list names it, and it cannot be read: ")


def test_a_hash_that_is_not_that_of_the_file_rejects_it(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "wheels/list.jsonl").write_bytes(
        objects({"filename": FILE, "hash": f"sha256={A}"}, {"filename": "demo-1.0.tar.gz"})
    )
    assert run(str(here / "wheels/list.jsonl"), "public") == 1
    assert filenames(Path("public")) == ["demo-1.0.tar.gz"]
    assert f"and the page says {A}" in capsys.readouterr().err


@pytest.mark.parametrize("content", [b"", b"# nothing\n", b"README\n"])
def test_a_list_without_a_file_publishes_nothing(here: Path, monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    give(monkeypatch, content)
    assert (run("-", "public"), (Path("public") / "simple").exists()) == (3, False)


def test_a_file_that_changes_while_standard_input_names_it_is_an_error_since_the_list_comes_only_once(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    wheel = here / "wheels" / FILE
    give(monkeypatch, f"{wheel}\n{here}/wheels/demo-1.0.tar.gz\n".encode())
    calls: list[int] = []

    def changing(artifacts: Iterable[Artifact], **options: Any) -> object:  # noqa: ANN401 (as they come)
        files = scan(artifacts, **options)  # type: ignore[arg-type]
        write_wheel(wheel.parent, "demo", "1.0", summary="built again")
        calls.append(len(files))
        return files

    monkeypatch.setattr("mkindex.build.scan", changing)
    assert (run("-", "public"), calls) == (3, [2])
    assert (
        capsys.readouterr().err
        == f"error {wheel} changed while it was read: wait until it is completely written, then run again\n"
    )
    assert not Path("public/simple").exists()


@pytest.mark.parametrize(
    ("content", "kind"),
    {
        b"": "ListSource",
        b"demo-1.0.zip": "ListSource",
        b'{"filename": "demo-1.0.zip"}\n{"filename": "x-1.0.zip"}': "ListSource",
        b'\xef\xbb\xbf{"filename": "demo-1.0.zip", "requires_dist": ["x"]}': "ListSource",
        b'{"meta": {"api-version": "1.0"}, "files": []}': "PageSource",
        b'\n\n {\n "files": []}': "PageSource",
        b'{"name": "x", "versions": ["1"], "files": []}': "PageSource",
        b'{"projects": []}': "PageSource",
        b'{"project-status": {"status": "archived"}, "files": []}': "PageSource",
        b"<a href=x.whl>": "PageSource",
        b"\xef\xbb\xbf\n<!DOCTYPE html>": "PageSource",
    }.items(),
)
def test_what_a_file_is_shows_when_one_looks_at_it(here: Path, content: bytes, kind: str) -> None:
    (here / "file").write_bytes(content)
    assert type(open_with_defaults(str(here / "file"))).__name__ == kind


# --- beside dumb-pypi -----------------------------------------------------------------------------------------------

LIST: list[dict[str, Any]] = [
    EVERYTHING,
    {"filename": "demo-1.0.tar.gz", "hash": f"sha256={B}", "requires_python": ">=3.8,<4", "upload_timestamp": 1},
    {"filename": "Demo-1.1.zip", "yanked_reason": "é & <b> \"quoted\" 'reason'"},
    {"filename": "demo-2.0+cu128-py3-none-any.whl", "hash": f"sha256={A}", "yanked_reason": ""},
    {"filename": "other_thing-0.1-cp312-cp312-manylinux_2_17_x86_64.whl", "requires_python": "!=3.9.*"},
    {"filename": "a.b-2024.1.1.tar.gz", "hash": f"sha256={B}"},
]


class Anchors(HTMLParser):
    """The attributes of every anchor."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[dict[str, str | None]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "a":
            self.found.append(dict(attrs))


def said_by(root: Path) -> set[tuple[object, ...]]:
    """What the pages of the projects say: address, hash, requires-python, yanked, core-metadata."""
    found: set[tuple[object, ...]] = set()
    for path in (root / "simple").glob(f"*/{HTML}"):
        for attributes in Anchors(path.read_text("utf-8")).found:
            url, fragment = urldefrag(urljoin("https://host.example/", attributes["href"] or ""))
            names = ("data-requires-python", "data-yanked", "data-core-metadata")
            found.add((path.parent.name, unquote(url), fragment, *(attributes.get(name) for name in names)))
    return found


def test_the_pages_of_dumb_pypi_say_the_same_of_the_same_list(here: Path) -> None:
    if not DUMB_PYPI.exists():
        skip_or_fail("dumb-pypi (make peers)")
    (here / "list.jsonl").write_bytes(objects(*LIST))
    command = [str(DUMB_PYPI), "--package-list-json", str(here / "list.jsonl"), "--packages-url", FILES_URL]
    subprocess.run([*command, "--output-dir", "theirs"], check=True, timeout=60)
    assert run(str(here / "list.jsonl"), "ours", "--files-url", FILES_URL) == 0
    theirs = said_by(Path("theirs"))
    assert len(theirs) == len(LIST)
    assert said_by(Path("ours")) == theirs
    for path in Path("ours/simple").glob(f"*/{JSON}"):
        links = parse_json(path.read_text(), f"https://host.example/{path}").links
        assert {unquote(link.url) for link in links} == {said[1] for said in theirs if said[0] == path.parent.name}
