"""What a filename, the archive and the metadata must agree on, and what is refused or listed with a warning."""

from __future__ import annotations

import io
import os
import tarfile
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from packaging.utils import InvalidWheelFilename, parse_wheel_filename

from mkindex.cache import Cache
from mkindex.distributions import describe
from mkindex.distributions.filenames import normal_filename
from mkindex.distributions.requirements import ELSEWHERE
from mkindex.errors import Misnamed, Rejected
from mkindex.examine import local as scan
from mkindex.model.files import Facts, File, Link
from support.examined import WHEEL, artifact, meaning, result, scanned, written
from support.wheels import metadata, sdist, wheel

if TYPE_CHECKING:
    from pathlib import Path

    from packaging.version import Version


# --- names (contract, section 4) ------------------------------------------------------------------------------------

ALIKE = [
    ("foo_bar-1.0.tar.gz", "Foo.Bar", "1.0", ("foo-bar", "1.0")),
    ("Foo.Bar-1.0.tar.gz", "foo_bar", "1.0", ("foo-bar", "1.0")),
    ("foo-bar-1.0.tar.gz", "foo-bar", "1.0", ("foo-bar", "1.0")),
    ("foo__bar-1.0.tar.gz", "foo--bar", "1.0", ("foo-bar", "1.0")),
    ("foo_bar-1.0.zip", "foo-bar", "1.0", ("foo-bar", "1.0")),
    ("foo-1.0-1.tar.gz", "foo", "1.0.post1", ("foo", "1.0.post1")),
    ("foo-1.0-1.tar.gz", "foo", "1.0-1", ("foo", "1.0.post1")),
    ("foo-1.0-1.tar.gz", "foo-1.0", "1", ("foo-1-0", "1")),
    ("foo-1.0-rc1.tar.gz", "foo", "1.0rc1", ("foo", "1.0rc1")),
    ("foo-v1.0.tar.gz", "foo", "1.0", ("foo", "1.0")),
    ("1-2-3.tar.gz", "1-2", "3", ("1-2", "3")),
    ("1-2-3.tar.gz", "1", "2.post3", ("1", "2.post3")),
    ("foo-1!2.0.tar.gz", "foo", "1!2.0", ("foo", "1!2.0")),
    ("foo-1.0+cu128.tar.gz", "foo", "1.0+cu128", ("foo", "1.0+cu128")),
    ("foo-01.0.0.tar.gz", "foo", "1.0", ("foo", "1.0.0")),
    ("foo-1!2.0-py3-none-any.whl", "foo", "1!2.0", ("foo", "1!2.0")),
    ("foo-1.0+cu128-py3-none-any.whl", "foo", "1.0+cu128", ("foo", "1.0+cu128")),
    ("foo-1.0+cu_128-py3-none-any.whl", "foo", "1.0+cu.128", ("foo", "1.0+cu.128")),
    ("foo.bar-1.0-py3-none-any.whl", "foo-bar", "1.0", ("foo-bar", "1.0")),
    ("Foo_Bar-1.0-py3-none-any.whl", "foo-bar", "1.0", ("foo-bar", "1.0")),
    *((f"foo-1.0-{b}-py3-none-any.whl", "foo", "1.0", ("foo", "1.0")) for b in ("1", "1abc", "1_abc.2")),
]


def archive_of(filename: str, name: str, version: str) -> bytes:
    if not filename.endswith(".whl"):
        return sdist(name, version, suffix=".zip" if filename.endswith(".zip") else ".tar.gz")
    return wheel(name, version)


@pytest.mark.parametrize(("filename", "name", "version", "expected"), ALIKE, ids=[f"{a[0]} {a[1]}" for a in ALIKE])
def test_a_filename_is_listed_as(
    tmp_path: Path, filename: str, name: str, version: str, expected: tuple[str, str]
) -> None:
    assert meaning(tmp_path, filename, archive_of(filename, name, version)) == expected


UNCLEAR = "the filename does not show where the project's name ends, and PKG-INFO says {}: build it again"
CHARACTERS = "the filename has characters other than letters, digits and ._+!-: rename it, or build it again"


