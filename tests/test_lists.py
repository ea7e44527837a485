"""Lists of files: a path, a URL or an object of dumb-pypi's package lists on each line."""

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

    from mkindex.sources.source import SourceItem

FILES_URL = "https://files.example/whl"
FILE = "demo-1.0-py3-none-any.whl"
A, B, MD5 = "a1" * 32, "b2" * 32, "c3" * 16
DUMB_PYPI = Path(__file__).parent.parent / ".peers/dumb-pypi/bin/dumb-pypi"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory with wheels and sdists, and another one as working directory."""
    (tmp_path / "wheels/sub").mkdir(parents=True)
    (tmp_path / "elsewhere").mkdir()
    write_wheel(tmp_path / "wheels", "demo", "1.0", requires_python=">=3.9")
    write_sdist(tmp_path / "wheels", "demo", "1.0")
    write_wheel(tmp_path / "wheels/sub", "other", "2.0")
    monkeypatch.chdir(tmp_path / "elsewhere")
    return tmp_path


def read_list(path: Path, content: bytes, **options: Any) -> list[SourceItem]:  # noqa: ANN401 (fields of ListSource)
    path.write_bytes(content)
    return list(ListSource(path=str(path), selection=Selection(), **options).artifacts())


def read_list_with_files_url(path: Path, content: bytes, *, verify: bool = False) -> list[SourceItem]:
    return read_list(path, content, files_url=FILES_URL, verify=verify)


def local(root: Path, relative: str, **fields: Any) -> Artifact:  # noqa: ANN401 (fields of Link)
    link = Link(url="file:", filename=relative.rpartition("/")[2], **fields)
    return Artifact(str(root), relative, Fingerprint.of((root / relative).stat()), link)


def link(path: str = FILE, **fields: Any) -> Link:  # noqa: ANN401 (fields of Link)
    fields = {"trusted": True} | fields
    return Link(url=f"{FILES_URL}/{path}", filename=unquote(path.rpartition("/")[2]), **fields)


def line(path: Path, number: int) -> str:
    return f"{path}, line {number}"


# --- lines of text --------------------------------------------------------------------------------------------------


def test_paths_are_relative_to_the_list_and_not_to_the_working_directory(here: Path) -> None:
    wheels = here / "wheels"
    assert read_list(
        wheels / "list.txt", b"demo-1.0-py3-none-any.whl\n./sub/../demo-1.0.tar.gz\nsub/other-2.0-py3-none-any.whl\n"
    ) == [
        local(wheels, FILE),
        local(wheels, "demo-1.0.tar.gz"),
        local(wheels, "sub/other-2.0-py3-none-any.whl"),
    ]


@pytest.mark.parametrize("form", ["{}", "../wheels/sub/{}", "file://{}", "file://localhost{}", "FILE:{}"])
def test_a_file_in_another_directory_may_be_given_in_any_form(here: Path, form: str) -> None:
    name = "other-2.0-py3-none-any.whl"
    path = str(here / "wheels/sub" / name) if form != "../wheels/sub/{}" else name
    assert read_list(here / "elsewhere/list", form.format(path).encode()) == [local(here / "wheels/sub", name)]


def test_comments_blank_lines_and_white_space_are_ignored(here: Path) -> None:
    content = f"\ufeff# a comment\r\n\r\n  {FILE}  \r\n\t# another\n\x0c\n{FILE}\r\n\t{FILE}".encode()
    assert read_list(here / "wheels/list", content) == [local(here / "wheels", FILE)] * 3


@pytest.mark.parametrize("content", [f"\ufeff{FILE}", f'\ufeff{{"filename": "{FILE}"}}\n'])
def test_a_byte_order_mark_is_not_part_of_the_first_line(here: Path, content: str) -> None:
    assert read_list(here / "wheels/list", content.encode()) == [local(here / "wheels", FILE)]


def test_an_empty_list_has_no_files(here: Path) -> None:
    assert [read_list(here / "list", content) for content in (b"", b"\n", b"# nothing\n", b"\xef\xbb\xbf")] == [[]] * 4


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
def test_a_url_is_a_remote_file_that_is_not_trusted(
    here: Path, files_url: str | None, text: str, expected: Link
) -> None:
    assert read_list(here / "list", text.encode(), files_url=files_url) == [expected]


@pytest.mark.parametrize(
    "text",
    [
        f"https://user:secret@host.example/{FILE}",
        f"https://user:sec/ret@host.example/{FILE}",
        f"https://user:sec\u2100ret@host.example/{FILE}",
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
        f"https://host.example/{FILE} # this is not a comment",
    ],
)
@pytest.mark.parametrize("files_url", [None, FILES_URL])
def test_a_malformed_or_hostile_address_is_rejected(here: Path, files_url: str | None, text: str) -> None:
    path = here / "wheels/list"
    found = read_list(path, f"{text}\n{FILE}".encode(), files_url=files_url)
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
def test_with_files_url_a_path_is_relative_to_it_and_trusted_unless_verified(here: Path, text: str, path: str) -> None:
    assert read_list_with_files_url(here / "list", text.encode()) == [link(path)]
    assert read_list_with_files_url(here / "list", text.encode(), verify=True) == [link(path, trusted=False)]


def test_a_path_that_is_not_utf8_is_found_locally_and_percent_encoded_in_urls(here: Path) -> None:
    directory = os.fsdecode(b"caf\xe9")
    (here / "wheels" / directory).mkdir()
    write_wheel(here / "wheels" / directory, "demo", "1.0")
    content = b"caf\xe9/" + FILE.encode()
    assert read_list_with_files_url(here / "wheels/list", content) == [link(f"caf%E9/{FILE}")]
    assert read_list(here / "wheels/list", content) == [local(here / "wheels", f"{directory}/{FILE}")]


@pytest.mark.parametrize(
    "text", [f"/{FILE}", f"../{FILE}", f"sub/../../{FILE}", f"//host.example/{FILE}", f"/srv/../{FILE}"]
)
def test_with_files_url_no_path_leads_out_of_it(here: Path, text: str) -> None:
    reason = "the path leads out of --files-url. Give a path relative to it"
    assert read_list_with_files_url(here / "list", text.encode()) == [
        Rejected(location=line(here / "list", 1), reason=reason)
    ]


@pytest.mark.parametrize(
    "name", ['a"b-1.0.zip', "a'b-1.0.zip", "a b-1.0.zip", "a<b-1.0.zip", "ä-1.0.zip", f"{'a' * 256}.zip"]
)
def test_with_files_url_an_invalid_filename_is_rejected(here: Path, name: str) -> None:
    found = read_list_with_files_url(here / "list", f"sub/{name}".encode())
    assert found == [Rejected(location=line(here / "list", 1), reason=STRANGE_NAME)]


def test_a_line_without_a_regular_file_is_rejected_and_the_others_are_read(here: Path) -> None:
    wheels = here / "wheels"
    (wheels / "dir-1.0.zip").mkdir()
    os.mkfifo(wheels / "pipe-1.0.zip")
    (wheels / "loop-1.0.zip").symlink_to("loop-1.0.zip")
    names = ["gone-1.0.zip", "dir-1.0.zip", "pipe-1.0.zip", "loop-1.0.zip", f"{FILE}/x-1.0.zip", FILE]
    no_file = "named in the list, but not a regular file. Give the path of a file"
    assert read_list(wheels / "list", "\n".join(names).encode()) == [
        *(
            Rejected(location=str(wheels / name), reason=reason)
            for name, reason in zip(
                names,
                [
                    "named in the list, but cannot be read: No such file or directory",
                    no_file,
                    no_file,
                    "named in the list, but cannot be read: Too many levels of symbolic links",
                    "named in the list, but cannot be read: Not a directory",
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
def test_a_line_that_is_not_a_wheel_or_sdist_is_rejected_with_its_number(here: Path, text: str) -> None:
    found = read_list(here / "wheels/list", f"# first\n{text}\n{FILE}\n".encode())
    reason = "not a wheel or sdist. Give one path or URL per line"
    assert found == [Rejected(location=line(here / "wheels/list", 2), reason=reason), local(here / "wheels", FILE)]


def test_a_distribution_that_clients_do_not_install_is_skipped(here: Path) -> None:
    text = "skipped: eggs are no longer installable: build a wheel"
    assert read_list(here / "list", b"demo-1.0.egg") == [Note(location="demo-1.0.egg", text=text, detail=True)]


def test_a_line_with_a_nul_is_rejected_and_the_others_are_read(here: Path) -> None:
    found = read_list(here / "wheels/list", f"a\0b/{FILE}\n{FILE}\n".encode())
    assert isinstance(found[0], Rejected)
    assert found[1:] == [local(here / "wheels", FILE)]


@pytest.mark.parametrize("content", [b"a" * (1 << 21), b"#" + b"a" * (1 << 21), b"{" * (1 << 21)])
def test_an_endless_line_is_an_error_and_not_read_to_its_end(here: Path, content: bytes) -> None:
    with pytest.raises(SourceError) as error:
        read_list(here / "list", f"{FILE}\n".encode() + content)
    assert (
        str(error.value) == f"{line(here / 'list', 2)}: longer than 1,048,576 bytes. Give a list with one file per line"
    )


def test_a_list_that_cannot_be_read_is_an_error(here: Path) -> None:
    with pytest.raises(SourceError) as error:
        list(ListSource(path=str(here / "gone"), selection=Selection()).artifacts())
    assert str(error.value) == f"cannot read the list {here}/gone: No such file or directory"


def test_only_selected_files_are_listed(here: Path) -> None:
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


def test_every_key_of_dumb_pypi_is_read_and_others_are_ignored(here: Path) -> None:
    fields = {
        "sha256": A,
        "requires_python": ">=3.9, <4",
        "core_metadata": B,
        "upload_time": "2026-01-02T03:04:05Z",
        "yanked": 'broken <on> "purpose"',
    }
    assert read_list_with_files_url(here / "list", objects(EVERYTHING | {"something": {"else": [None]}})) == [
        link(**fields)
    ]
    assert read_list(here / "wheels/list", objects(EVERYTHING)) == [local(here / "wheels", FILE, **fields)]


def ignored(key: str, *values: Any) -> list[tuple[str, Any, dict[str, Any]]]:  # noqa: ANN401 (any JSON)
    """Return test cases for values that have no effect."""
    return [(key, value, {}) for value in values]


@pytest.mark.parametrize(
    ("key", "value", "fields"),
    [
        ("hash", f"sha256={A.upper()}", {"sha256": A}),
        ("hash", f"md5={MD5}", {"other_hash": f"md5={MD5}"}),
        ("hash", f"sha512={'e' * 128}", {"other_hash": f"sha512={'e' * 128}"}),
        *ignored("hash", None, "", [], {}),
        ("upload_timestamp", 0, {"upload_time": "1970-01-01T00:00:00Z"}),
        ("upload_timestamp", 1767323045.987, {"upload_time": "2026-01-02T03:04:05Z"}),
        *ignored("upload_timestamp", None, True, "1767323045", -1, -0.5e9, 10**30, 10**400, 1e300, []),
        ("requires_python", ">=3.9,\n <4", {"requires_python": ">=3.9, <4"}),
        *ignored("requires_python", None, "", 3, []),
        ("core_metadata", f"sha256={B}", {"core_metadata": B}),
        ("core_metadata", "true", {"core_metadata": ""}),
        *ignored("core_metadata", None, "", False),
        ("yanked_reason", "two\n lines\t", {"yanked": "two lines"}),
        ("yanked_reason", " ", {"yanked": ""}),
        *ignored("yanked_reason", None, ""),
        ("requires_dist", None, {}),
        ("uploaded_by", {"x": 1}, {}),
    ],
)
def test_values_are_read_as_dumb_pypi_reads_them_or_ignored(
    here: Path, key: str, value: object, fields: dict[str, Any]
) -> None:
    assert read_list_with_files_url(here / "list", objects({"filename": FILE, key: value})) == [link(**fields)]


@pytest.mark.parametrize("value", [1, ["sha256"], "sha256=zz", "sha256", f"blake2b={A}", A])
def test_an_unknown_hash_rejects_the_line(here: Path, value: object) -> None:
    reason = "`hash` is not a known hash. Give sha256= and 64 hexadecimal digits"
    assert read_list_with_files_url(here / "list", objects({"filename": FILE, "hash": value})) == [
        Rejected(location=f"{here}/list, line 1", reason=reason)
    ]


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", "-1e999"])
def test_a_timestamp_that_is_not_finite_is_ignored(here: Path, number: str) -> None:
    content = f'{{"filename": "{FILE}", "upload_timestamp": {number}}}'.encode()
    assert read_list_with_files_url(here / "list", content) == [link()]


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
def test_a_malformed_object_is_rejected_with_its_line_number(here: Path, text: str) -> None:
    content = objects({"filename": FILE}) + b"\n" + text.encode("latin-1") + b"\n" + objects({"filename": "x-1.0.zip"})
    found = read_list_with_files_url(here / "list", content)
    assert [found[0], *found[2:]] == [link(), link("x-1.0.zip")]
    assert isinstance(found[1], Rejected)
    assert found[1].location == line(here / "list", 3)


# --- from the command line ------------------------------------------------------------------------------------------


def run(*arguments: str) -> int:
    return cli.run([*arguments, "--no-cache", "--quiet"])


def published(root: Path) -> dict[str, list[dict[str, Any]]]:
    """Return the files on the JSON pages of an index, by project."""
    names = json.loads((root / "simple" / JSON).read_text())["projects"]
    return {name["name"]: json.loads((root / "simple" / name["name"] / JSON).read_text())["files"] for name in names}


def filenames(root: Path) -> list[str]:
    return [file["filename"] for files in published(root).values() for file in files]


def set_standard_input(monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))


def test_a_list_and_a_directory_make_the_same_index(here: Path) -> None:
    (here / "wheels/list.txt").write_text(f"{FILE}\ndemo-1.0.tar.gz\nsub/other-2.0-py3-none-any.whl\n")
    assert [run(str(here / "wheels/list.txt"), "one"), run("--recursive", str(here / "wheels"), "two")] == [0, 0]
    assert read_tree(Path("one")) == read_tree(Path("two"))


def test_paths_from_standard_input_are_relative_to_the_working_directory(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(here / "wheels")
    set_standard_input(monkeypatch, f"./{FILE}\nsub/other-2.0-py3-none-any.whl".encode())
    assert run("-", str(here / "public")) == 0
    assert filenames(here / "public") == [FILE, "other-2.0-py3-none-any.whl"]


def test_a_list_with_files_url_makes_an_index_without_local_files(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    entries = objects(
        EVERYTHING, {"filename": "demo-2.0.tar.gz"}, {"filename": "a/De_Mo.x-1.0+cu.zip", "hash": f"sha256={B}"}
    )
    set_standard_input(monkeypatch, entries)
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


def test_a_bad_line_is_rejected_and_the_others_are_published(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "wheels/list.jsonl").write_bytes(
        objects({"filename": FILE}) + b"{nonsense\n" + objects({"filename": "gone-1.0.zip"})
    )
    assert run(str(here / "wheels/list.jsonl"), "public") == 1
    assert filenames(Path("public")) == [FILE]
    first, second = capsys.readouterr().err.splitlines()
    assert first.startswith(f"rejected {here}/wheels/list.jsonl, line 2: ")
    assert second.startswith(f"rejected {here}/wheels/gone-1.0.zip: named in the list, but cannot be read: ")


def test_a_file_with_another_hash_than_the_list_says_is_rejected(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "wheels/list.jsonl").write_bytes(
        objects({"filename": FILE, "hash": f"sha256={A}"}, {"filename": "demo-1.0.tar.gz"})
    )
    assert run(str(here / "wheels/list.jsonl"), "public") == 1
    assert filenames(Path("public")) == ["demo-1.0.tar.gz"]
    assert f"and the page says {A}" in capsys.readouterr().err


@pytest.mark.parametrize("content", [b"", b"# nothing\n", b"README\n"])
def test_a_list_without_a_file_publishes_nothing(here: Path, monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    set_standard_input(monkeypatch, content)
    assert (run("-", "public"), (Path("public") / "simple").exists()) == (3, False)


def test_a_file_that_changes_while_standard_input_is_read_is_an_error(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    wheel = here / "wheels" / FILE
    set_standard_input(monkeypatch, f"{wheel}\n{here}/wheels/demo-1.0.tar.gz\n".encode())
    calls: list[int] = []

    def changing(artifacts: Iterable[Artifact], **options: Any) -> object:  # noqa: ANN401 (passed on)
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
def test_the_beginning_of_a_file_decides_how_it_is_read(here: Path, content: bytes, kind: str) -> None:
    (here / "file").write_bytes(content)
    assert type(open_with_defaults(str(here / "file"))).__name__ == kind


# --- compared with dumb-pypi ------------------------------------------------------------------------------------------

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


def read_anchors(root: Path) -> set[tuple[object, ...]]:
    """Return project, address, hash, requires-python, yanked and core-metadata of every anchor of project pages."""
    found: set[tuple[object, ...]] = set()
    for path in (root / "simple").glob(f"*/{HTML}"):
        for attributes in Anchors(path.read_text("utf-8")).found:
            url, fragment = urldefrag(urljoin("https://host.example/", attributes["href"] or ""))
            names = ("data-requires-python", "data-yanked", "data-core-metadata")
            found.add((path.parent.name, unquote(url), fragment, *(attributes.get(name) for name in names)))
    return found


def test_dumb_pypi_makes_equal_pages_from_the_same_list(here: Path) -> None:
    if not DUMB_PYPI.exists():
        skip_or_fail("dumb-pypi (make peers)")
    (here / "list.jsonl").write_bytes(objects(*LIST))
    command = [str(DUMB_PYPI), "--package-list-json", str(here / "list.jsonl"), "--packages-url", FILES_URL]
    subprocess.run([*command, "--output-dir", "theirs"], check=True, timeout=60)
    assert run(str(here / "list.jsonl"), "ours", "--files-url", FILES_URL) == 0
    theirs = read_anchors(Path("theirs"))
    assert len(theirs) == len(LIST)
    assert read_anchors(Path("ours")) == theirs
    for path in Path("ours/simple").glob(f"*/{JSON}"):
        links = parse_json(path.read_text(), f"https://host.example/{path}").links
        assert {unquote(link.url) for link in links} == {
            anchor[1] for anchor in theirs if anchor[0] == path.parent.name
        }
