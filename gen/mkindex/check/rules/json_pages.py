"""Rules on the fields of pages, most of which only JSON has (PEP 691, PEP 700)."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from mkindex.check.findings import DEPENDS, ERROR, FAILS, WARNING, Violation, rule
from mkindex.check.json_pages import type_name
from mkindex.check.observations import ListedFile, SeenPage
from mkindex.check.specifiers import canonical_version
from mkindex.distributions.filenames import SUFFIXES, parse_filename, sdist_version
from mkindex.simple.links import clean_upload_time
from mkindex.text import plural

_SHOWN = 5  # versions that are named
_STATUSES = ("active", "archived", "quarantined", "deprecated")
# Fields, and the minor version of the API that introduced them.
_MINOR = {"versions": 1, "size": 1, "upload-time": 1, "project-status": 4, "provenance": 3}


@rule(
    SeenPage,
    "field-type",
    ERROR,
    pip=DEPENDS,
    uv=FAILS,
    impact="uv rejects the whole page if one field has the wrong type or is null. pip does so for some fields.",
    fix="Omit fields whose value is unknown. Write the others as the specification says.",
)
def field_type(page: SeenPage) -> Iterator[Violation]:
    """Every field of a JSON page has the type that the specification requires."""
    for text in page.field_errors:
        yield Violation(text)
    for entry in page.entries:
        if entry.form == "json":
            for text in _field_errors(entry.raw):
                yield Violation(text, entry.filename)


def _field_errors(raw: Mapping[str, Any]) -> Iterator[str]:
    for key in ("filename", "url"):
        if not isinstance(raw.get(key), str) or not raw[key]:
            yield f"{key} is {type_name(raw[key]) if key in raw else 'missing'}; it must be a string"
    hashes = raw.get("hashes")
    if not isinstance(hashes, dict) or not all(isinstance(value, str) for value in hashes.values()):
        yield f"hashes is {type_name(hashes) if 'hashes' in raw else 'missing'}; it must be an object of strings"
    if "size" in raw and (type(raw["size"]) is not int or not 0 <= raw["size"] < 1 << 63):
        yield f"size is {type_name(raw['size'])}; it must be a whole number of bytes"
    if "upload-time" in raw and not (isinstance(raw["upload-time"], str) and clean_upload_time(raw["upload-time"])):
        value = raw["upload-time"]
        says = f"{value!r}" if isinstance(value, str) else type_name(value)
        yield f"upload-time is {says}; it must be a UTC time with a T and a Z, such as 2026-01-02T03:04:05Z"
    if "yanked" in raw and not isinstance(raw["yanked"], bool | str):
        yield f"yanked is {type_name(raw['yanked'])}; it must be true, false or a reason"
    for key in ("core-metadata", "dist-info-metadata"):
        value = raw.get(key, False)
        if not isinstance(value, bool) and not (
            isinstance(value, dict) and all(isinstance(one, str) for one in value.values())
        ):
            yield f"{key} is {type_name(value)}; it must be true, false or an object of hashes"
    if not isinstance(raw.get("requires-python"), str | None):
        yield f"requires-python is {type_name(raw['requires-python'])}; it must be a string"
    if not isinstance(raw.get("provenance"), str | None):
        yield f"provenance is {type_name(raw['provenance'])}; it must be a string"
    if "gpg-sig" in raw and not isinstance(raw["gpg-sig"], bool | None):
        yield f"gpg-sig is {type_name(raw['gpg-sig'])}; it must be true or false"


@rule(
    SeenPage,
    "dist-info-metadata",
    WARNING,
    impact="Current versions of pip and uv ignore the old name. pip 22.3 to 23.1.2 crash on it (PEP 714).",
    fix="In JSON, write only `core-metadata`.",
)
def dist_info_metadata(page: SeenPage) -> Iterator[Violation]:
    """A JSON page names core metadata only by its current name."""
    for entry in page.entries:
        for key in ("dist-info-metadata", "data-dist-info-metadata", "data-core-metadata"):
            if entry.form == "json" and key in entry.raw:
                yield Violation(f"has the key {key}", entry.filename)


@rule(
    SeenPage,
    "api-version",
    WARNING,
    impact="pip and uv ignore it. pypi-simple and mousebender reject an unknown major version.",
    fix='State the version whose features the page uses: "meta": {"api-version": "1.4"}, or in HTML <meta '
    'name="pypi:repository-version" content="1.4">.',
)
def api_version(page: SeenPage) -> Iterator[Violation]:
    """A page states its API version, and uses only features of that version."""
    if not page.is_usable or page.is_json_as_html:
        return
    version = page.api_version
    match = re.fullmatch(r"(\d{1,4})\.(\d{1,4})", version) if isinstance(version, str) else None
    if version is None and page.form == "html":
        return  # HTML without a version is 1.0 (PEP 629)
    if match is None:
        yield Violation("has no API version" if version is None else f"has API version {str(version)[:40]!r}")
        return
    if match[1] != "1":
        yield Violation(f"has API version {version}, but clients support version 1")
        return
    if page.form == "json":
        used = {key for entry in page.entries for key in entry.raw} | set(page.document)
        late = sorted(key for key, minor in _MINOR.items() if key in used and minor > int(match[2]))
        if late:
            yield Violation(f"has API version {version}, but uses {', '.join(late)} of a later version")


@rule(
    SeenPage,
    "versions",
    WARNING,
    impact="pip and uv ignore `versions`. Tools that choose by it miss releases.",
    fix="List the normalized version of every file in `versions`, each once, or state API version 1.0.",
)
def versions(page: SeenPage) -> Iterator[Violation]:
    """A JSON page of API version 1.1 or later lists the versions of its files, and their sizes (PEP 700)."""
    if page.form != "json" or page.kind != "project" or not page.is_usable or page.api_version in (None, "1.0"):
        return
    if not isinstance(page.api_version, str) or not page.api_version.startswith("1."):
        return
    listed = page.document.get("versions")
    if not isinstance(listed, list) or not all(isinstance(one, str) for one in listed):
        yield Violation("has no array `versions`")
    else:
        known = {canonical_version(one) for one in listed}  # equal versions may be spelled differently
        of_files = {version for entry in page.entries if (version := _version_of(entry, page.project))}
        missing = sorted(version for version in of_files if canonical_version(version) not in known)
        if missing:
            yield Violation(f"`versions` lacks {', '.join(missing[:_SHOWN])}, although there are files of it")
        if len(known) < len(listed):
            yield Violation("`versions` lists a version twice")
    without = sum("size" not in entry.raw for entry in page.entries)
    if without:
        yield Violation(f"{plural(without, 'file')} without a size, which is required from API version 1.1 on")


def _version_of(entry: ListedFile, project: str) -> str | None:
    if not entry.filename.endswith(SUFFIXES):
        return None
    if entry.filename.endswith(".whl"):
        try:
            return parse_filename(entry.filename)[1]
        except ValueError:
            return None
    version = sdist_version(entry.filename, project)
    try:
        return str(Version(version)) if version else None
    except InvalidVersion:
        return None


@rule(
    SeenPage,
    "page-name",
    WARNING,
    impact="pip and uv ignore it. Other readers take the page for that of another project.",
    fix="Set `name` to the normalized name of the project.",
)
def page_name(page: SeenPage) -> Iterator[Violation]:
    """The name on a JSON page is that of its project."""
    if page.form == "json" and page.kind == "project" and page.is_usable:
        name = page.document.get("name")
        if not isinstance(name, str):
            yield Violation("has no `name`")
        elif page.project and canonicalize_name(name) != page.project:
            yield Violation(f"`name` is {name[:80]!r}, but this is the page of {page.project}")


@rule(
    SeenPage,
    "project-status",
    WARNING,
    impact="pip and uv ignore it when they choose a file. Readers that use it reject an unknown status.",
    fix="Use active, archived, quarantined or deprecated, and list no files of a quarantined project (PEP 792).",
)
def project_status(page: SeenPage) -> Iterator[Violation]:
    """A project has a known status, and lists no files if it is quarantined."""
    if page.status and page.status not in _STATUSES:
        yield Violation(f"status {page.status[:40]!r} is not one of {', '.join(_STATUSES)}")
    elif page.status == "quarantined" and page.entries:
        yield Violation(f"is quarantined, but lists {plural(len(page.entries), 'file')}")
