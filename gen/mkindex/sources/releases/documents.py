"""Read what the APIs of GitHub, Gitea, Forgejo and GitLab, and the command `gh`, say about releases."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from mkindex.simple.bounds import why_json_is_unbounded
from mkindex.simple.links import MAX_SIZE, clean_upload_time, name_at_end, read_hash

_MAX_ASSETS = 1_000_000  # of all releases of a document
_SPACE = re.compile(r"[ \t\r\n]*")
_UPLOADED = ("uploaded", "")  # other states of an asset: its upload has not ended, or failed


class Asset(NamedTuple):
    """One file of a release."""

    name: str
    url: str  # where everybody downloads it
    api_url: str = ""  # where a client with a token downloads it; "": nowhere else
    sha256: str = ""  # "": unknown
    size: int | None = None  # bytes
    upload_time: str = ""  # as on the wire of the Simple API
    revision: str = ""  # changes with the file; "": unknown


@dataclass(frozen=True, kw_only=True, slots=True)
class Release:
    """One release, and its files."""

    tag: str
    assets: tuple[Asset, ...]
    is_draft: bool = False
    is_prerelease: bool = False


class BadDocument(Exception):
    """A document that cannot be understood. The text says why, and follows the name of the document."""


def load_all(text: str) -> list[Any]:
    """Return the items of a JSON array; those of several arrays one after the other, as `gh api --paginate` writes.

    Raises BadDocument.
    """
    if why := why_json_is_unbounded(text):
        raise BadDocument(why)
    items: list[Any] = []
    decoder, at = json.JSONDecoder(), _end_of_space(text, 0)
    try:
        while at < len(text):
            if text[at] not in "[{":
                raise BadDocument("is JSON, but not a list of releases")
            value, end = decoder.raw_decode(text, at)
            items += value if isinstance(value, list) else [value]
            at = _end_of_space(text, end)
    except (ValueError, RecursionError) as error:
        raise BadDocument("is not valid JSON: damaged or truncated") from error
    return items


def _end_of_space(text: str, start: int) -> int:
    found = _SPACE.match(text, start)
    return found.end() if found else start


def read_releases(items: list[Any]) -> Iterator[Release]:
    """Yield the releases of a document. Raises BadDocument."""
    left = _MAX_ASSETS
    for item in items:
        # `gh api --paginate --slurp` writes an array of arrays.
        if isinstance(item, list):
            yield from read_releases(item)
            continue
        if not isinstance(item, dict) or not ({"tag_name", "tagName", "assets"} & item.keys()):
            raise BadDocument("is JSON, but not a list of releases")
        if "assets" not in item:
            raise BadDocument("lists releases without their files. Use gh api --paginate repos/OWNER/REPO/releases")
        release = _read_release(item)
        left -= len(release.assets)
        if left < 0:
            raise BadDocument(f"has more than {_MAX_ASSETS:,} files")
        yield release


def _read_release(item: dict[str, Any]) -> Release:
    assets = item["assets"]
    is_gitlab = isinstance(assets, dict)
    entries = assets.get("links") if is_gitlab else assets
    if not isinstance(entries, list):
        raise BadDocument("has a release whose `assets` are not a list")
    read = _read_gitlab_link if is_gitlab else _read_asset
    return Release(
        tag=_text(item, "tag_name", "tagName"),
        is_draft=_flag(item, "draft", "isDraft"),
        # GitLab has no prereleases, but releases that are announced for a later day.
        is_prerelease=_flag(item, "prerelease", "isPrerelease", "upcoming_release"),
        assets=tuple(filter(None, (read(entry) for entry in entries if isinstance(entry, dict)))),
    )


def _read_asset(entry: dict[str, Any]) -> Asset | None:
    """Return an asset of GitHub, Gitea, Forgejo or `gh`; None if it has no address, or its upload has not ended."""
    name, size = _text(entry, "name"), entry.get("size")
    # `gh` calls the addresses `url` and `apiUrl`, the API `browser_download_url` and `url`.
    url = _text(entry, "browser_download_url") or _text(entry, "url")
    api_url = _text(entry, "url" if "browser_download_url" in entry else "apiUrl")
    if not name or not url or _text(entry, "state") not in _UPLOADED:
        return None
    changed = _text(entry, "updated_at", "updatedAt") or _text(entry, "uuid")
    return Asset(
        name=name,
        url=url,
        api_url=api_url,
        sha256=_sha256(_text(entry, "digest")),
        size=size if isinstance(size, int) and 0 <= size < MAX_SIZE else None,
        upload_time=clean_upload_time(_text(entry, "created_at", "createdAt")),
        revision=f"{entry.get('id')} {changed}" if changed else "",
    )


def _read_gitlab_link(entry: dict[str, Any]) -> Asset | None:
    """Return an asset of GitLab, which is a link. Its name is free text; that of the file is in the address."""
    url = _text(entry, "direct_asset_url") or _text(entry, "url")
    return Asset(name=name_at_end(url), url=url) if url else None


def _sha256(digest: str) -> str:
    """Return the hexadecimal digits of `sha256:…`, "" for anything else."""
    kind, _, digits = digest.partition(":")
    try:
        return read_hash({kind: digits})[0]
    except ValueError:
        return ""


def _text(item: dict[str, Any], *keys: str) -> str:
    """Return the text of the first key that has one, "" if none does."""
    return next((value for key in keys if isinstance(value := item.get(key), str)), "")


def _flag(item: dict[str, Any], *keys: str) -> bool:
    return any(item.get(key) is True for key in keys)
