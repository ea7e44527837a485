"""What a client gets: which form of a page (PEP 691), which bytes of a file, or that its copy is current."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from mkindex.tree.content_types import HTML_TYPE, JSON_TYPE
from mkindex.tree.names import INDEX_HTML, INDEX_JSON

_SIMPLE = "application/vnd.pypi.simple."
_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")


@dataclass(frozen=True, kw_only=True, slots=True)
class Variant:
    """One form of an index page: the media types that select it, the Content-Type it is sent with, and its file."""

    media_types: tuple[str, ...]
    content_type: str
    filename: str


# PEP 691, "Version + Format Selection". The first one is sent if the client has no preference.
VARIANTS = (
    Variant(media_types=("text/html",), content_type=HTML_TYPE, filename=INDEX_HTML),
    Variant(
        media_types=(f"{_SIMPLE}v1+json", f"{_SIMPLE}latest+json"),
        content_type=JSON_TYPE,
        filename=INDEX_JSON,
    ),
    Variant(
        media_types=(f"{_SIMPLE}v1+html", f"{_SIMPLE}latest+html"),
        content_type=f"{_SIMPLE}v1+html; charset=utf-8",
        filename=INDEX_HTML,
    ),
)


# micropip sends exactly this, and takes relative addresses in JSON for absolute ones. It reads HTML as well.
# (poetry, which reads JSON correctly, sends q=0.1.)
_MICROPIP = f"{_SIMPLE}v1+json, */*;q=0.01"


def negotiate(accept: str | None, variants: Sequence[Variant] = VARIANTS) -> Variant | None:
    """Return the variant that an Accept header prefers (RFC 9110, section 12.5.1), or None if it accepts none."""
    if accept is None or not accept.strip() or accept == _MICROPIP:
        return variants[0]
    quality: dict[str, float] = {}
    for part in accept.split(","):
        media, *parameters = (piece.strip().lower() for piece in part.split(";"))
        weight = next((value[2:] for value in parameters if value.startswith("q=")), "1")
        quality[media] = min(float(weight), 1.0) if re.fullmatch(r"\d+(\.\d*)?|\.\d+", weight) else 0.0

    def weight_of(variant: Variant) -> float:
        # The most specific media range that matches counts, even with a lower weight.
        exact = [quality[media] for media in variant.media_types if media in quality]
        any_subtype = f"{variant.media_types[0].partition('/')[0]}/*"
        return max(exact) if exact else quality.get(any_subtype, quality.get("*/*", 0.0))

    best = max(variants, key=weight_of)
    return best if weight_of(best) > 0 else None


def byte_range(header: str | None, size: int) -> tuple[int, int] | None:
    """Return offset and length of the bytes that a Range header requests, or None for the whole file.

    Several ranges and malformed ones are ignored, as if there were no header (RFC 9110, section 14.2). Raises
    IndexError for a range beyond the end of the file.
    """
    match = _RANGE.fullmatch(header.strip()) if header else None
    if not match or match[0].endswith("=-"):
        return None
    first, last = match.groups()
    start = int(first) if first else max(size - int(last), 0)
    end = min(int(last), size - 1) if first and last else size - 1
    if first and last and int(last) < int(first):
        return None
    if start >= size:
        raise IndexError(start)
    return start, end - start + 1


def matches_etag(header: str | None, etag: str) -> bool:
    """Return whether an If-None-Match header names the etag, by weak comparison (RFC 9110, section 13.1.2)."""
    etags = [one.strip().removeprefix("W/") for one in header.split(",")] if header else []
    return etag in etags or etags == ["*"]
