"""Read pages in the JSON form (PEP 691)."""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from mkindex.check.addresses import resolve
from mkindex.check.observations import ListedFile, NamedProject, SeenPage
from mkindex.simple.links import pick_hash
from mkindex.simple.reader import Malformed, parse_json


def read_json(page: SeenPage, text: str) -> SeenPage:
    """Return a page with what its JSON says."""
    if not text.strip():
        return replace(page, broken="is empty")
    try:
        parse_json(text, page.base)
    except Malformed as error:
        # Clients read pages of another major version all the same.
        if "of version" not in str(error):
            return replace(page, broken=str(error))
    document = json.loads(text)
    if page.kind == "project" and "files" not in document:
        return replace(page, broken="is not the page of a project: it has no `files`")
    meta, status = document.get("meta"), document.get("project-status")
    entries, entry_errors = _entries(document.get("files", []), page)
    projects, project_errors = _projects(document.get("projects", []))
    errors = [*([] if isinstance(meta, dict) else ["has no object `meta`"]), *entry_errors, *project_errors]
    if "project-status" in document and not (isinstance(status, dict) and isinstance(status.get("status"), str)):
        errors.append(f"project-status is {type_name(status)}; it must be an object with a string `status`")
    return replace(
        page,
        entries=tuple(entries),
        projects=tuple(projects),
        field_errors=tuple(errors),
        document={key: value for key, value in document.items() if key not in ("files", "projects")},
        api_version=meta.get("api-version") if isinstance(meta, dict) else None,
        status=str(status.get("status", "")) if isinstance(status, dict) else "",
        is_reserved=isinstance(meta, dict) and meta.get("_reserved") is True,
        is_index=True,
    )


def _entries(files: object, page: SeenPage) -> tuple[list[ListedFile], list[str]]:
    entries, errors = [], []
    for number, file in enumerate(files if isinstance(files, list) else []):
        if isinstance(file, dict):
            entries.append(_entry(file, page))
        else:
            errors.append(f"files[{number}] is {type_name(file)}; it must be an object")
    return entries, errors


def _projects(projects: object) -> tuple[list[NamedProject], list[str]]:
    names, errors = [], []
    for number, project in enumerate(projects if isinstance(projects, list) else []):
        name = project.get("name") if isinstance(project, dict) else None
        if isinstance(name, str):
            names.append(NamedProject(name))
        else:
            errors.append(f"projects[{number}] has no string `name`")
    return names, errors


def _entry(raw: Mapping[str, Any], page: SeenPage) -> ListedFile:
    link, filename, hashes = raw.get("url"), raw.get("filename"), raw.get("hashes")
    sha256, other_hash = pick_hash(hashes if isinstance(hashes, dict) else {})
    yanked, size, python = raw.get("yanked"), raw.get("size"), raw.get("requires-python")
    return ListedFile(
        raw=raw,
        form="json",
        link=link if isinstance(link, str) else "",
        url=resolve(page.base, link, page.root) if isinstance(link, str) else "",
        filename=filename if isinstance(filename, str) else "",
        page=page.base,
        sha256=sha256,
        other_hash=other_hash,
        requires_python=python if isinstance(python, str) else "",
        yanked=(yanked if isinstance(yanked, str) else "") if yanked else None,
        metadata=_metadata(raw.get("core-metadata", raw.get("dist-info-metadata"))),
        size=size if isinstance(size, int) and not isinstance(size, bool) and size >= 0 else None,
    )


def _metadata(value: object) -> str | None:
    """Return the sha256 of a sibling, "" if it is announced without one; None: it is not announced."""
    if isinstance(value, dict) and value:
        return pick_hash(value)[0]
    return "" if value is True else None


def type_name(value: object) -> str:
    """Return the type of a JSON value in words."""
    names = {type(None): "null", str: "a string", bool: "true or false", list: "an array", dict: "an object"}
    return names.get(type(value), "a number")
