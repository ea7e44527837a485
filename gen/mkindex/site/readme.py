"""Render the README of a release: nothing in it can act, or load something from elsewhere without permission."""

import html
import re
import warnings
from collections.abc import Callable, Iterator
from contextlib import suppress
from email.message import Message
from typing import NamedTuple

from mkindex.site import limited
from mkindex.text import displayed_lines

PACKAGES = ("readme_renderer", "docutils", "pygments", "comrak", "nh3")  # versions of them change what is rendered
SECONDS = 10  # of processor time for one README
MAX_SIZE = 1_000_000  # characters that are rendered; a longer text is shown as it is, as far as MAX_TEXT
MAX_TEXT = 200_000
_MAX_RENDERED = 4_000_000  # characters of HTML
_PLAIN, _RENDERED = b"p", b"r"  # the first byte of an answer
COMMAND = limited.command("mkindex.site.readme.answer_requests")

# --- the process ----------------------------------------------------------------------------------------------------


class Request(NamedTuple):
    """A README to be rendered."""

    raw: bytes  # core metadata
    images: bool  # whether it may show images from elsewhere


def answer_requests() -> None:
    """Render what standard input asks for, until it ends: the main function of the process."""
    limited.answer_requests(lambda _: lambda request: render_readme(request).encode("utf-8", "replace"))


def render_readme(request: Request) -> str:
    """Return the README in core metadata as HTML; plain text if it cannot be rendered."""
    from mkindex.distributions.core_metadata import read_readme

    readme = read_readme(request.raw)
    text = displayed_lines(readme.text[:MAX_SIZE])
    if len(readme.text) <= MAX_SIZE and (render := _renderer(readme.content_type)):
        with warnings.catch_warnings(), suppress(Exception):  # no README may stop the others
            warnings.simplefilter("ignore")
            if rendered := render(text):
                return _neutral(rendered, images=request.images)
    return plain_readme(text)


def plain_readme(text: str) -> str:
    """Return a README as text, with its line breaks."""
    return f'<pre class="plain">{html.escape(text[:MAX_TEXT])}</pre>' if text.strip() else ""


def _renderer(content_type: str) -> Callable[[str], str | None] | None:
    """Return what renders this type; reStructuredText if none is stated. None: plain text."""
    import readme_renderer.markdown
    import readme_renderer.rst

    message = Message()
    message["Content-Type"] = content_type or "text/x-rst"
    match message.get_content_type():
        case "text/markdown":
            variant = str(message.get_param("variant", "GFM"))
            known = "CommonMark" if variant.lower() == "commonmark" else "GFM"
            return lambda text: readme_renderer.markdown.render(text, variant=known)
        case "text/x-rst":
            return readme_renderer.rst.render
    return None


# --- safety ---------------------------------------------------------------------------------------------------------

_ID_PREFIX = "user-content-"
_HEADING = re.compile(r"<(/?)h([1-6])(?=[ >])")
_TOP_HEADING = 3  # below the heading of the section
_OWN_PREFIX = re.compile(rf'((?:id="|href="#)){_ID_PREFIX}')
_IMAGE = re.compile(r"<img\b[^>]*>")
_ALTERNATIVE = re.compile(r'\balt="([^"]*)"')
_CHECKBOX = re.compile(r"<input\b[^>]*>")
_REL = "nofollow noopener noreferrer"
_WITHOUT_ADDRESS = re.compile(rf'<a((?: (?!href=)[a-z-]+="[^"]*")*) rel="{_REL}">')  # HTML forbids rel then
_EMPTY_LINK = re.compile(r"<a\b[^>]*>\s*</a>")  # to a heading itself
# Elements with a meaning that they do not have in a part of a page.
_RENAMED = {"tt": "code", "acronym": "abbr", "aside": "blockquote", "nav": "div", "section": "div", "input": "span"}
_RENAMED_TAG = re.compile(rf"<(/?)({'|'.join(_RENAMED)})(?=[ >])")


def _neutral(rendered: str, *, images: bool) -> str:
    """Return rendered HTML without what could act, load something, or disturb the page around it."""
    import nh3
    from pygments.token import STANDARD_TYPES  # type: ignore[import-untyped]
    from readme_renderer.clean import ALLOWED_ATTRIBUTES, ALLOWED_TAGS

    if not images:
        rendered = _IMAGE.sub(_alternative, rendered)
    rendered = _CHECKBOX.sub(lambda box: "\N{BALLOT BOX WITH CHECK} " if "checked" in box[0] else "☐ ", rendered)
    rendered = _RENAMED_TAG.sub(lambda tag: f"<{tag[1]}{_RENAMED[tag[2]]}", _EMPTY_LINK.sub("", rendered))
    if len(rendered) > _MAX_RENDERED:
        return ""
    tags = ALLOWED_TAGS - _RENAMED.keys() - (set() if images else {"img", "picture"})
    unwanted = {"align", "lang", "class"}
    # Only links that have lost their address change after this step.
    cleaned = nh3.clean(
        _OWN_PREFIX.sub(r"\1", _with_levels(rendered)),
        tags=tags,
        attributes={tag: names - unwanted for tag, names in ALLOWED_ATTRIBUTES.items() if tag in (*tags, "*")},
        # Classes and ids have meanings of their own in the page.
        allowed_classes={"span": {name for name in STANDARD_TYPES.values() if name}},
        id_prefix=_ID_PREFIX,
        set_tag_attribute_values={"img": {"loading": "lazy", "referrerpolicy": "no-referrer"}} if images else None,
        attribute_filter=_image_attribute if images else None,
        link_rel=_REL,
        url_schemes={"https", "http", "mailto"},
        url_relative=lambda url: f"#{_ID_PREFIX}{url[1:]}" if url.startswith("#") else None,
    )
    return _WITHOUT_ADDRESS.sub(r"<a\1>", cleaned)


def _alternative(image: re.Match[str]) -> str:
    text = _ALTERNATIVE.search(image[0])
    return text[1] if text else ""


def _image_attribute(tag: str, name: str, value: str) -> str | None:
    return None if (tag, name) == ("img", "src") and not value.startswith("https://") else value


def _with_levels(rendered: str) -> str:
    """Put headings below that of the section, each at most one level below the one before."""
    levels = _levels(_HEADING.findall(rendered))
    return _HEADING.sub(lambda heading: f"<{heading[1]}h{next(levels)}", rendered)


def _levels(headings: list[tuple[str, str]]) -> Iterator[int]:
    level = _TOP_HEADING - 1
    first = min((int(digit) for _, digit in headings), default=1)
    for closing, digit in headings:
        if not closing:
            level = min(int(digit) - first + _TOP_HEADING, level + 1, 6)
        yield level