@pytest.mark.parametrize(
    ("filename", "name", "version", "reason"),
    [
        ("foo-2004d.tar.gz", "bar", "2004", UNCLEAR.format("bar 2004")),
        ("foo-1.0-1.tar.gz", "bar", "1.0", UNCLEAR.format("bar 1.0")),
        ("foo.tar.gz", "bar", "1.0", UNCLEAR.format("bar 1.0")),
        (".tar.gz", "foo", "1.0", UNCLEAR.format("foo 1.0")),
        ("-1.0.tar.gz", "foo", "1.0", UNCLEAR.format("foo 1.0")),
        ("foo'-1.0.tar.gz", "foo", "1.0", CHARACTERS),
        ("foo<b>-1.0.tar.gz", "foo", "1.0", CHARACTERS),
        ("foo\n-1.0.tar.gz", "foo", "1.0", CHARACTERS),
        ("foo-1.0%00.tar.gz", "bar", "1.0", CHARACTERS),
        ("foo-1.0#.tar.gz", "bar", "1.0", CHARACTERS),
        ("foo\u202e-1.0.tar.gz", "foo", "1.0", CHARACTERS),
        ("föö-1.0.tar.gz", "foo", "1.0", CHARACTERS),
        (os.fsdecode(b"f\xff-1.0.tar.gz"), "foo", "1.0", CHARACTERS),
        ("foo 1.0-1.0-py3-none-any.whl", "foo", "1.0", CHARACTERS),
    ],
)
def test_a_filename_is_refused(tmp_path: Path, filename: str, name: str, version: str, reason: str) -> None:
    assert meaning(tmp_path, filename, archive_of(filename, name, version)) == reason


@pytest.mark.parametrize(
    "filename",
    [
        "foo-1.0_cu128-py3-none-any.whl",
        "foo-1_0-py3-none-any.whl",
        "foo__bar-1.0-py3-none-any.whl",
        "foo-bar-1.0-py3-none-any.whl",
        "foo-1.0-abc-py3-none-any.whl",
        "foo-1.0-py3-none-any-x86_64_v3.whl",
        "foo-1.0.whl",
        "foo.whl",
        ".whl",
    ],
)
def test_a_wheel_filename_that_clients_ignore_is_refused(tmp_path: Path, filename: str) -> None:
    reason = meaning(tmp_path, filename, wheel("bar", "1.0"))
    assert isinstance(reason, str)
    assert reason.endswith(": clients ignore it. Build it again")


@pytest.mark.parametrize("name", ["foo", "Foo.Bar", "foo__bar", "1", "", "foo bar"])
@pytest.mark.parametrize("version", ["1.0", "1", "1.0+a_b", "v1", "x", "", "1.0.post1"])
@pytest.mark.parametrize(
    "end", ["py3-none-any", "1-py3-none-any", "x-py3-none-any", "py3-none", "py3..py2-none-any", ""]
)
def test_the_parts_of_a_wheel_filename_are_judged_as_packaging_judges_the_whole(
    name: str, version: str, end: str
) -> None:
    filename = f"{name}-{version}-{end}.whl"
    expected: tuple[str, Version] | str
    try:
        expected = parse_wheel_filename(filename)[:2]
    except InvalidWheelFilename as error:
        expected = f"{error}: clients ignore it. Build it again"
    found: tuple[str, Version] | str
    try:
        found = describe._parse_wheel_filename(filename)
    except Misnamed as error:
        found = str(error)
    assert found == expected


def test_a_filename_that_leaves_no_room_for_its_metadata_is_refused(tmp_path: Path) -> None:
    versions = [f"1.0+{'a' * length}" for length in (221, 222)]
    names = [f"foo-{version}-py3-none-any.whl" for version in versions]
    assert [len(name) + len(".metadata") for name in names] == [255, 256]
    assert [meaning(tmp_path, *pair) for pair in zip(names, (wheel("foo", v) for v in versions), strict=True)] == [
        ("foo", versions[0]),
        "the filename is too long to append .metadata to it: build it again with a shorter name",
    ]


def test_a_name_that_only_looks_like_the_project_is_another(tmp_path: Path) -> None:
    kelvin = "\u212a"  # whose lower case is "k"
    reason = f"the filename says k 1.0, METADATA says {kelvin} 1.0: build it again, renaming is not enough"
    assert meaning(tmp_path, "k-1.0-py3-none-any.whl", wheel("k", "1.0", metadata=metadata(kelvin, "1.0"))) == reason


def test_files_that_clients_cannot_distinguish_have_one_normal_filename(tmp_path: Path) -> None:
    spellings = [
        "Foo.Bar-1.0-1-py3.py2-none-any.whl",
        "foo_bar-01.0-01-py2.py3-none-any.whl",
        "FOO_BAR-v1.0-001-py3.PY2-none-any.whl",
    ]
    for number, filename in enumerate(spellings):
        (tmp_path / str(number)).mkdir()
        written(tmp_path / str(number) / filename, wheel("foo-bar", "1.0"))
    files = scanned(*(tmp_path / str(number) / filename for number, filename in enumerate(spellings)))
    normal = "foo_bar-1.0-1-py2.py3-none-any.whl"
    assert [file.facts.normal_filename for file in files if isinstance(file, File)] == [normal] * 3


