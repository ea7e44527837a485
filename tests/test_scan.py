"""An artifact becomes a File with the facts that its name and its bytes agree on, or a rejection that says why."""

from __future__ import annotations

import errno
import gzip
import hashlib
import io
import os
import struct
import tarfile
import tracemalloc
import zipfile
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from mkindex import parallel
from mkindex.cache import Cache
from mkindex.distributions import tarballs as tarball
from mkindex.distributions import zips as archive
from mkindex.distributions.requirements import ELSEWHERE
from mkindex.errors import DestinationError, Rejected
from mkindex.examine import local as scan
from mkindex.examine.local import examine
from mkindex.model.files import CHUNK, Artifact, Facts, File, Fingerprint, Link, format_upload_time
from support.wheels import metadata, sdist, wheel, write_sdist, write_wheel

if TYPE_CHECKING:
    from pathlib import Path

    from mkindex.distributions.zip_directory import ReadAt

MTIME, UPLOADED = 1_600_000_000, "2020-09-13T12:26:40Z"
WHEEL = "foo-1.0-py3-none-any.whl"


def artifact(path: Path) -> Artifact:
    return Artifact(root=str(path.parent), relative=path.name, fingerprint=Fingerprint.of(path.stat()))


def scanned(*paths: Path) -> list[File | Rejected]:
    with ThreadPoolExecutor(2) as executor:
        return list(
            scan.scan([artifact(path) for path in paths], cache=Cache(None), executor=executor, progress=lambda _: None)
        )


def written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def result(directory: Path, filename: str, content: bytes) -> Facts | str:
    """The outcome for a file with this name and these bytes."""
    outcome = examine(artifact(written(directory / filename, content)))
    assert outcome.fingerprint == Fingerprint.of((directory / filename).stat())
    return outcome.result


def meaning(directory: Path, filename: str, content: bytes) -> tuple[str, str] | str:
    """The project and version that a file is listed as, or why it is rejected; a warning follows a "but"."""
    found = result(directory, filename, content)
    if isinstance(found, str):
        return found
    return found.project, found.version + (f" but {found.warning}" if found.warning else "")


# --- files ----------------------------------------------------------------------------------------------------------


def test_a_wheel_and_an_sdist_become_files_with_all_their_facts(tmp_path: Path) -> None:
    paths = [
        write_wheel(tmp_path, "Foo.Bar", "1.0", requires_python=">=3.9", mtime=MTIME),
        write_sdist(tmp_path, "foo", "1!2.0rc1", requires_python="~= 3.9", mtime=MTIME),
    ]
    raw = metadata("Foo.Bar", "1.0", requires_python=">=3.9")
    start = paths[0].read_bytes().index(raw)
    assert scanned(*paths) == [
        File(
            artifact(paths[0]),
            Facts(
                project="foo-bar",
                version="1.0",
                sha256=hashlib.sha256(paths[0].read_bytes()).hexdigest(),
                requires_python=">=3.9",
                core_metadata=hashlib.sha256(raw).hexdigest(),
                metadata_span=f"{start} {len(raw)} {len(raw)} 0",
                upload_time=UPLOADED,
                metadata_name="Foo.Bar",
            ),
            "foo_bar-1.0-py3-none-any.whl",
        ),
        File(
            artifact(paths[1]),
            Facts(
                project="foo",
                version="1!2.0rc1",
                sha256=hashlib.sha256(paths[1].read_bytes()).hexdigest(),
                requires_python="~= 3.9",
                upload_time=UPLOADED,
            ),
            "foo-1!2.0rc1.tar.gz",
        ),
    ]


def test_outcomes_are_in_the_order_of_the_artifacts_whatever_their_size(tmp_path: Path) -> None:
    large = {"foo/data": bytes(2 * CHUNK)}
    paths = [
        write_wheel(tmp_path, "foo", f"{n}.0", files=large if n % 2 else None)
        if n % 3
        else written(tmp_path / f"{n}.whl", b"")
        for n in range(12)
    ]
    assert [
        os.path.basename(outcome.location) if isinstance(outcome, Rejected) else outcome.filename
        for outcome in scanned(*paths)
    ] == [path.name for path in paths]


def test_a_large_file_is_hashed_by_the_given_hasher_from_its_start(tmp_path: Path) -> None:
    large = write_wheel(tmp_path, "large", "1.0", files={"foo/data": bytes(2 * CHUNK)})
    small = write_wheel(tmp_path, "small", "1.0")
    told: list[tuple[str, bytes]] = []

    def hasher(artifact: Artifact, stream: io.FileIO) -> str:
        told.append((artifact.path, stream.read()))
        return "told"

    facts = [examine(artifact(path), hasher).result for path in (large, small)]
    assert [one.sha256 for one in facts if isinstance(one, Facts)] == [
        "told",
        hashlib.sha256(small.read_bytes()).hexdigest(),
    ]
    assert told == [(str(large), large.read_bytes())]


