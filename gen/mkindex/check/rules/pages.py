"""Rules on one page, in either form, and on what it says of its files."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from mkindex.check.findings import DEPENDS, ERROR, FAILS, WARNING, WRONG, Observation, rule
from mkindex.check.observations import ListedFile, SeenPage
from mkindex.check.pages import CONTROL, kind_of, link_shown
from mkindex.distributions.filenames import SUFFIXES, parse_filename, sdist_version
from mkindex.simple.media_types import HTML_TYPE, JSON_TYPE

_HASHES = {"md5": 32, "sha1": 40, "sha224": 56, "sha256": 64, "sha384": 96, "sha512": 128}
_UV_HASHES = ("md5", "sha256", "sha384", "sha512", "blake2b")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z", re.ASCII)
_STATUSES = ("active", "archived", "quarantined", "deprecated")
_LARGE, _MANY = 10 << 20, 10_000
_MINOR = {"versions": 1, "size": 1, "upload-time": 1, "project-status": 4, "provenance": 3}


@rule(
    SeenPage,
    "content-type",
    ERROR,
    pip=FAILS,
    uv=FAILS,
    clients="Both refuse a page of any other type; JSON served as application/json is the usual case.",
    mend=f"Let the server say text/html for HTML and {JSON_TYPE} for JSON (`mkindex host` prints a configuration).",
)
def content_type(page: SeenPage) -> Iterator[Observation]:
    """A page is served as one of the three types that clients know."""
    if page.reply.status == 200 and not page.form and not page.reply.broken:
        looks = page.reply.body.lstrip()[:1]
        what = "a JSON page" if looks == b"{" else "an HTML page" if looks == b"<" else "what should be a page"
        yield Observation(
            f"{what} is served as {page.reply.media_type or 'nothing'}; "
            f"clients know text/html, {HTML_TYPE}, {JSON_TYPE}"
        )
    elif page.reply.status == 200 and page.form == "html" and page.reply.body.lstrip()[:1] == b"{":
        yield Observation(f"a JSON page is served as {page.reply.media_type}: to clients it names no file")


def _is_json_as_html(page: SeenPage) -> bool:
    return page.form == "html" and page.reply.body.lstrip()[:1] == b"{"


@rule(
    SeenPage,
    "page-broken",
    ERROR,
    pip=DEPENDS,
    uv=DEPENDS,
    clients="Of JSON that is cut off both say so and stop. Of HTML both take what is there: an older version is "
    "installed without a word.",
    mend="Publish the page again; write it under another name and rename it, so that nobody sees half of it.",
)
def page_broken(page: SeenPage) -> Iterator[Observation]:
    """A page is whole and can be read."""
    if page.reply.status == 200 and page.broken and not page.broken.startswith("redirects from https"):
        yield Observation(page.broken)


@rule(
    SeenPage,
    "page-unfinished",
    WARNING,
    pip=WRONG,
    uv=WRONG,
    clients="Both take what is there. HTML allows it; but who writes <html> writes </html>: links may be missing.",
    mend="Publish the page again, whole.",
)
def page_unfinished(page: SeenPage) -> Iterator[Observation]:
    """An HTML page that begins as a document ends as one."""
    if page.usable and not page.has_end:
        yield Observation("begins as a document and has no </html> at its end: it may have been cut off")


@rule(
    SeenPage,
    "page-empty",
    WARNING,
    pip=FAILS,
    uv=FAILS,
    clients='Both say that there is no such project, or that it has "no versions".',
    mend="List the files, or remove the project. Of a quarantined project say so (PEP 792).",
)
def page_empty(page: SeenPage) -> Iterator[Observation]:
    """The page of a project lists files."""
    is_read = page.usable and not _is_json_as_html(page) and not page.odd
    if is_read and page.kind != "root" and not page.entries and page.status != "quarantined":
        yield Observation("lists no file")


# --- fields of JSON -------------------------------------------------------------------------------------------------


@rule(
    SeenPage,
    "field-type",
    ERROR,
    pip=DEPENDS,
    uv=FAILS,
    clients="uv refuses the whole page for one field of the wrong type, a null among them; pip for some.",
    mend="Leave out what is not known; else write it as the specification says.",
)
def field_type(page: SeenPage) -> Iterator[Observation]:
    """Every field of a JSON page has the type that the specification gives it."""
    for text in page.odd:
        yield Observation(text)
    for entry in page.entries:
        if entry.form == "json":
            for text in _wrong_fields(entry.raw):
                yield Observation(text, entry.filename)


def _wrong_fields(raw: Mapping[str, Any]) -> Iterator[str]:
    for key in ("filename", "url"):
        if not isinstance(raw.get(key), str) or not raw[key]:
            yield f"{key} is {kind_of(raw[key]) if key in raw else 'missing'}, and must be a text"
    hashes = raw.get("hashes")
    if not isinstance(hashes, dict) or not all(isinstance(value, str) for value in hashes.values()):
        yield f"hashes is {kind_of(hashes) if 'hashes' in raw else 'missing'}, and must be an object of texts"
    if "size" in raw and (type(raw["size"]) is not int or not 0 <= raw["size"] < 1 << 63):
        yield f"size is {kind_of(raw['size'])}, and must be a whole number of bytes"
    if "upload-time" in raw and not (isinstance(raw["upload-time"], str) and _is_time(raw["upload-time"])):
        value = raw["upload-time"]
        says = f"{value!r}" if isinstance(value, str) else kind_of(value)
        yield f"upload-time is {says}, and must be a UTC time with a T and a Z: 2026-01-02T03:04:05Z"
    if "yanked" in raw and not isinstance(raw["yanked"], bool | str):
        yield f"yanked is {kind_of(raw['yanked'])}, and must be true, false or a reason"
    for key in ("core-metadata", "dist-info-metadata"):
        value = raw.get(key, False)
        if not isinstance(value, bool) and not (
            isinstance(value, dict) and all(isinstance(one, str) for one in value.values())
        ):
            yield f"{key} is {kind_of(value)}, and must be true, false or an object of hashes"
    if not isinstance(raw.get("requires-python"), str | None):
        yield f"requires-python is {kind_of(raw['requires-python'])}, and must be a text"
    if not isinstance(raw.get("provenance"), str | None):
        yield f"provenance is {kind_of(raw['provenance'])}, and must be a text"
    if "gpg-sig" in raw and not isinstance(raw["gpg-sig"], bool | None):
        yield f"gpg-sig is {kind_of(raw['gpg-sig'])}, and must be true or false"


def _is_time(value: str) -> bool:
    from datetime import datetime

    if not _TIME.fullmatch(value):
        return False
    try:
        datetime.fromisoformat(value[:19])
    except ValueError:
        return False
    return True


@rule(
    SeenPage,
    "dist-info-metadata",
    WARNING,
    clients="Today's ignore it; pip 22.3 to 23.1.2 crash on it (PEP 714).",
    mend="In JSON write `core-metadata` only.",
)
def dist_info_metadata(page: SeenPage) -> Iterator[Observation]:
    """A JSON page names core metadata by its present name only."""
    for entry in page.entries:
        for key in ("dist-info-metadata", "data-dist-info-metadata", "data-core-metadata"):
            if entry.form == "json" and key in entry.raw:
                yield Observation(f"has the key {key}", entry.filename)


@rule(
    SeenPage,
    "api-version",
    WARNING,
    clients="Neither looks at it; pypi-simple and mousebender refuse a major version that they do not know.",
    mend='Say the version whose features the page uses: "meta": {"api-version": "1.4"}, or in HTML '
    '<meta name="pypi:repository-version" content="1.4">.',
)
def api_version(page: SeenPage) -> Iterator[Observation]:
    """A page says which version of the API it is of, and uses what that has."""
    if not page.usable or _is_json_as_html(page):
        return
    version = page.api_version
    match = re.fullmatch(r"(\d{1,4})\.(\d{1,4})", version) if isinstance(version, str) else None
    if version is None and page.form == "html":
        return  # PEP 503 alone is 1.0
    if match is None:
        yield Observation("says no API version" if version is None else f"says API version {str(version)[:40]!r}")
        return
    if match[1] != "1":
        yield Observation(f"says API version {version}: clients know version 1")
        return
    if page.form == "json":
        used = {key for entry in page.entries for key in entry.raw} | set(page.document)
        late = sorted(key for key, minor in _MINOR.items() if key in used and minor > int(match[2]))
        if late:
            yield Observation(f"says API version {version}, and uses {', '.join(late)} of a later one")


@rule(
    SeenPage,
    "versions",
    WARNING,
    clients="Neither reads it; tools that choose by it miss releases.",
    mend="List the version of every file in `versions`, in normal form, each once; or say API version 1.0.",
)
def versions(page: SeenPage) -> Iterator[Observation]:
    """A JSON page from version 1.1 on lists the versions of its files, and sizes (PEP 700)."""
    if page.form != "json" or page.kind != "project" or not page.usable or page.api_version in (None, "1.0"):
        return
    if not isinstance(page.api_version, str) or not page.api_version.startswith("1."):
        return
    listed = page.document.get("versions")
    if not isinstance(listed, list) or not all(isinstance(one, str) for one in listed):
        yield Observation("has no list `versions`")
    else:
        known = {_normal(one) for one in listed}
        missing = sorted({v for e in page.entries if (v := _version_of(e, page.project)) and v not in known})
        if missing:
            yield Observation(f"`versions` lacks {', '.join(missing[:5])}, of which there are files")
        if len(known) < len(listed):
            yield Observation("`versions` names one twice")
    without = sum("size" not in entry.raw for entry in page.entries)
    if without:
        yield Observation(f"{without:,} files have no size, which is mandatory from version 1.1 on")


def _normal(version: str) -> str:
    try:
        return str(Version(version))
    except InvalidVersion:
        return version


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
    clients="Neither looks at it; other readers take the page for that of another project.",
    mend="Write the normalized name of the project into `name`.",
)
def page_name(page: SeenPage) -> Iterator[Observation]:
    """A JSON page names the project that it is of."""
    if page.form == "json" and page.kind == "project" and page.usable:
        name = page.document.get("name")
        if not isinstance(name, str):
            yield Observation("has no `name`")
        elif page.project and canonicalize_name(name) != page.project:
            yield Observation(f"names {name[:80]!r}, and is the page of {page.project}")


@rule(
    SeenPage,
    "project-status",
    WARNING,
    clients="Neither heeds it when it chooses; readers that do refuse a status that they do not know.",
    mend="Say active, archived, quarantined or deprecated, and offer no file of a quarantined project (PEP 792).",
)
def project_status(page: SeenPage) -> Iterator[Observation]:
    """The status of a project is one that there is, and a quarantined one offers no file."""
    if page.status and page.status not in _STATUSES:
        yield Observation(f"status {page.status[:40]!r} is none of {', '.join(_STATUSES)}")
    elif page.status == "quarantined" and page.entries:
        yield Observation(f"is quarantined, and lists {len(page.entries):,} files all the same")


# --- HTML -----------------------------------------------------------------------------------------------------------


@rule(
    SeenPage,
    "unsafe-page",
    ERROR,
    pip=DEPENDS,
    uv=DEPENDS,
    clients="Links that are no web addresses are passed over by pip; uv refuses the page for some. A person who opens "
    "the page runs what somebody wrote into a file.",
    mend="Escape what goes into the page, quotes too, and link to http and https only.",
)
def unsafe_page(page: SeenPage) -> Iterator[Observation]:
    """Nothing on a page can run, and no attribute breaks out of its quotes."""
    yield from map(Observation, dict.fromkeys(page.dangerous))
    for entry in page.entries:
        if entry.form == "json" and any(
            isinstance(value, str) and CONTROL.search(value) for value in entry.raw.values()
        ):
            yield Observation("a field with control characters in it", entry.filename)


@rule(
    SeenPage,
    "base-link",
    ERROR,
    pip=FAILS,
    uv=FAILS,
    clients="Both take it for an absolute address, and find no file or refuse the page.",
    mend="Leave out <base>, or write an absolute address into it.",
)
def base_link(page: SeenPage) -> Iterator[Observation]:
    """<base> is absent, or has an absolute address."""
    if page.base_link is not None and not re.match(r"[a-z]+://", page.base_link.strip(), re.IGNORECASE):
        yield Observation(f"<base href={page.base_link[:80]!r}> is relative")


@rule(
    SeenPage,
    "no-doctype",
    WARNING,
    clients="Today's do not care; pip 22.0 failed, and the specification wants valid HTML5.",
    mend="Begin the page with <!DOCTYPE html>.",
)
def no_doctype(page: SeenPage) -> Iterator[Observation]:
    """An HTML page begins with <!DOCTYPE html>."""
    if page.form == "html" and page.usable and not _is_json_as_html(page) and not page.has_doctype:
        yield Observation("does not begin with <!DOCTYPE html>")


@rule(
    SeenPage,
    "stray-link",
    WARNING,
    clients="uv takes every link of the root for a project, and other readers every link of a page for a file.",
    mend="Leave on the page only the links that it is for.",
)
def stray_link(page: SeenPage) -> Iterator[Observation]:
    """A page has no link but those to files, and a root none but those to projects."""
    if page.usable and page.kind != "flat" and (stray := page.stray):
        yield Observation(
            f"{len(stray):,} links lead elsewhere: {', '.join(link_shown(link) or 'nothing' for link in stray[:3])}"
        )
    if page.kind == "root" and page.entries and page.projects:
        yield Observation(f"{len(page.entries):,} links to files stand on the root: {page.entries[0].filename}")


@rule(
    SeenPage,
    "anchor-text",
    WARNING,
    clients="Both take the name from the address; pypi-simple takes what the link shows.",
    mend="Let the link show the filename, and nothing else.",
)
def anchor_text(page: SeenPage) -> Iterator[Observation]:
    """A link shows the name of its file."""
    for entry in page.entries:
        if entry.form == "html" and entry.text != entry.filename:
            yield Observation(f"shows {entry.text[:100]!r}", entry.filename)


@rule(
    SeenPage,
    "yanked-unclear",
    ERROR,
    pip=WRONG,
    clients="pip takes the file for one that is not yanked, and installs it; uv does not.",
    mend='Write data-yanked="" or a reason in HTML, true or a reason in JSON; or leave it out.',
)
def yanked_unclear(page: SeenPage) -> Iterator[Observation]:
    """Whether a file is yanked is said so that all clients understand it."""
    for entry in page.entries:
        if entry.form == "html" and "data-yanked" in entry.raw and entry.raw["data-yanked"] is None:
            yield Observation("data-yanked has no value", entry.filename)
        elif entry.form == "json" and entry.raw.get("yanked") == "":
            yield Observation('yanked is ""', entry.filename)


@rule(
    SeenPage,
    "metadata-attribute",
    ERROR,
    pip=FAILS,
    uv=DEPENDS,
    clients='pip takes any text, "false" among them, for a yes, asks for FILE.metadata and stops when it is not there.',
    mend="Write true or sha256=… , or leave the attribute out.",
)
def metadata_attribute(page: SeenPage) -> Iterator[Observation]:
    """data-core-metadata is `true` or a hash."""
    for entry in page.entries:
        for key in ("data-core-metadata", "data-dist-info-metadata"):
            if entry.form == "html" and key in entry.raw:
                value = entry.raw[key] or ""
                name, _, digest = value.partition("=")
                if value != "true" and (
                    len(digest) != _HASHES.get(name, -1) or not re.fullmatch(r"[0-9a-fA-F]*", digest)
                ):
                    yield Observation(f"{key} is {value[:80]!r}", entry.filename)


# --- links ----------------------------------------------------------------------------------------------------------


# --- files ----------------------------------------------------------------------------------------------------------
