"""`pypi/all.json`: the wheels that Pyodide can install, for piplite of JupyterLite, which reads no index."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from mkindex.model.files import File
from mkindex.model.index import Index
from mkindex.simple.writer import encode_page
from mkindex.site.layout import Site
from mkindex.site.legacy_json import file_entry
from mkindex.site.resources import PageResource
from mkindex.tree.manifest import ROOT_SECTION, Stage, digest
from mkindex.tree.names import PYODIDE_JSON

_DEPTH = 1  # of its directory below the root


def pyodide_page(site: Site, index: Index, keys: Mapping[str, str]) -> PageResource:
    """Return the page of an index. `keys`: those of the API pages of its projects, by name."""
    key = digest(site.key, site.url, *keys, *keys.values())
    return PageResource(ROOT_SECTION, Stage.ROOT, PYODIDE_JSON, key, partial(_render, index, site))


def _render(index: Index, site: Site) -> bytes:
    projects: dict[str, Any] = {}
    for project in index.projects:
        releases = {}
        for release in project.offered_releases():
            if files := [_entry(site, file) for file in release.files if _is_for_pyodide(file)]:
                releases[release.version] = files
        if releases:
            projects[project.name] = {"releases": releases}
    return encode_page(projects)


def _is_for_pyodide(file: File) -> bool:
    """Tell whether Pyodide may install a file: of pure Python, or for WebAssembly. micropip compares all of its tags.

    piplite does not look whether a file is yanked, and requires a hash.
    """
    if not file.filename.endswith(".whl") or file.yanked is not None or not file.sha256:
        return False
    platforms = file.filename.removesuffix(".whl").rpartition("-")[2].split(".")
    return any(platform == "any" or platform.endswith("_wasm32") for platform in platforms)


def _entry(site: Site, file: File) -> dict[str, Any]:
    """Return what is known of a file. The schema of piplite allows null for Requires-Python and reasons only."""
    entry = file_entry(site, file, _DEPTH)
    return {key: value for key, value in entry.items() if value is not None}
