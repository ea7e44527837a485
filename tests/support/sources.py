"""Open a source as a build does."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypedDict, Unpack

from mkindex.sources.open import SourceOptions, open_source
from support.web_requests import make_client

if TYPE_CHECKING:
    from mkindex.sources.selection import Selection
    from mkindex.sources.source import Source


class ChosenOptions(TypedDict, total=False):
    """The fields of SourceOptions that a test may set."""

    selection: Selection
    recursive: bool
    follow_symlinks: bool
    whole_index: bool
    files_url: str
    verify_links: bool
    exclude: tuple[str, ...]


def open_with_defaults(spec: str, **chosen: Unpack[ChosenOptions]) -> Source:
    """Return the source that SOURCE means, without a cache and with two connections."""
    options = SourceOptions(web=make_client(), executor=ThreadPoolExecutor(2), **chosen)
    return open_source(spec, options)
