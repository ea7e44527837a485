"""Rules on the links of pages to files, and on the hashes in them."""

import re
from collections.abc import Iterator
from urllib.parse import unquote, urlsplit

from mkindex.check.addresses import display_link
from mkindex.check.findings import DEPENDS, ERROR, FAILS, WARNING, Violation, rule
from mkindex.check.observations import ListedFile, SeenPage
from mkindex.simple.links import HASH_DIGITS
from mkindex.text import plural

_UV_HASHES = ("md5", "sha256", "sha384", "sha512", "blake2b")


@rule(
    SeenPage,
    "bad-link",
    ERROR,
    pip=DEPENDS,
    uv=DEPENDS,
    impact="If a relative link is one level off, it leads to a 404, and pip and uv stop. If a link is not an address, "
    "they ignore it or reject the whole page.",
    fix="Use percent-encoded links relative to the page, or absolute http or https addresses.",
)
def bad_link(page: SeenPage) -> Iterator[Violation]:
    """Every link to a file is an address that clients can request."""
    for entry in page.entries:
        scheme = urlsplit(entry.url).scheme if entry.url else ""
        if entry.form == "json" and not isinstance(entry.raw.get("url"), str):
            continue  # `field-type` reports it
        if not entry.url:
            yield Violation(f"the link is not a valid address: {display_link(entry.link)}", entry.filename)
        elif entry.is_unused:
            continue
        elif scheme not in ("http", "https", "file"):
            yield Violation(f"the link has the scheme {scheme}:, which clients do not install from", entry.filename)
        elif scheme == "file" and (not page.is_local or entry.link.lower().startswith("file:")):
            yield Violation("the link is to a file on this machine, which other machines do not have", entry.filename)
        elif ".." in urlsplit(entry.url).path.split("/"):
            yield Violation(f"the link leads above the root of the host: {display_link(entry.link)}", entry.filename)
        elif (
            entry.form == "json"
            and entry.filename
            and entry.filename != unquote(urlsplit(entry.url).path).rpartition("/")[2]
        ):
            yield Violation(f"the link leads to a file of another name: {display_link(entry.link)}", entry.filename)


@rule(
    SeenPage,
    "insecure-link",
    ERROR,
    impact="pip and uv download the file over http. Anybody on the network path can read it and, without a hash, "
    "change it.",
    fix="Link to https, or relative to the page.",
)
def insecure_link(page: SeenPage) -> Iterator[Violation]:
    """A page served over https links to no file over http."""
    for entry in page.entries:
        if page.base.startswith("https:") and entry.url.startswith("http:"):
            yield Violation("an http link on an https page", entry.filename)


@rule(
    SeenPage,
    "credentials-in-link",
    ERROR,
    impact="pip and uv use them, and so can everybody else who reads the page.",
    fix="Remove user name and password from the link, and change the password.",
)
def credentials_in_link(page: SeenPage) -> Iterator[Violation]:
    """No link contains a user name or a password."""
    for entry in page.entries:
        if entry.url and "@" in urlsplit(entry.url).netloc:
            yield Violation("the link contains a user name or a password", entry.filename)


@rule(
    SeenPage,
    "raw-plus",
    WARNING,
    uv=DEPENDS,
    impact="pip requests %2B in any case. uv requests what is written, and S3 and CloudFront read a + as a space: "
    "they answer 403.",
    fix="Write %2B instead of + in links.",
)
def raw_plus(page: SeenPage) -> Iterator[Violation]:
    """A + in a link is written as %2B."""
    for entry in page.entries:
        if "+" in entry.link.partition("#")[0].partition("?")[0]:
            yield Violation(f"a + in the link: {display_link(entry.link)}", entry.filename)


@rule(
    SeenPage,
    "root-relative",
    WARNING,
    pip=DEPENDS,
    uv=DEPENDS,
    impact="pip and uv find the files only if the tree is at the root of a host. Below a path (as on GitHub Pages) "
    "and from file:// the links are broken.",
    fix="Use links relative to the page: ../../files/… instead of /files/…",
)
def root_relative(page: SeenPage) -> Iterator[Violation]:
    """The links of a tree do not depend on where it is served."""
    links = [entry.link for entry in page.entries] + [project.link for project in page.projects]
    found = [link for link in links if re.match(r"/(?!/)", link)]
    if page.is_local and found:
        yield Violation(f"{plural(len(found), 'link')} with a slash at the beginning: {display_link(found[0])}")


@rule(
    SeenPage,
    "fragment",
    ERROR,
    pip=DEPENDS,
    uv=FAILS,
    impact="uv rejects the whole page because of an unknown hash algorithm, or because of egg=. pip ignores it, or "
    "does not find the file.",
    fix="End links with #sha256=… and nothing else.",
)
def fragment(page: SeenPage) -> Iterator[Violation]:
    """The fragment of a link is one hash that all clients know, or empty."""
    for entry in page.entries:
        text = unquote(entry.link.partition("#")[2])
        if entry.form != "html" or "=" not in text:
            continue
        name, _, value = text.partition("=")
        if name not in _UV_HASHES or "&" in value or (name == "blake2b" and len(value) != 64):
            yield Violation(f"#{text[:100]}", entry.filename)


@rule(
    SeenPage,
    "hash-malformed",
    WARNING,
    pip=DEPENDS,
    uv=DEPENDS,
    impact="pip and uv reject a file with a hash that no file can have. A hash in upper case fails with pip before "
    "23.3.",
    fix="Write sha256 as 64 lower-case hexadecimal digits: rebuild the page.",
)
def hash_malformed(page: SeenPage) -> Iterator[Violation]:
    """A hash has as many digits as its algorithm requires, in lower case."""
    for entry in page.entries:
        for name, value in _hashes(entry):
            length = HASH_DIGITS.get(name)
            if length and (len(value) != length or not re.fullmatch(r"[0-9a-f]+", value)):
                is_hex = len(value) == length and re.fullmatch(r"[0-9a-fA-F]+", value)
                yield Violation(f"{name} {'is in upper case' if is_hex else 'is ' + repr(value[:70])}", entry.filename)


def _hashes(entry: ListedFile) -> Iterator[tuple[str, str]]:
    if entry.form == "json":
        hashes = entry.raw.get("hashes")
        for name, value in hashes.items() if isinstance(hashes, dict) else ():
            if isinstance(value, str):
                yield name, value
    else:
        name, equals, value = unquote(entry.link.partition("#")[2]).partition("&")[0].partition("=")
        if equals:
            yield name, value


@rule(
    SeenPage,
    "no-hash",
    WARNING,
    impact="pip and uv install whatever they receive. `pip --require-hashes` and lock files reject the file, or have "
    "to download it first.",
    fix="Add the sha256 of every file. `mkindex SOURCE DEST` computes it.",
)
def no_hash(page: SeenPage) -> Iterator[Violation]:
    """Every file has a sha256, or a stronger hash."""
    for entry in page.entries:
        if entry.is_unused or entry.sha256 or entry.other_hash.startswith(("sha384", "sha512")):
            continue
        if any(HASH_DIGITS.get(name, 0) >= 64 for name, _ in _hashes(entry)):
            continue  # `hash-malformed` reports it
        weak = entry.other_hash.partition("=")[0]
        yield Violation(f"has only {weak}" if weak else "has no hash", entry.filename)