def test_build_tags_are_distinguished_by_number_and_text(tmp_path: Path) -> None:
    tags = ["0", "00", "0a", "1", "01", "10", "1a"]
    names = [f"demo-1.0-{tag}-py3-none-any.whl" for tag in tags]
    files = scanned(*(written(tmp_path / name, wheel("demo", "1.0")) for name in names))
    normal = [file.facts.normal_filename or file.filename for file in files if isinstance(file, File)]
    assert normal == [f"demo-1.0-{tag}-py3-none-any.whl" for tag in ("0", "0", "0a", "1", "1", "10", "1a")]


def sdist_without_pkg_info() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as file:
        file.addfile(tarfile.TarInfo("foo-1.0/setup.py"))
    return buffer.getvalue()


SDIST_WITHOUT_PKG_INFO = sdist_without_pkg_info()


def test_an_sdist_without_pkg_info_is_listed_by_its_filename_if_that_has_one_meaning(tmp_path: Path) -> None:
    but = "{} but it has no PKG-INFO: listed as {}, as the filename says"
    unclear = "the filename does not show where the project's name ends, and it has no PKG-INFO: build it again"
    assert {
        name: meaning(tmp_path, name, SDIST_WITHOUT_PKG_INFO) for name in ("foo-1.0.tar.gz", "foo-1.0-1.tar.gz")
    } == {
        "foo-1.0.tar.gz": ("foo", but.format("1.0", "foo 1.0")),
        "foo-1.0-1.tar.gz": unclear,
    }


# --- the page that an sdist is on -------------------------------------------------------------------------------------


def test_the_page_of_an_sdist_decides_what_its_name_means_but_not_for_other_sources(tmp_path: Path) -> None:
    path = written(tmp_path / "foo-1.0-1.tar.gz", SDIST_WITHOUT_PKG_INFO)
    plain = artifact(path)
    on_page = plain._replace(link=Link(url="file:", filename=path.name, project="foo"))
    with Cache(tmp_path / "cache") as cache, ThreadPoolExecutor(1) as executor:
        for artifacts in ([plain, on_page], [on_page, plain], [on_page], [plain, on_page]):
            files = scan.scan(artifacts, cache=cache, executor=executor, progress=lambda _: None)
            found = {one.link is None: file for one, file in zip(artifacts, files, strict=True)}
            assert isinstance(found.get(True, ""), Rejected | str)
            listed = found[False]
            assert isinstance(listed, File)
            assert (listed.project, listed.version) == ("foo", "1.0.post1")


# --- name, dist-info and METADATA must agree ------------------------------------------------------------------------

NOT_UTF8 = "METADATA is not UTF-8: pip would stop with an error, also for projects that require it. Build it again"
RENAMED = "the filename says foo 1.0, METADATA says {}: build it again, renaming is not enough"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (wheel("foo", "1.0", metadata=metadata("bar", "1.0")), RENAMED.format("bar 1.0")),
        (wheel("foo", "1.0", metadata=metadata("foo", "1.1")), RENAMED.format("foo 1.1")),
        (wheel("foo", "1.0", metadata=metadata("foo", "soon\x1b")), RENAMED.format(r"foo soon\x1b")),
        (wheel("foo", "1.0", metadata=metadata("foo", "9" * 5000)), RENAMED.format("foo " + "9" * 5000)),
        (wheel("foo", "1.0", metadata=metadata("föö", "1.0")), RENAMED.format("föö 1.0")),
        (wheel("bar", "1.0"), "the filename says foo 1.0, but it contains bar-1.0.dist-info: build it again"),
        (
            wheel("foo", "1.0", dist_info="foo.dist-info"),
            "the filename says foo 1.0, but it contains foo.dist-info: build it again",
        ),
        (
            wheel("foo", "1.0", dist_info=".dist-info"),
            "the filename says foo 1.0, but it contains .dist-info: build it again",
        ),
        (wheel("foo", "1.0", metadata=b""), "its metadata has no Name, Version: build it again"),
        (wheel("foo", "1.0", metadata=metadata("foo", "1.0", headers=["Author: X"]).replace(b"X", b"\xe9")), NOT_UTF8),
        (wheel("foo", "1.0", metadata=metadata("foo", "1.0", body="X").replace(b"X", b"\xed\xa0\x80")), NOT_UTF8),
    ],
    ids=lambda value: value if isinstance(value, str) and len(value) < 200 else "",
)
def test_a_wheel_that_disagrees_with_itself_is_refused(tmp_path: Path, content: bytes, reason: str) -> None:
    found = result(tmp_path, WHEEL, content)
    assert isinstance(found, str)
    assert found[: len(reason)] == reason


