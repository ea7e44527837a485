"""All fields of core metadata, for people. `metadata.py` reads the few that clients need, thirty times as fast."""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import NamedTuple

from mkindex.distributions.metadata import MAX_HEADER_LINES, header_of
from mkindex.errors import Unreadable
from mkindex.model.details import DOWNLOAD_URL, HOME_PAGE, Details
from mkindex.text import displayed

_FIELD = re.compile(rb"^([\x21-\x39\x3b-\x7e]+):.*(?:\n[ \t].*)*\n?", re.MULTILINE)
_MAX_LENGTH = 100_000  # characters of a value, such as the text of a license
_MAX_NEWER = 100  # fields that pkginfo does not know
_UNKNOWN = "UNKNOWN"  # what old build tools write for a missing value
_OF_README = frozenset((b"description", b"description-content-type"))
_ADDRESSES = (HOME_PAGE, DOWNLOAD_URL)
_MARGIN = re.compile(r"^(?: {8}|\t| {7}\|)", re.MULTILINE)  # of the lines of a description in the header


class Readme(NamedTuple):
    """The description of a release, and its format."""

    text: str
    content_type: str  # Description-Content-Type


def read_details(raw: bytes) -> Details:
    """Return what core metadata says to people. Raises Unreadable."""
    from packaging.metadata import parse_email

    known, newer, body = _divide(raw, frozenset(name.lower().encode() for name, _, _ in _fields()))
    values = {name: list(_values(value)) for name, value in _parse(known).items()}
    description = values.pop("Description", [])
    fields, _ = parse_email(newer)
    for key, value in fields.items():  # packaging may know newer fields
        values[key.replace("_", "-").title()] = list(_values(value))
    return _details(values, has_readme=body.strip() not in (b"", _UNKNOWN.encode()) or any(description))


def read_readme(raw: bytes) -> Readme:
    """Return the description in core metadata, with its line breaks; "" if there is none. Raises Unreadable."""
    known, _, body = _divide(raw, _OF_README)
    fields = _parse(known)
    in_header = fields["Description"]
    text = _decoded(body).strip("\n") or _MARGIN.sub("", in_header if isinstance(in_header, str) else "")
    content_type = fields["Description-Content-Type"]
    return Readme("" if text.strip() == _UNKNOWN else text, content_type if isinstance(content_type, str) else "")


def _divide(raw: bytes, names: Collection[bytes]) -> tuple[bytes, bytes, bytes]:
    """Return the fields with these names, a few others, and the description after the fields.

    A parser of e-mail must see no other field: after a Content-Type, it may take the description for attachments.
    """
    header = header_of(raw)
    if header.count(b"\n") > MAX_HEADER_LINES:
        raise Unreadable(f"its metadata has more than {MAX_HEADER_LINES:,} header lines")
    known: list[bytes] = []
    newer: list[bytes] = []
    for match in _FIELD.finditer(header):
        (known if match[1].lower() in names else newer).append(match[0].rstrip(b"\n") + b"\n")
    text = raw.replace(b"\r\n", b"\n").replace(b"\r", b"\n") if b"\r" in raw else raw
    return b"".join(known), b"".join(newer[:_MAX_NEWER]), text[len(header) :]


def _fields() -> tuple[tuple[str, str, bool], ...]:
    """Return the fields that pkginfo reads: name, attribute, and whether it may be repeated."""
    from pkginfo.distribution import HEADER_ATTRS, MAX_METADATA_VERSION_STR

    # Metadata-Version is not read: `_parse` states one.
    return tuple(one for one in HEADER_ATTRS[MAX_METADATA_VERSION_STR] if one[0] != "Metadata-Version")


def _parse(header: bytes) -> Mapping[str, str | Iterable[str] | None]:
    """Return the values of all fields, whatever Metadata-Version says: many files have newer ones than they state."""
    from pkginfo.distribution import MAX_METADATA_VERSION_STR, Distribution

    found = Distribution()
    found.metadata_version = MAX_METADATA_VERSION_STR
    found.parse(header)
    return {name: getattr(found, attribute) for name, attribute, _ in _fields()}


def _values(value: object) -> Iterator[str]:
    """Yield the texts in a value of either parser, without those that say nothing."""
    if isinstance(value, Mapping):  # labels and addresses
        value = [f"{label}, {address}" for label, address in value.items()]
    texts = [value] if isinstance(value, str) else value if isinstance(value, Iterable) else ()
    for text in texts:
        if (shown := displayed(str(text)[:_MAX_LENGTH])) not in ("", _UNKNOWN):
            yield shown


def _details(values: dict[str, list[str]], *, has_readme: bool) -> Details:
    def take(name: str) -> tuple[str, ...]:
        return tuple(dict.fromkeys(values.pop(name, ())))

    def first(name: str) -> str:
        return next(iter(take(name)), "")

    addresses = [(name, address) for name in _ADDRESSES for address in take(name)]
    labelled = [_label_and_address(text) for text in take("Project-URL")]
    values.pop("Version", None)  # that of the release, for which the filename counts
    return Details(
        name=first("Name"),
        summary=first("Summary"),
        license_expression=first("License-Expression"),
        license=first("License"),
        author=first("Author"),
        author_email=first("Author-email"),
        maintainer=first("Maintainer"),
        maintainer_email=first("Maintainer-email"),
        requires_python=first("Requires-Python"),
        has_readme=has_readme,
        keywords=tuple(_keywords(take("Keywords"))),
        classifiers=take("Classifier"),
        urls=(*addresses, *labelled),
        requires=take("Requires-Dist"),
        extras=take("Provides-Extra"),
        import_names=(*take("Import-Name"), *take("Import-Namespace")),
        others=tuple((name, text) for name in values for text in dict.fromkeys(values[name])),
    )


def _label_and_address(text: str) -> tuple[str, str]:
    label, comma, address = text.partition(",")
    return (label.strip(), address.strip()) if comma else ("", text)


def _keywords(texts: Iterable[str]) -> Iterator[str]:
    """Yield keywords. Old files separate them by spaces."""
    for text in texts:
        yield from dict.fromkeys(word.strip() for word in text.split("," if "," in text else None) if word.strip())


def _decoded(raw: bytes) -> str:
    """Decode as pkginfo does: what is not UTF-8 was probably written on an old system in Europe."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("latin-1")
