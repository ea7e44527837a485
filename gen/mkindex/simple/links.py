"""Links to files as pages and lists write them: addresses, hashes and attributes."""

import hashlib
import ipaddress
import os
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import quote_from_bytes, unquote, unquote_to_bytes, urlsplit, urlunsplit

from packaging.utils import canonicalize_name

from mkindex.distributions.filenames import FILENAME, STRANGE_NAME
from mkindex.model.files import Link
from mkindex.text import printable

MAX_SIZE = 10**18  # bytes of a file that clients read as 64 bits


_HEX = re.compile(r"[0-9a-fA-F]+")


# Hexadecimal digits of each hash. Longest first: the strongest of the hashes that a page gives is the one that counts.
HASH_DIGITS = {"sha512": 128, "sha384": 96, "sha256": 64, "sha224": 56, "sha1": 40, "md5": 32}


_HOST = re.compile(r"(?:[A-Za-z0-9._~-]+|\[[0-9A-Fa-f:.]+\])(?::\d+)?")


_UNWRITABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d+))?Z", re.ASCII)


def strip_address(href: str) -> str:
    """Drop what the URL standard has a browser drop: white space around, line breaks and tabs within."""
    return href.strip().translate({9: None, 10: None, 13: None})


def address_of(url: str, filename: str, *, from_file: bool) -> str:
    """Return the absolute address of a file, spelled in one way only. Raises ValueError, which says what is wrong.

    `from_file`: a page or a list of this machine names it, which may name files of this machine, too.
    """
    if not FILENAME.fullmatch(filename):
        raise ValueError(STRANGE_NAME)
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") and not (parts.scheme == "file" and from_file):
        raise ValueError(f"a page may not link to a {printable(parts.scheme)}: address: mend the page")
    if parts.username is not None or parts.password is not None:
        raise ValueError("the link has a user name or a password in it, which every reader would see: mend the page")
    host = parts.netloc
    if not host.isascii():
        host = (parts.hostname or "").encode("idna").decode() + (f":{parts.port}" if parts.port else "")
    is_host = host in ("", "localhost") if parts.scheme == "file" else _HOST.fullmatch(host)
    if not is_host or (parts.port or 0) < 0:
        raise ValueError("the link names no host: mend the page")
    # A literal "+" is a space to S3; pip spells all paths anew in this way before it asks.
    path = "/".join(quote_from_bytes(unquote_to_bytes(segment), safe="") for segment in parts.path.split("/"))
    query = quote_from_bytes(parts.query.encode(), safe="%/:=&?~+!$,;'@()*[]|")
    return urlunsplit((parts.scheme, host, path, query, ""))


def link_to(address: str) -> Link:
    """Return the link that a user's own address of a file is, with the hash in its fragment. Raises ValueError."""
    parts = urlsplit(address)
    filename = unquote(parts.path.rpartition("/")[2])
    sha256, other = hashes_in(parts.fragment)
    url = address_of(address, filename, from_file=True)
    return Link(url=url, filename=filename, sha256=sha256, other_hash=other)


def hashes_in(fragment: str) -> tuple[str, str]:
    """Return the hashes in the fragment of an address, "sha256=…" and what may stand beside it, as `hashes_of` does."""
    return hashes_of(dict(part.partition("=")[::2] for part in unquote(fragment).split("&")))


def hashes_of(hashes: Mapping[Any, Any]) -> tuple[str, str]:
    """Return the sha256, and where there is none the strongest other hash as "name=hex"; each "" for none."""
    known = {
        str(name).lower(): value.lower()
        for name, value in hashes.items()
        if isinstance(value, str) and len(value) == HASH_DIGITS.get(str(name).lower()) and _HEX.fullmatch(value)
    }
    if "sha256" in known:
        return known["sha256"], ""
    return "", next(
        (f"{name}={known[name]}" for name in HASH_DIGITS if name in known and name in hashlib.algorithms_available), ""
    )


def text_of(value: object) -> str:
    """Return a text on one line, without what no page can hold: control characters and halves of surrogate pairs."""
    return " ".join(_UNWRITABLE.sub(" ", value).split()) if isinstance(value, str) else ""


def upload_time_of(value: str) -> str:
    """Return a time in the form that all clients read, with no fraction or one of six digits; "" for no time."""
    match = _TIME.fullmatch(value)
    try:
        datetime.fromisoformat(match[1] if match else "")
    except ValueError:
        return ""
    assert match
    return f"{match[1]}.{match[2][:6]:0<6}Z" if match[2] and match[2].strip("0") else f"{match[1]}Z"


def provenance_of(value: object) -> str:
    """Return the address of a provenance object, "" for anything else."""
    # PEP 740: "The value … MUST be a fully qualified URL", and https.
    return (
        value
        if isinstance(value, str) and value.startswith("https://") and value.isprintable() and value.isascii()
        else ""
    )


def path_of(url: str) -> str:
    """Return the path that a `file:` address is of."""
    if os.name == "nt":
        from urllib.request import url2pathname  # imports half of the standard library

        return url2pathname(urlsplit(url).path)
    return os.fsdecode(unquote_to_bytes(urlsplit(url).path))


def last_segment(url: str) -> str:
    """Return the last part of a URL's path."""
    return unquote(url.partition("?")[0].rstrip("/").rpartition("/")[2])


def project_url(root: str, name: str) -> str:
    """Return the address of a project's page, made from that of the root as clients do."""
    parts = urlsplit(root)
    directory, _, page = parts.path.rpartition("/")
    # What is no page is what clients put a slash behind.
    directory = directory if not page or page.endswith((".html", ".htm", "json")) else parts.path
    return urlunsplit((parts.scheme, parts.netloc, f"{directory}/{canonicalize_name(name)}/", parts.query, ""))


def client_project_url(root: str, name: str) -> str:
    """Return the address where pip and uv look for a project's page: they append the name to whatever they are given.

    Unlike `project_url`, this keeps what is wrong with a root: `…/simple/index.html` gives `…/simple/index.html/demo/`.
    """
    return f"{root.rstrip('/')}/{canonicalize_name(name)}/"


def is_loopback(name: str) -> bool:
    """Tell whether a host is this machine, as far as its name says."""
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return name == "localhost" or name.endswith(".localhost")
