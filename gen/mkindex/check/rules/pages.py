"""Rules on any page: whether clients can read it."""

from collections.abc import Iterator

from mkindex.check.findings import DEPENDS, ERROR, FAILS, WARNING, WRONG, Violation, rule
from mkindex.check.observations import SeenPage
from mkindex.simple.media_types import HTML_TYPE, JSON_TYPE
from mkindex.web.redirects import INSECURE


@rule(
    SeenPage,
    "content-type",
    ERROR,
    pip=FAILS,
    uv=FAILS,
    impact="pip and uv reject a page of any other type. JSON served as application/json is the usual case.",
    fix=f"Configure the server to send text/html for HTML and {JSON_TYPE} for JSON (`mkindex host` prints a "
    "configuration).",
)
def content_type(page: SeenPage) -> Iterator[Violation]:
    """A page has one of the three content types that clients accept."""
    if page.reply.status == 200 and not page.form and not page.reply.broken:
        looks = page.reply.body.lstrip()[:1]
        what = "JSON" if looks == b"{" else "HTML" if looks == b"<" else "the page"
        served = f"as {page.reply.media_type}" if page.reply.media_type else "without a content type"
        yield Violation(f"{what} is served {served}; clients accept text/html, {HTML_TYPE} and {JSON_TYPE}")
    elif page.reply.status == 200 and page.is_json_as_html:
        yield Violation(f"JSON is served as {page.reply.media_type}, in which clients find no files")


@rule(
    SeenPage,
    "page-broken",
    ERROR,
    pip=DEPENDS,
    uv=DEPENDS,
    impact="If JSON is cut off, pip and uv report an error and stop. If HTML is cut off, they use what is there: an "
    "older version is installed without an error.",
    fix="Publish the page again. Write it under a temporary name and rename it, so that clients never see half of it.",
)
def page_broken(page: SeenPage) -> Iterator[Violation]:
    """A page is complete and can be read."""
    if page.reply.status == 200 and page.broken and page.broken != INSECURE:
        yield Violation(page.broken)


@rule(
    SeenPage,
    "page-unfinished",
    WARNING,
    pip=WRONG,
    uv=WRONG,
    impact="pip and uv use what is there. HTML allows it, but a page with <html> usually has </html>, too: links may "
    "be missing.",
    fix="Publish the complete page again.",
)
def page_unfinished(page: SeenPage) -> Iterator[Violation]:
    """An HTML page that begins as a document ends as one."""
    if page.is_usable and not page.has_end:
        yield Violation("begins as a document, but has no </html>: it may be cut off")


@rule(
    SeenPage,
    "page-empty",
    WARNING,
    pip=FAILS,
    uv=FAILS,
    impact='pip and uv report that the project does not exist, or that it has "no versions".',
    fix="List the files, or remove the project. If it is quarantined, set its status (PEP 792). If its name is "
    "reserved, --reserve says so.",
)
def page_empty(page: SeenPage) -> Iterator[Violation]:
    """The page of a project lists files."""
    is_read = page.is_usable and not page.is_json_as_html and not page.field_errors
    is_meant = page.status == "quarantined" or page.is_reserved
    if is_read and page.kind != "root" and not page.entries and not is_meant:
        yield Violation("lists no files")
