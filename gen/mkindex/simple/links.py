"""Addresses, and what pages and lists say about files, in one form that is safe to publish."""

import hashlib
import ipaddress
import os
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any
from urllib.parse import SplitResult, quote_from_bytes, unquote, unquote_to_bytes, urljoin, urlsplit, urlunsplit

from mkindex.distributions.filenames import STRANGE_NAME, may_be_linked
from mkindex.model.files import Link
from mkindex.model.index import normalize_name
from mkindex.text import printable
from mkindex.tree.names import PROVENANCE_SUFFIX

MAX_SIZE = 10**18  # bytes of a file; clients read sizes as 64-bit integers
# Hexadecimal digits of each kind of hash, the strongest first.
HASH_DIGITS = {"sha512": 128, "sha384": 96, "sha256": 64, "sha224": 56, "sha1": 40, "md5": 32}

_HOST = re.compile(r"(?:[A-Za-z0-9._~-]+|\[[0-9A-Fa-f:.]+\])(?::\d+)?")
_PLAIN_PATH = re.compile(r"[A-Za-z0-9._~/-]*")  # which quoting does not change
_BAD_HOST = "the link has no valid host. Fix the link"
_MAX_SHOWN = 80  # characters of a malformed hash in a message
_PLAIN_HASH = re.compile(r"sha256=[0-9a-f]{64}")
_HEX = re.compile(r"[0-9a-fA-F]+")
_NOT_IN_A_PAGE = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")  # control characters, halves of surrogate pairs
_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d+))?Z", re.ASCII)

# Parameters of signed addresses: S3, Google Cloud Storage, both and CloudFront in their older forms, Azure.
_SIGNATURES = (
    {"x-amz-signature"},
    {"x-goog-signature"},
    {"signature", "expires"},
    {"signature", "key-pair-id"},
    {"sig", "se"},
)


def parse_link(address: str) -> Link:
    """Return the link for an address of a file that the user gave, with the hash in its fragment.

    Raises ValueError as `normalize_url` and `read_hash` do.
    """
    parts = split_address(address)
    filename = filename_in(parts.path)
    sha256, other_hash = read_hash_in(parts.fragment)
    url = normalize_url(address, filename, allow_local=True)
    return Link(url=url, filename=filename, sha256=sha256, other_hash=other_hash)


def normalize_url(url: str, filename: str, *, allow_local: bool) -> str:
    """Return the absolute address of a file without its fragment, percent-encoded in one way only.

    `filename`: the decoded last segment of its path. `allow_local`: whether `file:` addresses are allowed, as they are
    on pages and lists of this machine. Raises ValueError, whose text says what is wrong and what to do.
    """
    if not may_be_linked(filename):
        raise ValueError(STRANGE_NAME)
    parts = split_address(url)
    if parts.scheme not in ("http", "https") and not (parts.scheme == "file" and allow_local):
        raise ValueError(f"{printable(parts.scheme)}: links are not allowed. Use an http or https address")
    if parts.username is not None or parts.password is not None:
        raise ValueError(
            "the link contains a user name or a password, which would be published. Remove it from the link"
        )
    host = parts.netloc
    try:
        port = parts.port
        if not host.isascii():
            host = (parts.hostname or "").encode("idna").decode() + (f":{port}" if port else "")
    except ValueError as error:
        raise ValueError(_BAD_HOST) from error
    if not (host in ("", "localhost") if parts.scheme == "file" else _HOST.fullmatch(host)):
        raise ValueError(_BAD_HOST)
    # S3 reads a literal "+" as a space. pip encodes every path in this way before it requests it.
    path = parts.path
    if not _PLAIN_PATH.fullmatch(path):
        path = "/".join(quote_from_bytes(unquote_to_bytes(segment), safe="") for segment in path.split("/"))
    query = quote_from_bytes(parts.query.encode(), safe="%/:=&?~+!$,;'@()*[]|")
    return urlunsplit((parts.scheme, host, path, query, ""))


def split_address(address: str) -> SplitResult:
    """Return the parts of an address. Raises ValueError, without the password that may be in the text of urlsplit()."""
    try:
        return urlsplit(address)
    except ValueError as error:
        raise ValueError(_BAD_HOST) from error


def join_address(page: str, href: str) -> str:
    """Return the absolute address that a link of a page leads to. Raises ValueError as `split_address` does."""
    try:
        return urljoin(page, strip_href(href))
    except ValueError as error:
        raise ValueError(_BAD_HOST) from error


def strip_href(href: str) -> str:
    """Remove what browsers remove by the URL standard: white space around an address, line breaks and tabs in it."""
    href = href.strip()
    return href if href.isprintable() else href.translate({9: None, 10: None, 13: None})


def filename_in(path: str) -> str:
    """Return the decoded filename at the end of the path of a URL; "" if the path ends in a slash."""
    return unquote(path.rpartition("/")[2])


def name_at_end(url: str) -> str:
    """Return the decoded name at the end of a URL: of a file, or of a directory with or without its slash."""
    return filename_in(url.partition("?")[0].rstrip("/"))


@lru_cache(maxsize=1024)
def path_of(url: str) -> str:
    """Return the path on this machine of a `file:` URL."""
    if os.name == "nt":
        from urllib.request import url2pathname  # imports half of the standard library

        return url2pathname(urlsplit(url).path)
    return os.fsdecode(unquote_to_bytes(urlsplit(url).path))


