"""Files whose names were changed on their way: rejected with the right name, or published under it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mkindex.config import Config
from mkindex.distributions.filenames import wheel_filename
from mkindex.errors import ConfigError, Note, Rejected
from support import command_line
from support.builds import cold_build, publish
from support.remote_builds import Run, page_of_links
from support.scripted_server import file_route
from support.trees import read_tree
from support.wheels import metadata, sdist, wheel, write_wheel

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from mkindex.build.report import Report
    from support.scripted_server import ScriptedServer

pytestmark = pytest.mark.usefixtures("isolated")

CU12 = "demo-1.0+cu12-py3-none-any.whl"
RIGHT = "demo-1.0-py3-none-any.whl"
WRONG = "not the filename that the metadata says: rename it to"
# For each filename, what is in the file, and the filename that this says.
RENAMED = {
    "demo-1.0%2Bcu12-py3-none-any.whl": (wheel("demo", "1.0+cu12"), CU12),
    "demo-1.0.cu12-py3-none-any.whl": (wheel("demo", "1.0+cu12"), CU12),
    "demo-1.0_cu12-py3-none-any.whl": (wheel("demo", "1.0+cu12"), CU12),
    "demo-1.0.1-py3-none-any.whl": (wheel("demo", "1.0+1"), "demo-1.0+1-py3-none-any.whl"),
    "demo-1_3.1-py3-none-any.whl": (wheel("demo", "1!3.1"), "demo-1!3.1-py3-none-any.whl"),
    "demo-1.0-py3-none-any (1).whl": (wheel("demo", "1.0"), RIGHT),
    "demo-1.0-py3-none-any(1).whl": (wheel("demo", "1.0"), RIGHT),
    "demo-1.0-py3-none-any-S80.whl": (wheel("demo", "1.0"), RIGHT),
    "demo-1.0.whl": (wheel("demo", "1.0"), RIGHT),
    "my-demo-1.0-py3-none-any.whl": (wheel("my-demo", "1.0"), "my_demo-1.0-py3-none-any.whl"),
    "demo-1.0-2-py3-none-any (1).whl": (wheel("demo", "1.0", build="2"), "demo-1.0-2-py3-none-any.whl"),
    "demo-1.0-py2.py3-none-any (1).whl": (
        wheel("demo", "1.0", tag="py2.py3-none-any"),
        "demo-1.0-py2.py3-none-any.whl",
    ),
    "demo-1.0-cp311-manylinux (1).whl": (
        wheel("demo", "1.0", tag="cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64"),
        "demo-1.0-cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64.whl",
    ),
    "Demo-1.0-py3-none-any (1).whl": (wheel("demo", "1.0", dist_info="Demo-1.0.dist-info"), f"D{RIGHT[1:]}"),
    "demo-1.0.cu12.tar.gz": (sdist("demo", "1.0+cu12"), "demo-1.0+cu12.tar.gz"),
    "demo-1.0%2Bcu12.zip": (sdist("demo", "1.0+cu12", suffix=".zip"), "demo-1.0+cu12.zip"),
    "My.Demo-1.0 (1).tar.gz": (sdist("My.Demo", "1.0"), "my_demo-1.0.tar.gz"),
    "foo-1.0.linux-x86_64.tar.gz": (sdist("foo", "1.0"), "foo-1.0.tar.gz"),
}
# What mkindex cannot tell the right name of.
UNCLEAR = {
    "of another project": wheel("other", "1.0"),
    "of another project, whose name begins alike": wheel("dem", "1.0"),
    "METADATA and .dist-info differ": wheel("demo", "1.0", metadata=metadata("demo", "2.0")),
    "a tag that is not one": wheel("demo", "1.0", tag="py3"),
    "a name with a slash": wheel("demo", "1.0", dist_info="demo-1.0\\..dist-info"),
}


@pytest.fixture
def wheels(tmp_path: Path) -> Path:
    directory = tmp_path / "wheels"
    directory.mkdir()
    write_wheel(directory, "good", "1.0")
    return directory


def published(report: Report) -> set[str]:
    return {file.filename for file in report.files}


@pytest.mark.parametrize(("filename", "content", "right"), [(name, *rest) for name, rest in RENAMED.items()])
def test_a_file_is_rejected_with_the_name_that_it_should_have_or_published_under_it(
    wheels: Path, tmp_path: Path, filename: str, content: bytes, right: str
) -> None:
    (wheels / filename).write_bytes(content)
    location = str(wheels / filename)
    of_many = "not the filename that the metadata says: rename them, or use --fix-names"
    rejected = Rejected(location=location, reason=f"{WRONG} {right}, or use --fix-names", reason_of_many=of_many)
    assert publish(wheels, tmp_path / "public").findings == (rejected,)
    note = Note(
        location=location,
        text=f"published as {right}, as its metadata says",
        text_of_many="published under the filenames that their metadata says",
    )
    assert publish(wheels, tmp_path / "public", fix_names=True).findings == (note,)
    (wheels / filename).rename(wheels / right)
    assert read_tree(tmp_path / "public") == cold_build(wheels)


@pytest.mark.parametrize("content", UNCLEAR.values(), ids=UNCLEAR)
def test_no_name_is_suggested_if_the_metadata_does_not_say_one_clearly(
    wheels: Path, tmp_path: Path, content: bytes
) -> None:
    (wheels / "demo-1.0-py3-none-any-x.whl").write_bytes(content)
    report = publish(wheels, tmp_path / "public", fix_names=True)
    assert published(report) == {"good-1.0-py3-none-any.whl"}
    assert [one.reason.rpartition(": ")[2] for one in report.rejected] == ["clients ignore it. Build it again"]


def test_no_filename_has_more_combinations_of_tags_than_wheel() -> None:
    lines = [f"Tag: {tag}\n" for tag in ("py3-none-any", "py2-none-any", "cp311-cp311-linux_x86_64")]
    assert wheel_filename("demo-1.0", "".join(lines[:2])) == "demo-1.0-py3.py2-none-any.whl"
    assert wheel_filename("demo-1.0", "".join(lines)) == ""


def test_the_same_file_under_its_own_name_is_listed_once(wheels: Path, tmp_path: Path) -> None:
    (wheels / "good-1.0-py3-none-any (1).whl").write_bytes((wheels / "good-1.0-py3-none-any.whl").read_bytes())
    assert published(publish(wheels, tmp_path / "public", fix_names=True)) == {"good-1.0-py3-none-any.whl"}


def test_another_file_under_the_same_name_is_rejected(wheels: Path, tmp_path: Path) -> None:
    (wheels / "good-1.0-py3-none-any (1).whl").write_bytes(wheel("good", "1.0", files={"good.py": b""}))
    report = publish(wheels, tmp_path / "public", fix_names=True, allow_empty=True)
    assert (report.files, len(report.rejected)) == ((), 2)


def test_the_cache_serves_builds_with_and_without_the_option(wheels: Path, tmp_path: Path) -> None:
    (wheels / "demo-1.0-py3-none-any (1).whl").write_bytes(wheel("demo", "1.0"))
    found = [
        published(publish(wheels, tmp_path / "public", fix_names=fix_names, cache_dir=str(tmp_path / "cache")))
        for fix_names in (True, False, True)
    ]
    good = "good-1.0-py3-none-any.whl"
    assert found == [{good, RIGHT}, {good}, {good, RIGHT}]


def test_many_renamed_files_are_one_line(wheels: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for number in range(5):
        (wheels / f"demo-1.{number}.cu12-py3-none-any.whl").write_bytes(wheel("demo", f"1.{number}+cu12"))
    first = ", ".join(f"demo-1.{number}.cu12-py3-none-any.whl" for number in range(3))
    public = str(tmp_path / "public")
    assert [command_line.Run(capsys, str(wheels), public, *option).err for option in ([], ["--fix-names"])] == [
        f"rejected 5 files: {WRONG.replace('it to', 'them')}, or use --fix-names ({first} and 2 more; -v names all)\n",
        f"note 5 files: published under the filenames that their metadata says ({first} and 2 more; -v names all)\n",
    ]
    lines = command_line.Run(capsys, str(wheels), public, "-v").err.splitlines()
    assert lines[0] == (f"rejected {wheels}/demo-1.0.cu12-py3-none-any.whl: {WRONG} {CU12}, or use --fix-names")
    assert len(lines) == 5


def test_a_file_that_pages_link_to_elsewhere_cannot_get_another_name(wheels: Path, tmp_path: Path) -> None:
    (wheels / "good-1.0-py3-none-any.whl").rename(wheels / "good-1.0-py3-none-any (1).whl")
    report = publish(wheels, tmp_path / "public", files_url="https://host.example/", allow_empty=True)
    assert [one.reason for one in report.rejected] == [f"{WRONG} good-1.0-py3-none-any.whl"]
    with pytest.raises(ConfigError, match="fix_names and files_url exclude each other: rename the files on that serv"):
        Config(sources=("wheels",), destination="public", files_url="https://host.example/", fix_names=True)


# --- files of a server ------------------------------------------------------------------------------------------------

LINKS = ["demo-1.0.cu12-py3-none-any.whl", "demo-1.0%252Bcu12-py3-none-any.whl", "demo-1.0+cu12-py3-none-any (2).whl"]


@pytest.fixture(params=[False, True], ids=["no sibling", "with a sibling"])
def origin(request: pytest.FixtureRequest, server: ScriptedServer) -> Callable[[str], str]:
    """Serve a page with a link to a renamed wheel, perhaps with METADATA beside it, which has no tags."""

    def serve(link: str) -> str:
        """Return how the link is requested."""
        requested = link.replace("+", "%2B").replace(" ", "%20").replace("(", "%28").replace(")", "%29")
        server.routes |= {
            "/p": page_of_links(f'{link}" data-core-metadata="true' if request.param else link),
            f"/{requested}": file_route(wheel("demo", "1.0+cu12")),
            f"/{requested}.metadata": file_route(metadata("demo", "1.0+cu12")),
        }
        return requested

    return serve


@pytest.mark.parametrize("link", LINKS)
@pytest.mark.parametrize("option", ["--allow-empty", "--fix-names"])
def test_a_link_is_rejected_with_the_way_out(
    origin: Callable[[str], str], server: ScriptedServer, run: Callable[..., Run], link: str, option: str
) -> None:
    reason = f"{WRONG} {CU12}, or use --remote mirror --fix-names"
    expected = f"rejected HOST/{origin(link)}: {reason}"
    assert run(f"{server.url}p", "--allow-empty", option).messages[-1] == expected


@pytest.mark.parametrize("link", LINKS)
def test_a_mirrored_file_gets_its_right_name_and_is_not_requested_again(
    origin: Callable[[str], str], server: ScriptedServer, run: Callable[..., Run], public: Path, link: str
) -> None:
    requested, options = origin(link), (f"{server.url}p", "--allow-empty", "--remote", "mirror")
    note = f"note HOST/{requested}: published as {CU12}, as its metadata says"
    assert run(*options, "--fix-names", "--dry-run").messages[-1] == note
    assert run(*options, "--fix-names").messages[-1] == note
    assert [path.name for path in (public / "files").rglob("*.whl")] == [CU12]
    before = read_tree(public)
    again = run(*options, "--fix-names")
    assert (again.messages, again.requests) == ([note], ["GET 200 /p", f"HEAD 200 /{requested}"])
    assert read_tree(public) == before
    assert f"rejected HOST/{requested}: {WRONG} {CU12}, or use --fix-names" in run(*options).messages
