"""Makes the dictionaries of PEP 691: the content of JSON pages, from which HTML pages are rendered, too."""

import json
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from mkindex.model.files import File
from mkindex.model.index import Project, Release
from mkindex.model.wheel_variants import VariantsJson, variants_documents

# HTML is frozen at this version (PEP 833). Version 1.5 has namespaces (PEP 752), which a static index does not have.
API_VERSION = "1.4"
_META = {"api-version": API_VERSION}

PageDocument = dict[str, Any]


class VariantIndex(NamedTuple):
    """The index of a variant, as the page of the main index names it."""

    name: str
    path: str  # with a slash at its end
    projects: tuple[str, ...]  # of which it has files of its own


def make_root_page(names: Iterable[str], variants: Iterable[VariantIndex] = ()) -> PageDocument:
    """Return the list of projects (specification: "Base HTML/JSON API", root URL).

    Variant indexes have a key that begins with an underscore, as PEP 691 leaves them to each server.
    """
    links = [{"name": one.name, "url": one.path, "projects": list(one.projects)} for one in variants]
    meta = _META | {"_variants": links} if links else _META
    return {"meta": meta, "projects": [{"name": name} for name in names]}


def make_project_page(
    project: Project,
    *,
    href: Callable[[File], str],
    core_metadata: Callable[[File], str],
    provenance: Callable[[File], str],
    variants_href: Callable[[VariantsJson], str],
) -> PageDocument:
    """Return the page of a project: releases in the order of PEP 440, and the files of each by name.

    At the end are the files that say what wheel variants are for (PEP 825).

    Unknown values are left out, because uv rejects a page that has a null. If the size of a file is unknown, the page
    has version 1.0: since 1.1, sizes and the list of versions are mandatory (PEP 700).
    """
    has_sizes = all(file.size is not None for file in project.files)
    page: PageDocument = {"meta": _META if has_sizes else {"api-version": "1.0"}, "name": project.name}
    if project.is_reserved:
        page["meta"] = {**page["meta"], "_reserved": True}
    if project.status:
        page["project-status"] = {"status": project.status.status}
        if project.status.reason:
            page["project-status"]["reason"] = project.status.reason
    releases = project.offered_releases()
    if has_sizes:
        page["versions"] = [release.version for release in releases]
    page["files"] = make_file_entries(
        (file for release in releases for file in release.files),
        href=href,
        core_metadata=core_metadata,
        provenance=provenance,
    )
    page["files"] += make_variants_entries(releases, variants_href)
    return page


def make_file_entries(
    files: Iterable[File],
    *,
    href: Callable[[File], str],
    core_metadata: Callable[[File], str],
    provenance: Callable[[File], str],
) -> list[PageDocument]:
    """Return an entry for each file, with the keys that have a value."""
    entries = []
    for file in files:
        facts, listing, size = file.facts, file.listing, file.size
        entry: PageDocument = {
            "filename": file.filename,
            "url": href(file),
            "hashes": {"sha256": facts.sha256} if facts.sha256 else {},
        }
        if size is not None:
            entry["size"] = size
        if facts.requires_python:
            entry["requires-python"] = facts.requires_python
        # Not also as `dist-info-metadata` (PEP 714): pip 22.3 to 23.1.2 fail on that key in JSON.
        if digest := core_metadata(file):
            entry["core-metadata"] = {"sha256": digest}
        if listing and listing.yanked is not None:
            # Without a reason it is `true`, because to pip an empty string means "not yanked".
            entry["yanked"] = listing.yanked or True
        if facts.upload_time:
            entry["upload-time"] = facts.upload_time
        if (listing or file.attested) and (address := provenance(file)):
            entry["provenance"] = address
        entries.append(entry)
    return entries


def make_variants_entries(
    releases: Iterable[Release], variants_href: Callable[[VariantsJson], str]
) -> list[PageDocument]:
    """Return an entry for the combined file of each release that has wheel variants."""
    entries = []
    for document in variants_documents(releases):
        entry: PageDocument = {
            "filename": document.filename,
            "url": variants_href(document),
            "hashes": {"sha256": document.sha256},
            "size": len(document.content),
        }
        if document.upload_time:
            entry["upload-time"] = document.upload_time
        entries.append(entry)
    return entries


def encode_root_page(names: Iterable[str], variants: Iterable[VariantIndex] = ()) -> bytes:
    """Return the list of projects as JSON. It may be long, and encoding a dictionary for each takes much memory."""
    start, _, end = encode_page(make_root_page((), variants)).rpartition(b"[]")
    projects = ",".join([f'{{"name":"{name}"}}' for name in names])  # which are normalized
    return b"%b[%b]%b" % (start, projects.encode("ascii"), end)


def encode_page(page: PageDocument) -> bytes:
    """Return a page as JSON in one line. It is ASCII, so that no reader can assume a wrong encoding."""
    return json.dumps(page, separators=(",", ":"), ensure_ascii=True).encode("ascii") + b"\n"
