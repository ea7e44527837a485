"""Rules on the links of pages to files, and on the hashes in them."""

import re
from collections.abc import Iterator
from urllib.parse import unquote, urlsplit

from mkindex.check.addresses import display_link
from mkindex.check.findings import DEPENDS, ERROR, FAILS, WARNING, Violation, rule
from mkindex.check.observations import ListedFile, SeenPage
from mkindex.simple.links import HASH_DIGITS

_UV_HASHES = ("md5", "sha256", "sha384", "sha512", "blake2b")


@rule(
    SeenPage,
    "bad-link",
    ERROR,
    pip=DEPENDS,
    uv=DEPENDS,
    impact="A relative link that goes one level wrong ends at 404: both stop. What is no address is passed over, or "
    "costs the whole page.",
    fix="Link relative to the page, percent-encoded, or with a whole http or https address.",
)
def bad_link(page: SeenPage) -> Iterator[Violation]:
    """Every link to a file is an address that a client can ask."""
    for entry in page.entries:
        scheme = urlsplit(entry.url).scheme if entry.url else ""
        if entry.form == "json" and not isinstance(entry.raw.get("url"), str):
            continue  # `field-type`
        if not entry.url:
            yield Violation(f"the link is no address: {display_link(entry.link)}", entry.filename)
        elif scheme not in ("http", "https", "file"):
            yield Violation(f"the link is of kind {scheme}:, which no client installs from", entry.filename)
        elif scheme == "file" and (not page.is_local or entry.link.lower().startswith("file:")):
            yield Violation("the link is to a file of this machine, which others do not have", entry.filename)
        elif ".." in urlsplit(entry.url).path.split("/"):
            yield Violation(f"the link leads out of the host: {display_link(entry.link)}", entry.filename)
        elif (
            entry.form == "json"
            and entry.filename
            and entry.filename != unquote(urlsplit(entry.url).path).rpartition("/")[2]
        ):
            yield Violation(f"the link leads to another name: {display_link(entry.link)}", entry.filename)


@rule(
    SeenPage,
    "insecure-link",
    ERROR,
    impact="Both download over http what they were told about over https; whoever is between may read it, and without "
    "a hash also change it.",
    fix="Link to https, or relative to the page.",
)
def insecure_link(page: SeenPage) -> Iterator[Violation]:
    """A page that came over https names no file by http."""
    for entry in page.entries:
        if page.base.startswith("https:") and entry.url.startswith("http:"):
            yield Violation("an http link on an https page", entry.filename)


@rule(
    SeenPage,
    "credentials-in-link",
    ERROR,
    impact="Both use them, and so does everybody else who reads the page.",
    fix="Take user and password out of the link, and change the password.",
)
def credentials_in_link(page: SeenPage) -> Iterator[Violation]:
    """No link has a user name or a password in it."""
    for entry in page.entries:
        if entry.url and "@" in urlsplit(entry.url).netloc:
            yield Violation("the link has a user name or a password in it", entry.filename)


@rule(
    SeenPage,
    "raw-plus",
    WARNING,
    uv=DEPENDS,
    impact="pip asks for %2B whatever the page says; uv asks for what is there, and S3 and CloudFront take a + for a "
    "space: 403.",
    fix="Write %2B for + in links.",
)
def raw_plus(page: SeenPage) -> Iterator[Violation]:
    """A + in a link is written %2B."""
    for entry in page.entries:
        if "+" in entry.link.partition("#")[0].partition("?")[0]:
            yield Violation(f"a + in the link: {display_link(entry.link)}", entry.filename)


@rule(
    SeenPage,
    "root-relative",
    WARNING,
    pip=DEPENDS,
    uv=DEPENDS,
    impact="Both find the files only where the tree is at the root of a host: below a path (as on GitHub Pages) and "
    "from file:// the links lead nowhere.",
    fix="Link relative to the page: ../../files/… instead of /files/…",
)
def root_relative(page: SeenPage) -> Iterator[Violation]:
    """The links of a tree do not depend on where it is served."""
    links = [entry.link for entry in page.entries] + list(page.project_links)
    found = [link for link in links if re.match(r"/(?!/)", link)]
    if page.is_local and found:
        yield Violation(f"{len(found):,} links begin with a slash: {display_link(found[0])}")


@rule(
    SeenPage,
    "fragment",
    ERROR,
    pip=DEPENDS,
    uv=FAILS,
    impact="uv refuses the whole page for a hash of a kind that it does not know, or for egg=; pip ignores it, or "
    "does not find the file.",
    fix="Write #sha256=… and nothing else behind a link.",
)
def fragment(page: SeenPage) -> Iterator[Violation]:
    """Behind a link stands one hash of a kind that all clients know, or nothing."""
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
    impact="A hash that no file can have makes both refuse the file; in capitals it fails with pip before 23.3.",
    fix="Write 64 lower-case hexadecimal digits for sha256: make the page anew.",
)
def hash_malformed(page: SeenPage) -> Iterator[Violation]:
    """A hash has the digits that its kind has, in lower case."""
    for entry in page.entries:
        for name, value in _hashes(entry):
            length = HASH_DIGITS.get(name)
            if length and (len(value) != length or not re.fullmatch(r"[0-9a-f]+", value)):
                is_hex = len(value) == length and re.fullmatch(r"[0-9a-fA-F]+", value)
                yield Violation(f"{name} {'in capitals' if is_hex else 'is ' + repr(value[:70])}", entry.filename)


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
    impact="Both install whatever comes; `pip --require-hashes` and lock files refuse the file or have to download it "
    "first.",
    fix="Give sha256 of every file: `mkindex SOURCE DEST` computes it.",
)
def no_hash(page: SeenPage) -> Iterator[Violation]:
    """Every file has a sha256, or a stronger hash."""
    for entry in page.entries:
        if entry.sha256 or entry.other_hash.startswith(("sha384", "sha512")):
            continue
        if any(HASH_DIGITS.get(name, 0) >= 64 for name, _ in _hashes(entry)):
            continue  # `hash-malformed`
        weak = entry.other_hash.partition("=")[0]
        yield Violation(f"only {weak}" if weak else "no hash", entry.filename)
