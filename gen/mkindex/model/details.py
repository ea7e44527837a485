"""What a file says of itself to people: everything in its core metadata, apart from the facts that an index needs."""

import json
from typing import NamedTuple

HOME_PAGE, DOWNLOAD_URL = "Home-Page", "Download-URL"  # the labels of the addresses that have a field of their own


class Details(NamedTuple):
    """The fields of core metadata that people read; "" and () for those that are missing."""

    name: str = ""  # as it is spelled there
    summary: str = ""
    license_expression: str = ""
    license: str = ""  # the name of a license, or its text
    author: str = ""
    author_email: str = ""
    maintainer: str = ""
    maintainer_email: str = ""
    requires_python: str = ""
    has_readme: bool = False
    keywords: tuple[str, ...] = ()
    classifiers: tuple[str, ...] = ()
    urls: tuple[tuple[str, str], ...] = ()  # label and address; Home-page and Download-URL come first
    requires: tuple[str, ...] = ()  # Requires-Dist
    extras: tuple[str, ...] = ()
    import_names: tuple[str, ...] = ()
    others: tuple[tuple[str, str], ...] = ()  # name and value of all other fields


def encode_details(details: Details | None) -> str:
    """Return details as text; those of a file that cannot be read are None."""
    return json.dumps(details, separators=(",", ":"))


def decode_details(text: str) -> Details | None:
    """Read what `encode_details` wrote."""
    values = json.loads(text)
    return None if values is None else Details._make(map(_frozen, values))


def _frozen(value: str | list[str] | list[list[str]]) -> object:
    return tuple(map(_frozen, value)) if isinstance(value, list) else value