def test_a_hasher_may_reject_a_file_that_cannot_be_read_or_end_the_scan(tmp_path: Path) -> None:
    path = write_wheel(tmp_path, "large", "1.0", files={"foo/data": bytes(2 * CHUNK)})
    errors: list[Exception] = [OSError(errno.EIO, "broken"), DestinationError("full")]

    def hasher(artifact: Artifact, stream: io.FileIO) -> str:
        raise errors.pop(0)

    assert examine(artifact(path), hasher) == scan.Examined(None, "cannot be read: broken")
    with pytest.raises(DestinationError, match="full"):
        examine(artifact(path), hasher)


@pytest.mark.parametrize(
    "content", [wheel("foo", "1.0"), wheel("foo", "1.0", compressed=True), b"", b"x", wheel("f", "1")]
)
def test_a_file_read_in_pieces_has_the_same_facts_as_one_read_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes
) -> None:
    whole = result(tmp_path, WHEEL, content)
    monkeypatch.setattr(scan, "CHUNK", 10)
    assert result(tmp_path, WHEEL, content) == whole


def test_many_processes_find_the_same_as_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parallel, "_MIN_ITEMS", 2)
    paths = [write_wheel(tmp_path, "foo", f"{n}.0") for n in range(9)] + [written(tmp_path / "bad.whl", b"x")]
    artifacts = [artifact(path) for path in paths]
    found = []
    for processes in (1, 2, 4, 20):
        with ThreadPoolExecutor(1) as executor:
            outcomes = scan.scan(
                artifacts, cache=Cache(None), executor=executor, progress=lambda _: None, processes=processes
            )
            found.append(list(outcomes))
    assert found == [scanned(*paths)] * 4


def test_progress_is_called_with_every_byte_of_a_file(tmp_path: Path) -> None:
    paths = [write_wheel(tmp_path, "foo", "1.0"), written(tmp_path / "bad.whl", b"x" * 100)]
    told: list[int] = []
    with ThreadPoolExecutor(1) as executor:
        list(scan.scan([artifact(p) for p in paths], cache=Cache(None), executor=executor, progress=told.append))
    assert told == [path.stat().st_size for path in paths]


def test_the_upload_time_is_the_mtime_in_whole_seconds(tmp_path: Path) -> None:
    path = write_wheel(tmp_path, "foo", "1.0")
    os.utime(path, ns=(0, MTIME * 10**9 + 999_999_999))
    (file,) = scanned(path)
    assert isinstance(file, File)
    assert file.upload_time == UPLOADED


def test_a_time_that_clients_cannot_read_is_no_upload_time() -> None:
    assert {seconds: format_upload_time(seconds) for seconds in (-1, 0, 253_402_300_799, 253_402_300_800)} == {
        -1: "",
        0: "1970-01-01T00:00:00Z",
        253_402_300_799: "9999-12-31T23:59:59Z",
        253_402_300_800: "",
    }


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


# --- what is no distribution ----------------------------------------------------------------------------------------

POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:%064d\nsize 12345\n" % 0


@pytest.mark.parametrize("ending", ["whl", "tar.gz", "zip"])
def test_the_reason_names_the_format_of_a_file_that_is_not_an_archive(tmp_path: Path, ending: str) -> None:
    filename = f"foo-1.0{'-py3-none-any' * (ending == 'whl')}.{ending}"
    kind = {"whl": "wheel", "tar.gz": "gzip archive", "zip": "zip archive"}[ending]
    page = b"\n  <!doctype html><title>404</title>"
    contents = {"pointer": POINTER, "page": page, "nothing": b"", "noise": b"x" * 99}
    assert {name: result(tmp_path, filename, content) for name, content in contents.items()} == {
        "pointer": f"a Git LFS pointer, not the {kind} itself: run `git lfs pull`",
        "page": f"an HTML or XML page, not a {kind}: download it again",
        "nothing": "an empty file: copy it again",
        "noise": f"not a {kind} (damaged or incomplete): copy it again",
    }


def test_a_path_that_is_not_a_file_any_more_is_refused_without_waiting(tmp_path: Path) -> None:
    artifacts = [artifact(written(tmp_path / f"{name}.whl", b"x")) for name in ("gone", "pipe", "directory")]
    for found in artifacts:
        os.unlink(found.path)
    os.mkfifo(tmp_path / "pipe.whl")
    (tmp_path / "directory.whl").mkdir()
    assert [tuple(examine(found)) for found in artifacts] == [
        (None, "cannot be read: No such file or directory"),
        (None, "not a regular file. Copy the file itself into the source"),
        (None, "not a regular file. Copy the file itself into the source"),
    ]


def test_a_file_that_changes_while_it_is_read_is_left_to_the_next_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_wheel(tmp_path, "foo", "1.0")
    found = artifact(path)
    read = archive.read_wheel

    def growing(read_at: ReadAt, size: int) -> archive.Wheel:
        with path.open("ab") as file:
            file.write(b"more")
        return read(read_at, size)

    monkeypatch.setattr(archive, "read_wheel", growing)
    assert tuple(examine(found)) == (
        None,
        "changed while it was read: the next run takes it when it is complete",
    )