@pytest.mark.parametrize("dist_info", ["Foo-1.0.dist-info", "foo-1.0.0.dist-info", "foo-v1.0.dist-info"])
def test_another_spelling_of_name_and_version_is_accepted(tmp_path: Path, dist_info: str) -> None:
    content = wheel("foo", "1.0", dist_info=dist_info, metadata=metadata("FOO", "01.0.0", metadata_version="2.9"))
    assert meaning(tmp_path, WHEEL, content) == ("foo", "1.0")


NOT_VALID = (
    "Requires-Python '{}' is not valid and is left out: pip ignores it, but uv may ignore the file. Correct it and "
    "build the file again"
)
BUILD_TAG = (
    "{} but it contains {}.dist-info, with a build tag: pip and uv install it, but uv then takes it for version {} and "
    "installs it again each time. Build it again"
)


@pytest.mark.parametrize(
    ("dist_info", "version", "installed"),
    [("foo-1.0-1", "1.0", "1.0.post1"), ("foo-1.0-12", "1.0", "1.0.post12"), ("Foo-1.0.0-1", "1.0", "1.0.0.post1")],
)
@pytest.mark.parametrize("filename", ["foo-1.0-1-py3-none-any.whl", WHEEL])
def test_a_number_as_build_tag_in_the_name_of_dist_info_is_accepted_with_a_warning(
    tmp_path: Path, filename: str, dist_info: str, version: str, installed: str
) -> None:
    content = wheel("foo", version, dist_info=f"{dist_info}.dist-info")
    assert meaning(tmp_path, filename, content) == ("foo", BUILD_TAG.format(version, dist_info, installed))


def test_a_warning_of_the_metadata_is_kept_beside_that_of_a_build_tag(tmp_path: Path) -> None:
    found = result(tmp_path, WHEEL, wheel("foo", "1.0", dist_info="foo-1.0-1.dist-info", requires_python="x"))
    assert isinstance(found, Facts)
    assert found.warning == f"{NOT_VALID.format('x')}\n{BUILD_TAG.format('', 'foo-1.0-1', '1.0.post1')[len(' but ') :]}"


@pytest.mark.parametrize(
    ("dist_info", "version"),
    [
        ("foo-1.0-1abc", "1.0"),
        ("foo-1.0-\u0661", "1.0"),
        ("foo-1.1-1", "1.0"),
        ("bar-1.0-1", "1.0"),
        ("foo-1.0-1-2", "1.0"),
        ("foo-1-1.0", "1.0"),
        ("foo-1.0.post1-1", "1.0.post1"),
    ],
)
def test_any_other_name_of_dist_info_is_refused(tmp_path: Path, dist_info: str, version: str) -> None:
    found = result(
        tmp_path, f"foo-{version}-py3-none-any.whl", wheel("foo", version, dist_info=f"{dist_info}.dist-info")
    )
    assert found == f"the filename says foo {version}, but it contains {dist_info}.dist-info: build it again"


def test_an_sdist_with_the_pkg_info_of_another_project_is_refused(tmp_path: Path) -> None:
    content = sdist("foo", "1.0", pkg_info=metadata("bar", "1.0"))
    reason = "the filename says foo 1.0, PKG-INFO says bar 1.0: pip and uv refuse it. Build it again"
    assert result(tmp_path, "foo-1.0.tar.gz", content) == reason


def test_an_sdist_with_the_pkg_info_of_another_version_should_have_its_name(tmp_path: Path) -> None:
    found = result(tmp_path, "foo-1.0.tar.gz", sdist("foo", "1.0", pkg_info=metadata("foo", "2.0")))
    assert isinstance(found, Facts)
    assert (found.version, found.right_filename) == ("2.0", "foo-2.0.tar.gz")


def test_the_pkg_info_of_an_sdist_need_not_be_utf_8_since_clients_read_what_its_build_writes(tmp_path: Path) -> None:
    pkg_info = metadata("foo", "1.0", headers=["Author: X"]).replace(b"X", b"\xe9")
    assert meaning(tmp_path, "foo-1.0.tar.gz", sdist("foo", "1.0", pkg_info=pkg_info)) == ("foo", "1.0")


