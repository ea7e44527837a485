"""--legacy-json: what pypi/NAME/json says, and that it is part of the published tree like every page."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from mkindex.config import Config
from mkindex.errors import ConfigError, MkindexError
from support.builds import cold_build, publish
from support.command_line import Run
from support.growing import add, cold_union, remove
from support.served_trees import serving
from support.trees import read_tree
from support.wheels import metadata, wheel_filename, write_sdist, write_wheel

if TYPE_CHECKING:
    from pathlib import Path

TIME = 1_700_000_000
LINKS = [
    "Home-page: https://demo.example/",
    "Project-URL: Source, https://git.example/demo",
    "Project-URL: Changes, https://demo.example/changes",
    "Project-URL: Trap, javascript:alert(1)",
    "Project-URL: https://without.label.example/",
]
URL = "https://packages.example/below/"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Two releases of De.Mo, the older one without metadata for people, and another project."""
    directory = tmp_path / "wheels"
    directory.mkdir()
    write_wheel(directory, "de-mo", "1.0", mtime=TIME)
    text = metadata("De.Mo", "1.1", requires_python=">=3.9", summary="A “demo”", headers=LINKS)
    write_wheel(directory, "de-mo", "1.1", metadata=text, mtime=TIME)
    write_sdist(directory, "other", "2.0a1", mtime=TIME)
    return directory


def page(public: Path, project: str = "de-mo") -> Any:  # noqa: ANN401 (JSON)
    return json.loads((public / f"pypi/{project}/json").read_bytes())


def listed(public: Path, project: str = "de-mo") -> dict[str, list[str | None]]:
    """For each version that the page of a project has, why its files are yanked, or None."""
    releases = page(public, project)["releases"]
    return {version: [one["yanked_reason"] for one in files] for version, files in releases.items()}


def entry(public: Path, version: str, start: str, **values: object) -> dict[str, object]:
    """The entry of a wheel, with what the Simple API says of it."""
    document = json.loads((public / "simple/de-mo/index.v1_json").read_bytes())
    (file,) = [one for one in document["files"] if one["filename"] == wheel_filename("de-mo", version)]
    return {
        "filename": file["filename"],
        "packagetype": "bdist_wheel",
        "digests": file["hashes"],
        "size": file["size"],
        "upload_time": "2023-11-14T22:13:20",
        "upload_time_iso_8601": "2023-11-14T22:13:20Z",
        "requires_python": None,
        "yanked": False,
        "yanked_reason": None,
        "url": start + file["url"].removeprefix("../../"),
    } | values


@pytest.mark.parametrize(("url", "start"), [(URL, URL), (None, "../../")], ids=["absolute", "relative"])
def test_a_page_has_all_releases_and_what_the_newest_says_of_itself(
    source: Path, tmp_path: Path, url: str | None, start: str
) -> None:
    public = tmp_path / "public"
    publish(source, public, legacy_json=True, url=url)
    newest = entry(public, "1.1", start, requires_python=">=3.9")
    assert page(public) == {
        "info": {
            "name": "De.Mo",
            "version": "1.1",
            "summary": "A “demo”",
            "home_page": "https://demo.example/",
            "project_urls": {
                "Homepage": "https://demo.example/",
                "Source": "https://git.example/demo",
                "Changes": "https://demo.example/changes",
            },
            "package_url": f"{start}simple/de-mo/",
            "requires_python": ">=3.9",
        },
        "releases": {"1.0": [entry(public, "1.0", start)], "1.1": [newest]},
        "urls": [newest],
    }
    assert (public / "pypi/de-mo/json").read_bytes().isascii()


