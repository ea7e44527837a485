"""Rules on one page, in either form, and on what it says of its files."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import unquote, urlsplit

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from mkindex.check.findings import DEPENDS, ERROR, FAILS, NOTE, WARNING, WRONG, Seen, rule
from mkindex.check.observations import Entry, Page
from mkindex.check.pages import CONTROL, kind_of, link_shown
from mkindex.distributions.filenames import identity, sdist_of
from mkindex.simple.reader import DISTRIBUTIONS, FILENAME, HTML, JSON

_HASHES = {"md5": 32, "sha1": 40, "sha224": 56, "sha256": 64, "sha384": 96, "sha512": 128}
_UV_HASHES = ("md5", "sha256", "sha384", "sha512", "blake2b")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z", re.ASCII)
_STATUSES = ("active", "archived", "quarantined", "deprecated")
_LARGE, _MANY = 10 << 20, 10_000
_MINOR = {"versions": 1, "size": 1, "upload-time": 1, "project-status": 4, "provenance": 3}


@rule(
    Page,
    "content-type",
    ERROR,
    pip=FAILS,
    uv=FAILS,
    clients="Both refuse a page of any other type; JSON served as application/json is the usual case.",
    mend=f"Let the server say text/html for HTML and {JSON} for JSON (`mkindex host` prints a configuration).",
)
def content_type(page: Page) -> Iterator[Seen]:
    """A page is served as one of the three types that clients know."""
    if page.reply.status == 200 and not page.form and not page.reply.broken:
        looks = page.reply.body.lstrip()[:1]
        what = "a JSON page" if looks == b"{" else "an HTML page" if looks == b"<" else "what should be a page"
        yield Seen(f"{what} is served as {page.reply.media_type or 'nothing'}; clients know text/html, {HTML}, {JSON}")
    elif page.reply.status == 200 and page.form == "html" and page.reply.body.lstrip()[:1] == b"{":
        yield Seen(f"a JSON page is served as {page.reply.media_type}: to clients it names no file")


def _is_json_as_html(page: Page) -> bool:
    return page.form == "html" and page.reply.body.lstrip()[:1] == b"{"


@rule(
    Page,
    "page-broken",
    ERROR,
    pip=DEPENDS,
    uv=DEPENDS,
    clients="Of JSON that is cut off both say so and stop. Of HTML both take what is there: an older version is "
    "installed without a word.",
    mend="Publish the page again; write it under another name and rename it, so that nobody sees half of it.",
)
def page_broken(page: Page) -> Iterator[Seen]:
    """A page is whole and can be read."""
    if page.reply.status == 200 and page.broken and not page.broken.startswith("redirects from https"):
        yield Seen(page.broken)


@rule(
    Page,
    "page-unfinished",
    WARNING,
    pip=WRONG,
    uv=WRONG,
    clients="Both take what is there. HTML allows it; but who writes <html> writes </html>: links may be missing.",
    mend="Publish the page again, whole.",
)
def page_unfinished(page: Page) -> Iterator[Seen]:
    """An HTML page that begins as a document ends as one."""
    if page.usable and not page.has_end:
        yield Seen("begins as a document and has no </html> at its end: it may have been cut off")


@rule(
    Page,
    "page-empty",
    WARNING,
    pip=FAILS,
    uv=FAILS,
    clients='Both say that there is no such project, or that it has "no versions".',
    mend="List the files, or remove the project. Of a quarantined project say so (PEP 792).",
)
def page_empty(page: Page) -> Iterator[Seen]:
    """The page of a project lists files."""
    is_read = page.usable and not _is_json_as_html(page) and not page.odd
    if is_read and page.kind != "root" and not page.entries and page.status != "quarantined":
        yield Seen("lists no file")


# --- fields of JSON -------------------------------------------------------------------------------------------------


@rule(
    Page,
    "field-type",
    ERROR,
    pip=DEPENDS,
    uv=FAILS,
    clients="uv refuses the whole page for one field of the wrong type, a null among them; pip for some.",
    mend="Leave out what is not known; else write it as the specification says.",
)
def field_type(page: Page) -> Iterator[Seen]:
    """Every field of a JSON page has the type that the specification gives it."""
    for text in page.odd:
        yield Seen(text)
    for entry in page.entries:
        if entry.form == "json":
            for text in _wrong_fields(entry.raw):
                yield Seen(text, entry.filename)


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
    Page,
    "dist-info-metadata",
    WARNING,
    clients="Today's ignore it; pip 22.3 to 23.1.2 crash on it (PEP 714).",
    mend="In JSON write `core-metadata` only.",
)
def dist_info_metadata(page: Page) -> Iterator[Seen]:
    """A JSON page names core metadata by its present name only."""
    for entry in page.entries:
        for key in ("dist-info-metadata", "data-dist-info-metadata", "data-core-metadata"):
            if entry.form == "json" and key in entry.raw:
                yield Seen(f"has the key {key}", entry.filename)


@rule(
    Page,
    "api-version",
    WARNING,
    clients="Neither looks at it; pypi-simple and mousebender refuse a major version that they do not know.",
    mend='Say the version whose features the page uses: "meta": {"api-version": "1.4"}, or in HTML '
    '<meta name="pypi:repository-version" content="1.4">.',
)
def api_version(page: Page) -> Iterator[Seen]:
    """A page says which version of the API it is of, and uses what that has."""
    if not page.usable or _is_json_as_html(page):
        return
    version = page.api_version
    match = re.fullmatch(r"(\d{1,4})\.(\d{1,4})", version) if isinstance(version, str) else None
    if version is None and page.form == "html":
        return  # PEP 503 alone is 1.0
    if match is None:
        yield Seen("says no API version" if version is None else f"says API version {str(version)[:40]!r}")
        return
    if match[1] != "1":
        yield Seen(f"says API version {version}: clients know version 1")
        return
    if page.form == "json":
        used = {key for entry in page.entries for key in entry.raw} | set(page.document)
        late = sorted(key for key, minor in _MINOR.items() if key in used and minor > int(match[2]))
        if late:
            yield Seen(f"says API version {version}, and uses {', '.join(late)} of a later one")


@rule(
    Page,
    "versions",
    WARNING,
    clients="Neither reads it; tools that choose by it miss releases.",
    mend="List the version of every file in `versions`, in normal form, each once; or say API version 1.0.",
)
def versions(page: Page) -> Iterator[Seen]:
    """A JSON page from version 1.1 on lists the versions of its files, and sizes (PEP 700)."""
    if page.form != "json" or page.kind != "project" or not page.usable or page.api_version in (None, "1.0"):
        return
    if not isinstance(page.api_version, str) or not page.api_version.startswith("1."):
        return
    listed = page.document.get("versions")
    if not isinstance(listed, list) or not all(isinstance(one, str) for one in listed):
        yield Seen("has no list `versions`")
    else:
        known = {_normal(one) for one in listed}
        missing = sorted({v for e in page.entries if (v := _version_of(e, page.project)) and v not in known})
        if missing:
            yield Seen(f"`versions` lacks {', '.join(missing[:5])}, of which there are files")
        if len(known) < len(listed):
            yield Seen("`versions` names one twice")
    without = sum("size" not in entry.raw for entry in page.entries)
    if without:
        yield Seen(f"{without:,} files have no size, which is mandatory from version 1.1 on")


def _normal(version: str) -> str:
    try:
        return str(Version(version))
    except InvalidVersion:
        return version


def _version_of(entry: Entry, project: str) -> str | None:
    if not entry.filename.endswith(DISTRIBUTIONS):
        return None
    if entry.filename.endswith(".whl"):
        try:
            return identity(entry.filename)[1]
        except ValueError:
            return None
    version = sdist_of(entry.filename, project)
    try:
        return str(Version(version)) if version else None
    except InvalidVersion:
        return None


@rule(
    Page,
    "page-name",
    WARNING,
    clients="Neither looks at it; other readers take the page for that of another project.",
    mend="Write the normalized name of the project into `name`.",
)
def page_name(page: Page) -> Iterator[Seen]:
    """A JSON page names the project that it is of."""
    if page.form == "json" and page.kind == "project" and page.usable:
        name = page.document.get("name")
        if not isinstance(name, str):
            yield Seen("has no `name`")
        elif page.project and canonicalize_name(name) != page.project:
            yield Seen(f"names {name[:80]!r}, and is the page of {page.project}")


@rule(
    Page,
    "project-status",
    WARNING,
    clients="Neither heeds it when it chooses; readers that do refuse a status that they do not know.",
    mend="Say active, archived, quarantined or deprecated, and offer no file of a quarantined project (PEP 792).",
)
def project_status(page: Page) -> Iterator[Seen]:
    """The status of a project is one that there is, and a quarantined one offers no file."""
    if page.status and page.status not in _STATUSES:
        yield Seen(f"status {page.status[:40]!r} is none of {', '.join(_STATUSES)}")
    elif page.status == "quarantined" and page.entries:
        yield Seen(f"is quarantined, and lists {len(page.entries):,} files all the same")


# --- HTML -----------------------------------------------------------------------------------------------------------


@rule(
    Page,
    "unsafe-page",
    ERROR,
    pip=DEPENDS,
    uv=DEPENDS,
    clients="Links that are no web addresses are passed over by pip; uv refuses the page for some. A person who opens "
    "the page runs what somebody wrote into a file.",
    mend="Escape what goes into the page, quotes too, and link to http and https only.",
)
def unsafe_page(page: Page) -> Iterator[Seen]:
    """Nothing on a page can run, and no attribute breaks out of its quotes."""
    yield from map(Seen, dict.fromkeys(page.dangerous))
    for entry in page.entries:
        if entry.form == "json" and any(
            isinstance(value, str) and CONTROL.search(value) for value in entry.raw.values()
        ):
            yield Seen("a field with control characters in it", entry.filename)


@rule(
    Page,
    "base-link",
    ERROR,
    pip=FAILS,
    uv=FAILS,
    clients="Both take it for an absolute address, and find no file or refuse the page.",
    mend="Leave out <base>, or write an absolute address into it.",
)
def base_link(page: Page) -> Iterator[Seen]:
    """<base> is absent, or has an absolute address."""
    if page.base_link is not None and not re.match(r"[a-z]+://", page.base_link.strip(), re.IGNORECASE):
        yield Seen(f"<base href={page.base_link[:80]!r}> is relative")


@rule(
    Page,
    "no-doctype",
    WARNING,
    clients="Today's do not care; pip 22.0 failed, and the specification wants valid HTML5.",
    mend="Begin the page with <!DOCTYPE html>.",
)
def no_doctype(page: Page) -> Iterator[Seen]:
    """An HTML page begins with <!DOCTYPE html>."""
    if page.form == "html" and page.usable and not _is_json_as_html(page) and not page.has_doctype:
        yield Seen("does not begin with <!DOCTYPE html>")


@rule(
    Page,
    "stray-link",
    WARNING,
    clients="uv takes every link of the root for a project, and other readers every link of a page for a file.",
    mend="Leave on the page only the links that it is for.",
)
def stray_link(page: Page) -> Iterator[Seen]:
    """A page has no link but those to files, and a root none but those to projects."""
    if page.usable and page.kind != "flat" and (stray := page.stray):
        yield Seen(
            f"{len(stray):,} links lead elsewhere: {', '.join(link_shown(link) or 'nothing' for link in stray[:3])}"
        )
    if page.kind == "root" and page.entries and page.projects:
        yield Seen(f"{len(page.entries):,} links to files stand on the root: {page.entries[0].filename}")


@rule(
    Page,
    "anchor-text",
    WARNING,
    clients="Both take the name from the address; pypi-simple takes what the link shows.",
    mend="Let the link show the filename, and nothing else.",
)
def anchor_text(page: Page) -> Iterator[Seen]:
    """A link shows the name of its file."""
    for entry in page.entries:
        if entry.form == "html" and entry.text != entry.filename:
            yield Seen(f"shows {entry.text[:100]!r}", entry.filename)


@rule(
    Page,
    "yanked-unclear",
    ERROR,
    pip=WRONG,
    clients="pip takes the file for one that is not yanked, and installs it; uv does not.",
    mend='Write data-yanked="" or a reason in HTML, true or a reason in JSON; or leave it out.',
)
def yanked_unclear(page: Page) -> Iterator[Seen]:
    """Whether a file is yanked is said so that all clients understand it."""
    for entry in page.entries:
        if entry.form == "html" and "data-yanked" in entry.raw and entry.raw["data-yanked"] is None:
            yield Seen("data-yanked has no value", entry.filename)
        elif entry.form == "json" and entry.raw.get("yanked") == "":
            yield Seen('yanked is ""', entry.filename)


@rule(
    Page,
    "metadata-attribute",
    ERROR,
    pip=FAILS,
    uv=DEPENDS,
    clients='pip takes any text, "false" among them, for a yes, asks for FILE.metadata and stops when it is not there.',
    mend="Write true or sha256=… , or leave the attribute out.",
)
def metadata_attribute(page: Page) -> Iterator[Seen]:
    """data-core-metadata is `true` or a hash."""
    for entry in page.entries:
        for key in ("data-core-metadata", "data-dist-info-metadata"):
            if entry.form == "html" and key in entry.raw:
                value = entry.raw[key] or ""
                name, _, digest = value.partition("=")
                if value != "true" and (
                    len(digest) != _HASHES.get(name, -1) or not re.fullmatch(r"[0-9a-fA-F]*", digest)
                ):
                    yield Seen(f"{key} is {value[:80]!r}", entry.filename)


# --- links ----------------------------------------------------------------------------------------------------------


@rule(
    Page,
    "bad-link",
    ERROR,
    pip=DEPENDS,
    uv=DEPENDS,
    clients="A relative link that goes one level wrong ends at 404: both stop. What is no address is passed over, or "
    "costs the whole page.",
    mend="Link relative to the page, percent-encoded, or with a whole http or https address.",
)
def bad_link(page: Page) -> Iterator[Seen]:
    """Every link to a file is an address that a client can ask."""
    for entry in page.entries:
        scheme = urlsplit(entry.url).scheme if entry.url else ""
        if entry.form == "json" and not isinstance(entry.raw.get("url"), str):
            continue  # `field-type`
        if not entry.url:
            yield Seen(f"the link is no address: {link_shown(entry.link)}", entry.filename)
        elif scheme not in ("http", "https", "file"):
            yield Seen(f"the link is of kind {scheme}:, which no client installs from", entry.filename)
        elif scheme == "file" and (not page.local or entry.link.lower().startswith("file:")):
            yield Seen("the link is to a file of this machine, which others do not have", entry.filename)
        elif ".." in urlsplit(entry.url).path.split("/"):
            yield Seen(f"the link leads out of the host: {link_shown(entry.link)}", entry.filename)
        elif (
            entry.form == "json"
            and entry.filename
            and entry.filename != unquote(urlsplit(entry.url).path).rpartition("/")[2]
        ):
            yield Seen(f"the link leads to another name: {link_shown(entry.link)}", entry.filename)


@rule(
    Page,
    "insecure-link",
    ERROR,
    clients="Both download over http what they were told about over https; whoever is between may read it, and without "
    "a hash also change it.",
    mend="Link to https, or relative to the page.",
)
def insecure_link(page: Page) -> Iterator[Seen]:
    """A page that came over https names no file by http."""
    for entry in page.entries:
        if page.base.startswith("https:") and entry.url.startswith("http:"):
            yield Seen("an http link on an https page", entry.filename)


@rule(
    Page,
    "credentials-in-link",
    ERROR,
    clients="Both use them, and so does everybody else who reads the page.",
    mend="Take user and password out of the link, and change the password.",
)
def credentials_in_link(page: Page) -> Iterator[Seen]:
    """No link has a user name or a password in it."""
    for entry in page.entries:
        if entry.url and "@" in urlsplit(entry.url).netloc:
            yield Seen("the link has a user name or a password in it", entry.filename)


@rule(
    Page,
    "raw-plus",
    WARNING,
    uv=DEPENDS,
    clients="pip asks for %2B whatever the page says; uv asks for what is there, and S3 and CloudFront take a + for a "
    "space: 403.",
    mend="Write %2B for + in links.",
)
def raw_plus(page: Page) -> Iterator[Seen]:
    """A + in a link is written %2B."""
    for entry in page.entries:
        if "+" in entry.link.partition("#")[0].partition("?")[0]:
            yield Seen(f"a + in the link: {link_shown(entry.link)}", entry.filename)


@rule(
    Page,
    "root-relative",
    WARNING,
    pip=DEPENDS,
    uv=DEPENDS,
    clients="Both find the files only where the tree is at the root of a host: below a path (as on GitHub Pages) and "
    "from file:// the links lead nowhere.",
    mend="Link relative to the page: ../../files/… instead of /files/…",
)
def root_relative(page: Page) -> Iterator[Seen]:
    """The links of a tree do not depend on where it is served."""
    links = [entry.link for entry in page.entries] + list(page.project_links)
    found = [link for link in links if re.match(r"/(?!/)", link)]
    if page.local and found:
        yield Seen(f"{len(found):,} links begin with a slash: {link_shown(found[0])}")


@rule(
    Page,
    "fragment",
    ERROR,
    pip=DEPENDS,
    uv=FAILS,
    clients="uv refuses the whole page for a hash of a kind that it does not know, or for egg=; pip ignores it, or "
    "does not find the file.",
    mend="Write #sha256=… and nothing else behind a link.",
)
def fragment(page: Page) -> Iterator[Seen]:
    """Behind a link stands one hash of a kind that all clients know, or nothing."""
    for entry in page.entries:
        text = unquote(entry.link.partition("#")[2])
        if entry.form != "html" or "=" not in text:
            continue
        name, _, value = text.partition("=")
        if name not in _UV_HASHES or "&" in value or (name == "blake2b" and len(value) != 64):
            yield Seen(f"#{text[:100]}", entry.filename)


@rule(
    Page,
    "hash-malformed",
    WARNING,
    pip=DEPENDS,
    uv=DEPENDS,
    clients="A hash that no file can have makes both refuse the file; in capitals it fails with pip before 23.3.",
    mend="Write 64 lower-case hexadecimal digits for sha256: make the page anew.",
)
def hash_malformed(page: Page) -> Iterator[Seen]:
    """A hash has the digits that its kind has, in lower case."""
    for entry in page.entries:
        for name, value in _hashes(entry):
            length = _HASHES.get(name)
            if length and (len(value) != length or not re.fullmatch(r"[0-9a-f]+", value)):
                is_hex = len(value) == length and re.fullmatch(r"[0-9a-fA-F]+", value)
                yield Seen(f"{name} {'in capitals' if is_hex else 'is ' + repr(value[:70])}", entry.filename)


def _hashes(entry: Entry) -> Iterator[tuple[str, str]]:
    if entry.form == "json":
        hashes = entry.raw.get("hashes")
        for name, value in hashes.items() if isinstance(hashes, dict) else ():
            if isinstance(value, str):
                yield name, value
    else:
        name, equals, value = unquote(entry.link.partition("#")[2]).partition("&")[0].partition("=")
        if equals:
            yield name, value


@rule(
    Page,
    "no-hash",
    WARNING,
    clients="Both install whatever comes; `pip --require-hashes` and lock files refuse the file or have to download it "
    "first.",
    mend="Give sha256 of every file: `mkindex SOURCE DEST` computes it.",
)
def no_hash(page: Page) -> Iterator[Seen]:
    """Every file has a sha256, or a stronger hash."""
    for entry in page.entries:
        if entry.sha256 or entry.other_hash.startswith(("sha384", "sha512")):
            continue
        if any(_HASHES.get(name, 0) >= 64 for name, _ in _hashes(entry)):
            continue  # `hash-malformed`
        weak = entry.other_hash.partition("=")[0]
        yield Seen(f"only {weak}" if weak else "no hash", entry.filename)


# --- files ----------------------------------------------------------------------------------------------------------


@rule(
    Page,
    "requires-python-invalid",
    ERROR,
    uv=WRONG,
    clients="pip ignores it and takes the file; uv drops the file, and takes an older version without a word.",
    mend="Correct Requires-Python in the project and build again; until then leave it out of the page.",
)
def requires_python_invalid(page: Page) -> Iterator[Seen]:
    """Requires-Python is a valid version specifier."""
    for entry in page.entries:
        try:
            SpecifierSet(entry.requires_python)
        except InvalidSpecifier:
            yield Seen(f"requires-python is {entry.requires_python[:100]!r}", entry.filename)


@rule(
    Page,
    "foreign-file",
    ERROR,
    uv=DEPENDS,
    clients="pip passes over it; uv may choose it for its version, and stops or installs something else.",
    mend="Move the file to the page of its own project.",
)
def foreign_file(page: Page) -> Iterator[Seen]:
    """A page lists files of its own project only."""
    if page.kind != "project" or not page.project:
        return
    for entry in page.entries:
        if entry.filename.endswith(".whl"):
            name = canonicalize_name(entry.filename.partition("-")[0])
            if name and name != page.project:
                yield Seen(f"a file of {name} on the page of {page.project}", entry.filename)
        elif entry.filename.endswith((".tar.gz", ".zip")) and sdist_of(entry.filename, page.project) is None:
            yield Seen(f"not a file of {page.project}", entry.filename)


@rule(
    Page,
    "duplicate-file",
    ERROR,
    pip=DEPENDS,
    uv=DEPENDS,
    clients="Which of them is installed is chance; a lock file knows one and refuses the other.",
    mend="List each file once. A changed file gets a new version, or a build tag.",
)
def duplicate_file(page: Page) -> Iterator[Seen]:
    """No two entries of a page mean the same file, and differ."""
    known: dict[tuple[str, ...], Entry] = {}
    for entry in page.entries:
        try:
            key: tuple[str, ...] = identity(entry.filename)
        except ValueError:
            key = (entry.filename,)
        first = known.setdefault(key, entry)
        if first is entry:
            continue
        if first.filename != entry.filename:
            yield Seen(f"clients cannot tell it from {first.filename}", entry.filename)
        elif first.sha256 != entry.sha256:
            yield Seen("is listed twice, with different hashes", entry.filename)
        elif first.url != entry.url:
            yield Seen("is listed twice, at different addresses", entry.filename)


@rule(
    Page,
    "unusable-name",
    WARNING,
    pip=WRONG,
    uv=WRONG,
    clients="Both pass over the file without a word, and take an older version or say that there is none.",
    mend="Build it again with a current tool, as .whl or .tar.gz; renaming is seldom enough.",
)
def unusable_name(page: Page) -> Iterator[Seen]:
    """Every file has a name that all clients take for a wheel or an sdist."""
    for entry in page.entries:
        if text := _unusable(entry.filename, page.project if page.kind == "project" else ""):
            yield Seen(text, entry.filename)


def _unusable(filename: str, project: str) -> str:
    if not filename:
        return ""
    if not filename.endswith(DISTRIBUTIONS):
        return "uv and packaging install .whl, .tar.gz and .zip only"
    if not FILENAME.fullmatch(filename):
        return "has characters other than letters, digits and ._+!-"
    if not filename.endswith(".whl") and project and (version := sdist_of(filename, project)):
        return "" if _is_version(version) else f"{version!r} is no version"
    try:
        identity(filename)
    except ValueError as error:
        return str(error)
    return ""


def _is_version(text: str) -> bool:
    try:
        Version(text)
    except InvalidVersion:
        return False
    return True


@rule(
    Page,
    "name-collision",
    WARNING,
    pip=DEPENDS,
    uv=DEPENDS,
    clients="Both ask for the normalized name only: files that are on the page of another spelling are not found.",
    mend="Make one project of them, under the normalized name.",
)
def name_collision(page: Page) -> Iterator[Seen]:
    """A root lists each project once, whatever its spelling."""
    if page.kind != "root":
        return
    names = Counter(canonicalize_name(name) for name, _ in page.projects)
    for name, count in names.items():
        if count > 1:
            spelled = sorted({shown for shown, _ in page.projects if canonicalize_name(shown) == name})
            yield Seen(f"{name} is listed {count} times, as {', '.join(spelled)[:200]}")


@rule(
    Page,
    "root-link",
    WARNING,
    clients="Neither reads the root; poetry's search, mirrors and people follow its links.",
    mend="Link to NORMALIZED-NAME/ : lower case, each run of - _ . a single -, a slash at the end.",
)
def root_link(page: Page) -> Iterator[Seen]:
    """A root links to each project at its normalized name, with a slash at the end."""
    wrong = [link for link in page.project_links if not re.search(r"(?:^|/)[a-z0-9]+(?:-[a-z0-9]+)*/$", link)]
    if wrong:
        yield Seen(f"{len(wrong):,} links are spelled otherwise: {', '.join(link_shown(link) for link in wrong[:3])}")


@rule(
    Page,
    "no-metadata",
    NOTE,
    clients="Both download a whole wheel, or parts of it, to read what it requires.",
    mend="Put METADATA beside each wheel as FILE.metadata, and name its hash on the page (PEP 658): mkindex does.",
)
def no_metadata(page: Page) -> Iterator[Seen]:
    """The core metadata of wheels is offered beside them."""
    wheels = [entry for entry in page.entries if entry.filename.endswith(".whl")]
    without = [entry.filename for entry in wheels if entry.metadata is None]
    if without:
        yield Seen(f"{len(without):,} of {len(wheels):,} wheels have none: {', '.join(without[:2])[:200]}")


@rule(
    Page,
    "large-page",
    NOTE,
    clients="Both read all of it whenever they look for one version.",
    mend="Move old releases to an index of their own.",
)
def large_page(page: Page) -> Iterator[Seen]:
    """The page of a project is not so large that every install waits for it."""
    if page.kind == "project" and (len(page.reply.body) > _LARGE or len(page.entries) > _MANY):
        yield Seen(f"{len(page.reply.body):,} bytes, {len(page.entries):,} files")