def project_url(root: str, name: str) -> str:
    """Return the address of a project's page below the root of an index, as clients build it."""
    parts = urlsplit(root)
    directory, _, page = parts.path.rpartition("/")
    # Clients append a slash to a root that is not a page.
    directory = directory if not page or page.endswith((".html", ".htm", "json")) else parts.path
    return urlunsplit((parts.scheme, parts.netloc, f"{directory}/{normalize_name(name)}/", parts.query, ""))


def client_project_url(root: str, name: str) -> str:
    """Return the address where pip and uv look for a project's page: they append the name to any address.

    Unlike `project_url`, this keeps mistakes in the root: `…/simple/index.html` gives `…/simple/index.html/demo/`.
    """
    return f"{root.rstrip('/')}/{normalize_name(name)}/"


def is_loopback(host: str) -> bool:
    """Tell whether the name or IP address of a host always means this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def hashes_in(fragment: str) -> dict[str, str]:
    """Return the values in the fragment of an address, such as "sha256=…&egg=demo", by name."""
    return dict(part.partition("=")[::2] for part in unquote(fragment).split("&"))


def pick_hash_in(fragment: str) -> tuple[str, str]:
    """Return the hash in the fragment of an address, as `pick_hash` does."""
    if _PLAIN_HASH.fullmatch(fragment):
        return fragment.removeprefix("sha256="), ""
    return pick_hash(hashes_in(fragment)) if fragment else ("", "")


def read_hash_in(fragment: str) -> tuple[str, str]:
    """Return the hash in the fragment of an address, as `read_hash` does."""
    return pick_hash_in(fragment) if _PLAIN_HASH.fullmatch(fragment) else read_hash(hashes_in(fragment))


def read_hash(hashes: Mapping[Any, Any]) -> tuple[str, str]:
    """Return the hash of a file as `pick_hash` does. Raises ValueError if a hash of a known kind is malformed.

    pip refuses such a file, and uv the whole page. With a hash that mkindex computes instead, nobody would notice.
    """
    sha256 = hashes.get("sha256")
    if len(hashes) == 1 and isinstance(sha256, str) and _is_hash("sha256", sha256):  # nearly every link
        return sha256.lower(), ""
    picked = pick_hash(hashes)
    for name, value in hashes.items():
        kind = str(name).lower()
        if kind in HASH_DIGITS and not _is_hash(kind, value):
            raise ValueError(
                f"malformed hash: {kind} has {HASH_DIGITS[kind]} hexadecimal digits, got "
                f"{printable(repr(value[:_MAX_SHOWN]) if isinstance(value, str) else type(value).__name__)}. "
                "pip and uv refuse it. Fix or remove the hash"
            )
    return picked


def pick_hash(hashes: Mapping[Any, Any]) -> tuple[str, str]:
    """Return two texts: the sha256, and only if there is none the strongest other hash as "name=hex".

    `hashes`: hexadecimal digits by name, as a page has them. Anything that is not a hash is ignored.
    """
    valid = {str(name).lower(): value.lower() for name, value in hashes.items() if _is_hash(str(name).lower(), value)}
    if "sha256" in valid:
        return valid["sha256"], ""
    usable = (name for name in HASH_DIGITS if name in valid and name in hashlib.algorithms_available)
    return "", next((f"{name}={valid[name]}" for name in usable), "")


def _is_hash(kind: str, value: object) -> bool:
    return isinstance(value, str) and len(value) == HASH_DIGITS.get(kind) and _HEX.fullmatch(value) is not None


def clean_text(value: object) -> str:
    """Return a text on one line, without characters that a page cannot hold; "" for anything but a text."""
    return " ".join(_NOT_IN_A_PAGE.sub(" ", value).split()) if isinstance(value, str) else ""


def clean_upload_time(value: str) -> str:
    """Return a time in the form that all clients read (PEP 700): no fraction or six digits. "" for anything else."""
    match = _TIME.fullmatch(value)
    if not match:
        return ""
    try:
        datetime.fromisoformat(match[1])
    except ValueError:
        return ""
    return f"{match[1]}.{match[2][:6]:0<6}Z" if match[2] and match[2].strip("0") else f"{match[1]}Z"


def clean_provenance(value: object) -> str:
    """Return the address of a provenance object; "" for anything else."""
    # PEP 740: "The value … MUST be a fully qualified URL", and https.
    is_url = isinstance(value, str) and value.startswith("https://") and value.isprintable() and value.isascii()
    return str(value) if is_url else ""


def with_attestations(link: Link, addresses: Sequence[str]) -> Link:
    """Return a link with the files of attestations beside its file, of which a provenance object comes first.

    What a page says itself stays. `addresses`: absolute; their paths end in the names of the files.
    """
    if link.provenance or not addresses:
        return link
    whole = [address for address in addresses if urlsplit(address).path.endswith(PROVENANCE_SUFFIX)]
    if not whole:
        return link._replace(attestations=tuple(sorted(addresses)))
    provenance = clean_provenance(whole[0])
    return link._replace(provenance=provenance, attestations=() if provenance else (whole[0],))


def has_expiring_signature(url: str) -> bool:
    """Tell whether an address is signed for a time, as those that object stores give out for private files."""
    if "?" not in url:
        return False
    names = {part.partition("=")[0].lower() for part in urlsplit(url).query.split("&")}
    return any(signature <= names for signature in _SIGNATURES)
