"""Write the HTML pages of the Simple API from the dictionaries of PEP 691.

The templates in `templates/simple/` make the same pages, more slowly. They are used if the user replaces one of them.
"""

import re
from collections.abc import Collection, Iterable

from mkindex.simple.writer import PageDocument, make_root_page

_SPECIAL = re.compile("[&<>\"']")


def encode_root_html(names: Iterable[str]) -> bytes:
    """Return the list of projects as HTML. `names`: normalized."""
    links = "".join([f'<a href="{name}/">{name}</a><br>\n' for name in names])
    return _encode(
        f"{_start(make_root_page(()))}<title>Simple index</title>\n</head>\n<body>\n{links}</body>\n</html>\n"
    )


def encode_project_html(page: PageDocument, legacy: Collection[str]) -> bytes:
    """Return the page of a project as HTML. `legacy`: filenames with the attribute that pip 22.3 to 23.1 read."""
    head = _start(page)
    if "_reserved" in page["meta"]:
        head += '<meta name="mkindex:reserved" content="true">\n'
    for name, content in page.get("project-status", {}).items():
        attribute = "pypi:project-status" if name == "status" else f"pypi:project-status-{name}"
        head += f'<meta name="{attribute}" content="{_escape(content)}">\n'
    title = f"Links for {_escape(page['name'])}"
    links = "".join([_link(file, legacy) for file in page["files"]])
    return _encode(f"{head}<title>{title}</title>\n</head>\n<body>\n<h1>{title}</h1>\n{links}</body>\n</html>\n")


def _start(page: PageDocument) -> str:
    version = page["meta"]["api-version"]
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta name="pypi:repository-version" content="{version}">\n'
    )


def _link(file: PageDocument, legacy: Collection[str]) -> str:
    """Return the anchor of a file, as defined by PEP 503, 592, 658, 700, 714 and 740. It ends with a line end."""
    get = file.get
    fragment = f"#sha256={_escape(file['hashes']['sha256'])}" if file["hashes"] else ""
    attributes = f'href="{_escape(file["url"])}{fragment}"'
    if requires_python := get("requires-python"):
        attributes += f' data-requires-python="{_escape(requires_python)}"'
    if yanked := get("yanked"):  # True without a reason
        attributes += f' data-yanked="{"" if yanked is True else _escape(yanked)}"'
    if core_metadata := get("core-metadata"):
        value = f"sha256={_escape(core_metadata['sha256'])}"
        attributes += f' data-core-metadata="{value}"'
        if file["filename"] in legacy:
            attributes += f' data-dist-info-metadata="{value}"'
    if provenance := get("provenance"):
        attributes += f' data-provenance="{_escape(provenance)}"'
    if (size := get("size")) is not None:
        attributes += f' data-size="{size}"'
    if upload_time := get("upload-time"):
        attributes += f' data-upload-time="{_escape(upload_time)}"'
    return f"<a {attributes}>{_escape(file['filename'])}</a><br>\n"


def _escape(text: str) -> str:
    """Return text with the entities that templates write. Importing `html` would take as long as writing many pages."""
    if not _SPECIAL.search(text):  # as most texts
        return text
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return text.replace('"', "&#34;").replace("'", "&#39;")


def _encode(html: str) -> bytes:
    """Return a page as ASCII, because not all servers send a charset."""
    return html.encode("ascii", "xmlcharrefreplace")
