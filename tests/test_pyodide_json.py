"""--pyodide-json: pypi/all.json lists the wheels that Pyodide can install, in the format of piplite."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from mkindex.config import Config
from mkindex.errors import ConfigError, MkindexError
from support.builds import cold_build, publish
from support.command_line import Run
from support.trees import read_tree
from support.wheels import metadata, write_sdist, write_wheel

if TYPE_CHECKING:
    from pathlib import Path

TIME = 1_700_000_000
WASM = "cp313-cp313-pyodide_2025_0_wasm32"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Wheels for every machine, for WebAssembly and for Linux, and an sdist."""
    directory = tmp_path / "wheels"
    directory.mkdir()
    write_wheel(directory, "de-mo", "1.0", metadata=metadata("de-mo", "1.0", requires_python=">=3.9"), mtime=TIME)
    write_wheel(directory, "de-mo", "2.0", mtime=TIME)
    for tag in (WASM, "cp313-cp313-manylinux_2_17_x86_64.manylinux2014_x86_64"):
        write_wheel(directory, "native", "1.0", tag=tag, mtime=TIME)
    write_wheel(directory, "linux-only", "1.0", tag="cp313-cp313-linux_x86_64", mtime=TIME)
    write_sdist(directory, "sdist-only", "1.0", mtime=TIME)
    return directory


def page(public: Path) -> Any:  # noqa: ANN401 (JSON)
    return json.loads((public / "pypi/all.json").read_bytes())


def listed(public: Path) -> dict[str, dict[str, list[str]]]:
    """The filenames on the page, by project and version."""
    return {
        project: {version: [file["filename"] for file in files] for version, files in entry["releases"].items()}
        for project, entry in page(public).items()
    }


@pytest.mark.parametrize(
    ("url", "start"), [(None, "../"), ("https://packages.example/x", "https://packages.example/x/")]
)
def test_wheels_that_pyodide_can_install_are_listed_as_piplite_reads_them(
    source: Path, tmp_path: Path, url: str | None, start: str
) -> None:
    public = tmp_path / "public"
    publish(source, public, pyodide_json=True, url=url)
    assert listed(public) == {
        "de-mo": {"1.0": ["de_mo-1.0-py3-none-any.whl"], "2.0": ["de_mo-2.0-py3-none-any.whl"]},
        "native": {"1.0": [f"native-1.0-{WASM}.whl"]},
    }
    (file, _) = json.loads((public / "simple/de-mo/index.v1_json").read_bytes())["files"]
    assert page(public)["de-mo"]["releases"]["1.0"] == [
        {
            "filename": file["filename"],
            "packagetype": "bdist_wheel",
            "digests": file["hashes"],
            "size": file["size"],
            "upload_time": "2023-11-14T22:13:20",
            "upload_time_iso_8601": "2023-11-14T22:13:20Z",
            "requires_python": ">=3.9",
            "yanked": False,
            "url": file["url"].replace("../../", start),
        }
    ]


def test_yanked_files_are_not_listed_because_piplite_would_install_them(
    source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    public = tmp_path / "public"
    publish(source, public, pyodide_json=True)
    assert Run(capsys, "yank", str(public), "de-mo==2.0").status == 0
    assert listed(public)["de-mo"] == {"1.0": ["de_mo-1.0-py3-none-any.whl"]}


def test_the_page_is_as_that_of_a_cold_build_whatever_happened_before(source: Path, tmp_path: Path) -> None:
    public = tmp_path / "public"
    publish(source, public, pyodide_json=True)
    assert publish(source, public, pyodide_json=True).written == 0
    write_wheel(source, "de-mo", "3.0", mtime=TIME)
    publish(source, public, pyodide_json=True)
    assert read_tree(public) == cold_build(source, pyodide_json=True)
    publish(source, public, upload_time="none", pyodide_json=True)
    assert "upload_time" not in page(public)["de-mo"]["releases"]["1.0"][0]
    publish(source, public)
    assert read_tree(public) == cold_build(source)


def test_an_index_without_such_wheels_has_an_empty_page(tmp_path: Path) -> None:
    (tmp_path / "wheels").mkdir()
    write_sdist(tmp_path / "wheels", "sdist-only", "1.0")
    publish(tmp_path / "wheels", tmp_path / "public", pyodide_json=True)
    assert page(tmp_path / "public") == {}


def test_no_index_can_be_where_the_page_is(source: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"^pyodide_json and simple_path \. exclude each other"):
        Config(sources=("wheels",), destination="public", pyodide_json=True, simple_path="")
    with pytest.raises(ConfigError, match=r"^simple_path 'pypi/x' is taken: pyodide_json writes there\. "):
        Config(sources=("wheels",), destination="public", pyodide_json=True, simple_path="pypi/x")
    policy = tmp_path / "policy.toml"
    policy.write_text('[variants]\nby = "local"\npath = "pypi/{variant}"\n')
    with pytest.raises(MkindexError, match=r"\[variants\] path must not begin with pypi: --pyodide-json writes there"):
        publish(source, tmp_path / "public", pyodide_json=True, policy=str(policy))