def test_a_release_that_is_yanked_or_not_final_is_listed_and_not_the_version_of_the_project(
    source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    public = tmp_path / "public"
    publish(source, public, legacy_json=True)
    assert Run(capsys, "yank", str(public), "de-mo==1.1", "--reason", "broken").status == 0
    assert listed(public) == {"1.0": [None], "1.1": ["broken"]}
    assert [page(public)["info"][key] for key in ("name", "version", "summary")] == ["de-mo", "1.0", None]
    assert page(public, "other")["info"]["version"] == "2.0a1"
    assert Run(capsys, "status", str(public), "other", "quarantined").status == 0
    document = page(public, "other")
    assert (document["info"]["version"], document["releases"], document["urls"]) == (None, {}, [])


def test_pages_are_as_those_of_a_cold_build_whatever_happened_before(source: Path, tmp_path: Path) -> None:
    public, new = tmp_path / "public", tmp_path / "new"
    new.mkdir()
    write_wheel(new, "de-mo", "2.0", metadata=metadata("De_Mo", "2.0", summary="Two"), mtime=TIME)
    publish(source, public, legacy_json=True)
    assert publish(source, public, legacy_json=True).written == 0
    add(new, public, grace=0)
    assert read_tree(public) == cold_union(tmp_path / "union", source, new, legacy_json=True)
    remove(public, lambda file: file.version == "2.0", grace=0)
    assert read_tree(public) == cold_build(source, legacy_json=True)
    publish(source, public, legacy_json=True, url=URL)
    assert read_tree(public) == cold_build(source, legacy_json=True, url=URL)
    publish(source, public)
    assert read_tree(public) == cold_build(source)
    assert not (public / "pypi").exists()


def test_files_elsewhere_have_their_own_addresses_and_nothing_is_said_of_the_project(
    source: Path, tmp_path: Path
) -> None:
    public = tmp_path / "public"
    publish(source, public, legacy_json=True, url=URL, files_url="https://files.example/")
    document = page(public)
    assert [document["info"][key] for key in ("name", "summary", "project_urls")] == ["de-mo", None, None]
    assert [one["url"] for one in document["urls"]] == ["https://files.example/de_mo-1.1-py3-none-any.whl"]


def test_a_page_lists_the_variant_that_the_main_index_lists(tmp_path: Path) -> None:
    for label in ("cpu", "cu128"):
        write_wheel(tmp_path, "demo", f"1.0+{label}")
    policy = tmp_path / "policy.toml"
    policy.write_text('[variants]\nby = "local"\ndefault = "cpu"\n')
    (tmp_path / "wheels").mkdir()
    for path in tmp_path.glob("*.whl"):
        path.rename(tmp_path / "wheels" / path.name)
    publish(tmp_path / "wheels", tmp_path / "public", legacy_json=True, policy=str(policy))
    assert listed(tmp_path / "public", "demo") == {"1.0+cpu": [None]}


def test_a_page_that_somebody_changed_is_found_by_check_and_repaired(
    source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    public = tmp_path / "public"
    publish(source, public, legacy_json=True)
    before = read_tree(public)
    (public / "pypi/other/json").write_text("{}")
    found = Run(capsys, "check", str(public))
    assert "pypi/other/json: is not what mkindex wrote" in found.out
    publish(source, public, legacy_json=True)
    assert read_tree(public) == before


def test_the_server_sends_json_and_knows_names_that_are_not_normalized(source: Path, tmp_path: Path) -> None:
    publish(source, tmp_path / "public", legacy_json=True)
    with serving(tmp_path / "public") as tree:
        answers = [tree.get(f"/pypi/{name}/json") for name in ("de-mo", "De_Mo", "nope", "NOPE")]
    assert [answer.status for answer in answers] == [200, 301, 404, 404]
    assert answers[0].headers["Content-Type"] == "application/json"
    assert answers[1].headers["Location"] == "../de-mo/json"


def test_hosts_that_are_configured_by_a_file_send_json(source: Path) -> None:
    rule = b"\n/pypi/:project/json\n  Content-Type: application/json\n"
    trees = [cold_build(source, host="netlify", legacy_json=legacy) for legacy in (True, False)]
    assert [rule in tree["_headers"] for tree in trees] == [True, False]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (
            {"simple_path": ""},
            "legacy_json and simple_path . exclude each other: a project could have the name of the directory pypi",
        ),
        (
            {"simple_path": "pypi/a"},
            "simple_path 'pypi/a' is taken: legacy_json writes there. Choose another path",
        ),
        (
            {"host": "netlify", "json_root": "pypi"},
            "json_root 'pypi' is taken: legacy_json writes there. Choose another path",
        ),
    ],
)
def test_no_index_can_be_where_the_pages_are(options: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError) as refused:
        Config(sources=("wheels",), destination="public", legacy_json=True, **options)
    assert str(refused.value) == says


def test_no_variant_can_be_where_the_pages_are(source: Path, tmp_path: Path) -> None:
    policy = tmp_path / "policy.toml"
    policy.write_text('[variants]\nby = "local"\npath = "pypi/{variant}"\n')
    with pytest.raises(MkindexError, match=r"\[variants\] path must not begin with pypi: --legacy-json writes there"):
        publish(source, tmp_path / "public", legacy_json=True, policy=str(policy))
    publish(source, tmp_path / "public", policy=str(policy))