@pytest.mark.parametrize("version", ["3.0", "0.9", "2", "2.x", "\x1b", "\u0662.1", "2.1.1"])
def test_an_unknown_metadata_version_is_listed_with_a_warning_since_clients_install_it(
    tmp_path: Path, version: str
) -> None:
    shown = version.replace("\x1b", "\\\\x1b")
    text = f"Metadata-Version '{shown}' is unknown (1.0 to 2.x are known): pip and uv install it, other tools may not"
    for filename, content in ((WHEEL, wheel), ("foo-1.0.tar.gz", sdist)):
        assert meaning(tmp_path, filename, content("foo", "1.0", metadata_version=version)) == (
            "foo",
            f"1.0 but {text}",
        )


def test_requirements_that_clients_cannot_use_are_a_warning_for_each_kind(tmp_path: Path) -> None:
    requires = [
        "good>=1",
        "six~=1",
        "six~=2",
        "b===c",
        "six~=1",
        "\x1b",
        "six~=3",
        "six~=4",
        "good; os_name ~= 'x'",
        "a @ https://h/a",
    ]
    pip = "cannot be parsed: pip ignores the file and takes an older version, and so does uv unless it can guess the "
    stops, again = "pip stops with an error", ". Correct it and build the file again"
    lines = [
        rf"Requires-Dist 'six~=1, six~=2, \\x1b and 2 more' {pip}meaning{again}",
        f"Requires-Dist 'b===c' is not valid for uv, which ignores the file and takes an older version{again}",
        f"""Requires-Dist "good; os_name ~= 'x'" has a marker that compares what cannot be compared: {stops}{again}""",
        f"Requires-Dist 'a @ https://h/a' {ELSEWHERE}. Publish that project, too, and require it by a version",
    ]
    for filename, content in ((WHEEL, wheel), ("foo-1.0.tar.gz", sdist)):
        found = result(tmp_path, filename, content("foo", "1.0", requires_dist=requires))
        assert isinstance(found, Facts)
        assert found.warning.splitlines() == lines


@pytest.mark.parametrize("value", [">=3.9", ">= 3.9, <4", "~=3.9", "==3.*", "!=3.0.*,>=2.7", ">=3.9,"])
def test_a_valid_requires_python_is_kept_as_it_is_written(tmp_path: Path, value: str) -> None:
    for filename, content in ((WHEEL, wheel), ("foo-1.0.tar.gz", sdist)):
        found = result(tmp_path, filename, content("foo", "1.0", requires_python=value))
        assert isinstance(found, Facts)
        assert (found.requires_python, found.warning) == (value, "")


@pytest.mark.parametrize("value", [">=3.9.*", "3.9", ">=3.x", "<a\x1b", "=>3", ">=3 or <2", "é"])
def test_an_invalid_requires_python_is_left_out_with_a_warning(tmp_path: Path, value: str) -> None:
    shown = value.replace("\x1b", r"\x1b")
    for filename, content in ((WHEEL, wheel), ("foo-1.0.tar.gz", sdist)):
        found = result(tmp_path, filename, content("foo", "1.0", requires_python=value))
        assert isinstance(found, Facts)
        assert (found.requires_python, found.warning) == (
            "",
            NOT_VALID.format(shown.replace("\\", "\\\\")),
        )


@pytest.mark.parametrize("value", [",>=3.9", ">=3.9,,<4", ">=3.9, ,<4", ",,", ">=" + "9" * 5000])
def test_a_requires_python_that_only_pip_can_read_is_left_out_with_a_warning(tmp_path: Path, value: str) -> None:
    found = result(tmp_path, WHEEL, wheel("foo", "1.0", requires_python=value))
    assert isinstance(found, Facts)
    only_pip = NOT_VALID.format(value).replace("pip ignores it, but uv may ignore", "pip uses it, but uv ignores")
    assert (found.requires_python, found.warning) == ("", only_pip)


@pytest.mark.parametrize(
    "end",
    [
        *("py3-none-any", "cp312-abi3-manylinux_2_17_x86_64", "py3.py2-none-any", "1-py3-none-any", "01b-py3-none-any"),
        *("PY3-none-any", "py3-none-any-cu128", "1-py3-none-any-cu128"),
    ],
)
def test_a_filename_in_normal_form_is_recognized(end: str) -> None:
    usual, other = (normal_filename(f"{name}-1.0-{end}.whl", "demo-x", "1.0") for name in ("demo_x", "Demo.x"))
    assert usual == other