def test_a_file_that_changed_since_it_was_listed_is_read_in_its_new_state(tmp_path: Path) -> None:
    path = write_wheel(tmp_path, "foo", "1.0")
    listed = artifact(path)
    path.write_bytes(wheel("foo", "1.0", requires_python=">=3.9"))
    with ThreadPoolExecutor(1) as executor:
        (file,) = scan.scan([listed], cache=Cache(None), executor=executor, progress=lambda _: None)
    assert isinstance(file, File)
    assert (file.artifact, file.sha256) == (artifact(path), hashlib.sha256(path.read_bytes()).hexdigest())


def test_a_disk_error_is_the_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_wheel(tmp_path, "foo", "1.0")

    def failing(*_: object) -> bytes:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(archive, "read_wheel", failing)
    assert scanned(path) == [Rejected(location=str(path), reason="cannot be read: Input/output error")]


@pytest.mark.parametrize("error", [RuntimeError, RecursionError, IndexError, OverflowError, ValueError, KeyError])
def test_an_unforeseen_error_in_a_parser_does_not_stop_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    bad, good = write_sdist(tmp_path, "foo", "1.0"), write_wheel(tmp_path, "foo", "1.0")

    def stumbling(*_: object) -> bytes:
        raise error("odd")

    monkeypatch.setattr(tarball, "read_tar_sdist", stumbling)
    outcomes = scanned(bad, good)
    assert [(type(outcome), getattr(outcome, "location", None)) for outcome in outcomes] == [
        (Rejected, str(bad)),
        (File, None),
    ]


# --- damage ---------------------------------------------------------------------------------------------------------

DAMAGED = {
    WHEEL: wheel("foo", "1.0", requires_python=">=3.9"),
    "foo-1.0-1-py3-none-any.whl": wheel("foo", "1.0", requires_python=">=3.9", compressed=True),
    "foo-1.0.zip": sdist("foo", "1.0", requires_python=">=3.9", suffix=".zip", backend=False, files={}),
    "foo-1.0.tar.gz": gzip.compress(
        gzip.decompress(sdist("foo", "1.0", requires_python=">=3.9", backend=False, files={})), mtime=0
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("filename", DAMAGED)
def test_a_file_with_any_one_bit_wrong_is_refused_or_means_the_same(tmp_path: Path, filename: str) -> None:
    content = DAMAGED[filename]
    whole = result(tmp_path, filename, content)
    assert isinstance(whole, Facts)
    wrong = []
    descriptor = os.open(tmp_path / filename, os.O_WRONLY)
    try:
        for at, byte in enumerate(content):
            for bit in range(8):
                flipped = bytes([byte ^ 1 << bit])
                os.pwrite(descriptor, flipped, at)
                found = examine(artifact(tmp_path / filename)).result
                if isinstance(found, Facts):
                    sha256 = hashlib.sha256(content[:at] + flipped + content[at + 1 :]).hexdigest()
                    # The end of a deflated member is also in the zip's directory, and not needed there.
                    expected = whole._replace(
                        upload_time=found.upload_time, metadata_span=found.metadata_span, sha256=sha256
                    )
                    if found != expected:
                        wrong.append((at, bit, found))
            os.pwrite(descriptor, bytes([byte]), at)
    finally:
        os.close(descriptor)
    assert wrong == []


@pytest.mark.parametrize("filename", DAMAGED)
def test_a_file_that_is_cut_off_anywhere_is_refused(tmp_path: Path, filename: str) -> None:
    path = written(tmp_path / filename, DAMAGED[filename])
    accepted = []
    for size in reversed(range(len(DAMAGED[filename]))):
        os.truncate(path, size)
        if isinstance(examine(artifact(path)).result, Facts):
            accepted.append(size)
    assert accepted == []


def test_an_offset_in_a_zip_that_no_file_has_is_refused(tmp_path: Path) -> None:
    name = b"foo-1.0.dist-info/METADATA"
    extra = struct.pack("<HHQ", 1, 8, (1 << 64) - 1)
    fields = (20, 20, 0, 0, 0, 0, 0, 1, 1, len(name), len(extra), 0, 0, 0, 0, 0xFFFFFFFF)
    entry = struct.pack("<4s6H3L5H2L", b"PK\1\2", *fields) + name + extra
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 1, 1, len(entry), 4, 0)
    for padding in (b"PK\3\4", b"PK\3\4" + bytes(2 * CHUNK)):
        moved = end[:16] + struct.pack("<L", len(padding)) + end[20:]
        assert isinstance(result(tmp_path, WHEEL, padding + entry + moved), str)


def test_a_wheel_costs_memory_for_its_metadata_only(tmp_path: Path) -> None:
    path = tmp_path / WHEEL
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("foo/data", bytes(64 << 20))
        file.writestr("foo-1.0.dist-info/METADATA", metadata("foo", "1.0"))
        file.writestr("foo-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\n")
        file.writestr("foo-1.0.dist-info/RECORD", "")
    tracemalloc.start()
    try:
        assert isinstance(examine(artifact(path)).result, Facts)
        assert tracemalloc.get_traced_memory()[1] < 2 << 20
    finally:
        tracemalloc.stop()
