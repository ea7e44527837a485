"""Rules on the markup of pages, and on the attributes of their anchors (PEP 503)."""

import re
from collections.abc import Iterator

from mkindex.check.addresses import CONTROL, display_link, shorten
from mkindex.check.findings import DEPENDS, ERROR, FAILS, WARNING, WRONG, Violation, rule
from mkindex.check.observations import SeenPage
from mkindex.simple.links import HASH_DIGITS
from mkindex.text import plural

_SHOWN = 3  # links that are named


@rule(
    SeenPage,
    "unsafe-page",
    ERROR,
    pip=DEPENDS,
    uv=DEPENDS,
    impact="pip ignores links that are not web addresses; uv rejects the page because of some. A person who opens the "
    "page executes what somebody wrote into a file.",
    fix="Escape everything that goes into the page, including quotes, and link only to http and https.",
)
def unsafe_page(page: SeenPage) -> Iterator[Violation]:
    """Nothing on a page can be executed, and all attributes are escaped."""
    yield from map(Violation, dict.fromkeys(page.dangers))
    for entry in page.entries:
        if entry.form == "json" and any(
            isinstance(value, str) and CONTROL.search(value) for value in entry.raw.values()
        ):
            yield Violation("a field contains control characters", entry.filename)


@rule(
    SeenPage,
    "base-link",
    ERROR,
    pip=FAILS,
    uv=FAILS,
    impact="pip and uv treat it as an absolute address, and find no file or reject the page.",
    fix="Remove <base>, or give it an absolute address.",
)
def base_link(page: SeenPage) -> Iterator[Violation]:
    """<base> is absent, or has an absolute address."""
    if page.base_href is not None and not re.match(r"[a-z]+://", page.base_href.strip(), re.IGNORECASE):
        yield Violation(f"<base href={shorten(page.base_href, 80)!r}> is relative")


@rule(
    SeenPage,
    "no-doctype",
    WARNING,
    impact="Current versions of pip and uv accept the page. pip 22.0 failed, and the specification requires valid "
    "HTML5.",
    fix="Begin the page with <!DOCTYPE html>.",
)
def no_doctype(page: SeenPage) -> Iterator[Violation]:
    """An HTML page begins with <!DOCTYPE html>."""
    if page.form == "html" and page.is_usable and not page.is_json_as_html and not page.has_doctype:
        yield Violation("does not begin with <!DOCTYPE html>")


@rule(
    SeenPage,
    "stray-link",
    WARNING,
    impact="uv takes every link of a root page for a project. Other readers take every link of a page for a file.",
    fix="Remove the other links from the page.",
)
def stray_link(page: SeenPage) -> Iterator[Violation]:
    """A project page links only to files, and a root page only to projects."""
    if page.is_usable and page.kind != "flat" and (stray := page.stray_links):
        links = ", ".join(display_link(link) or "an empty link" for link in stray[:_SHOWN])
        yield Violation(f"{plural(len(stray), 'other link')}: {links}")
    if page.kind == "root" and page.entries and page.projects:
        yield Violation(f"{plural(len(page.entries), 'link')} to files on the root page: {page.entries[0].filename}")


@rule(
    SeenPage,
    "anchor-text",
    WARNING,
    impact="pip and uv take the filename from the address. pypi-simple takes it from the text.",
    fix="Use the filename as the text of the link, and nothing else.",
)
def anchor_text(page: SeenPage) -> Iterator[Violation]:
    """The text of a link is the filename."""
    for entry in page.entries:
        if entry.form == "html" and entry.anchor_text.strip() != entry.filename:
            yield Violation(f"its text is {entry.anchor_text[:100]!r}", entry.filename)


@rule(
    SeenPage,
    "yanked-unclear",
    ERROR,
    pip=WRONG,
    impact="pip does not treat the file as yanked, and installs it. uv treats it as yanked.",
    fix='Write data-yanked="" or a reason in HTML, true or a reason in JSON. Or remove it.',
)
def yanked_unclear(page: SeenPage) -> Iterator[Violation]:
    """A yanked file is marked in a way that all clients understand."""
    for entry in page.entries:
        if entry.form == "html" and "data-yanked" in entry.raw and entry.raw["data-yanked"] is None:
            yield Violation("data-yanked has no value", entry.filename)
        elif entry.form == "json" and entry.raw.get("yanked") == "":
            yield Violation('yanked is ""', entry.filename)


@rule(
    SeenPage,
    "metadata-attribute",
    ERROR,
    pip=FAILS,
    uv=DEPENDS,
    impact='pip reads any value as yes, even "false". It requests FILE.metadata and stops if it is missing.',
    fix="Write true or sha256=…, or remove the attribute.",
)
def metadata_attribute(page: SeenPage) -> Iterator[Violation]:
    """data-core-metadata is `true` or a hash."""
    for entry in page.entries:
        for key in ("data-core-metadata", "data-dist-info-metadata"):
            if entry.form == "html" and key in entry.raw:
                value = entry.raw[key] or ""
                name, _, digest = value.partition("=")
                if value != "true" and (
                    len(digest) != HASH_DIGITS.get(name, -1) or not re.fullmatch(r"[0-9a-fA-F]*", digest)
                ):
                    yield Violation(f"{key} is {value[:80]!r}", entry.filename)
