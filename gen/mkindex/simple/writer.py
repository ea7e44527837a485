"""Model to the dictionaries of PEP 691. They are what JSON pages hold, and what HTML pages are rendered from."""

import json
from collections.abc import Callable, Iterable
from typing import Any

from mkindex.model.files import File
from mkindex.model.index import Index, Project

# HTML is frozen at this version (PEP 833); 1.5 would promise namespaces (PEP 752), which a static index has none of.
API_VERSION = "1.4"
_META = {"api-version": API_VERSION}

PageDocument = dict[str, Any]


def make_root_page(index: Index) -> PageDocument:
    """Return the list of projects (specification: "Base HTML/JSON API", root URL)."""
    return {"meta": _META, "projects": [{"name": project.name} for project in index.projects]}


def make_project_page(
    project: Project, *, href: Callable[[File], str], core_metadata: Callable[[File], str | None]
) -> PageDocument:
    """Return the page of one project: releases in PEP 440 order, and in each the files by name.

    What is not known is left out: uv refuses the whole page for a null. Where the size of a file is unknown, the page
    is one of version 1.0: from 1.1 on sizes and the list of versions are mandatory (PEP 700).
    """
    has_sizes = all(file.size is not None for file in project.files)
    page: PageDocument = {"meta": _META if has_sizes else {"api-version": "1.0"}, "name": project.name}
    if project.status:
        page["project-status"] = {"status": project.status.status}
        if project.status.reason:
            page["project-status"]["reason"] = project.status.reason
    releases = project.offered_releases()
    if has_sizes:
        page["versions"] = [release.version for release in releases]
    page["files"] = make_file_entries(
        (file for release in releases for file in release.files), href=href, core_metadata=core_metadata
    )
    return page


def make_file_entries(
    files: Iterable[File], *, href: Callable[[File], str], core_metadata: Callable[[File], str | None]
) -> list[PageDocument]:
    """Return the entry of each file, with exactly the keys that have a value."""
    entries = []
    for file in files:
        entry: PageDocument = {
            "filename": file.filename,
            "url": href(file),
            "hashes": {"sha256": file.sha256} if file.sha256 else {},
        }
        if file.size is not None:
            entry["size"] = file.size
        if file.requires_python:
            entry["requires-python"] = file.requires_python
        # PEP 714: never as `dist-info-metadata` in JSON, which pip 22.3 to 23.1.2 fail on.
        if digest := core_metadata(file):
            entry["core-metadata"] = {"sha256": digest}
        if file.yanked is not None:
            # In JSON an empty string means "not yanked" to pip: without a reason it is `true`.
            entry["yanked"] = file.yanked or True
        if file.upload_time:
            entry["upload-time"] = file.upload_time
        if file.provenance:
            entry["provenance"] = file.provenance
        entries.append(entry)
    return entries


def encode_page(page: PageDocument) -> bytes:
    """Return a page as JSON: one line, ASCII, so that no reader can guess its encoding wrong."""
    return json.dumps(page, separators=(",", ":"), ensure_ascii=True).encode("ascii") + b"\n"
