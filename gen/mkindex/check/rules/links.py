"""Rules about what a page says of the files it links to."""

import re
from collections import Counter
from collections.abc import Iterator
from urllib.parse import unquote, urlsplit

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from mkindex.check.findings import DEPENDS, ERROR, FAILS, NOTE, WARNING, WRONG, Observation, rule
from mkindex.check.observations import ListedFile, SeenPage
from mkindex.check.pages import link_shown
from mkindex.check.rules.pages import _HASHES, _LARGE, _MANY, _UV_HASHES
from mkindex.distributions.filenames import FILENAME, SUFFIXES, parse_filename, sdist_version


@rule(
    SeenPage,
    "bad-link",
    ERROR,
    pip=DEPENDS,
    uv=DEPENDS,
    clients="A relative link that goes one level wrong ends at 404: both stop. What is no address is passed over, or "
    "costs the whole page.",
    mend="Link relative to the page, percent-encoded, or with a whole http or https address.",
)
def bad_link(page: SeenPage) -> Iterator[Observation]:
    """Every link to a file is an address that a client can ask."""
    for entry in page.entries:
        scheme = urlsplit(entry.url).scheme if entry.url else ""
        if entry.form == "json" and not isinstance(entry.raw.get("url"), str):
            continue  # `field-type`
        if not entry.url:
            yield Observation(f"the link is no address: {link_shown(entry.link)}", entry.filename)
        elif scheme not in ("http", "https", "file"):
            yield Observation(f"the link is of kind {scheme}:, which no client installs from", entry.filename)
        elif scheme == "file" and (not page.local or entry.link.lower().startswith("file:")):
            yield Observation("the link is to a file of this machine, which others do not have", entry.filename)
        elif ".." in urlsplit(entry.url).path.split("/"):
            yield Observation(f"the link leads out of the host: {link_shown(entry.link)}", entry.filename)
        elif (
            entry.form == "json"
            and entry.filename
            and entry.filename != unquote(urlsplit(entry.url).path).rpartition("/")[2]
        ):
            yield Observation(f"the link leads to another name: {link_shown(entry.link)}", entry.filename)


@rule(
    SeenPage,
    "insecure-link",
    ERROR,
    clients="Both download over http what they were told about over https; whoever is between may read it, and without "
    "a hash also change it.",
    mend="Link to https, or relative to the page.",
)
def insecure_link(page: SeenPage) -> Iterator[Observation]:
    """A page that came over https names no file by http."""
    for entry in page.entries:
        if page.base.startswith("https:") and entry.url.startswith("http:"):
            yield Observation("an http link on an https page", entry.filename)


@rule(
    SeenPage,
    "credentials-in-link",
    ERROR,
    clients="Both use them, and so does everybody else who reads the page.",
    mend="Take user and password out of the link, and change the password.",
)
def credentials_in_link(page: SeenPage) -> Iterator[Observation]:
    """No link has a user name or a password in it."""
    for entry in page.entries:
        if entry.url and "@" in urlsplit(entry.url).netloc:
            yield Observation("the link has a user name or a password in it", entry.filename)


@rule(
    SeenPage,
    "raw-plus",
    WARNING,
    uv=DEPENDS,
    clients="pip asks for %2B whatever the page says; uv asks for what is there, and S3 and CloudFront take a + for a "
    "space: 403.",
    mend="Write %2B for + in links.",
)
def raw_plus(page: SeenPage) -> Iterator[Observation]:
    """A + in a link is written %2B."""
    for entry in page.entries:
        if "+" in entry.link.partition("#")[0].partition("?")[0]:
            yield Observation(f"a + in the link: {link_shown(entry.link)}", entry.filename)


@rule(
    SeenPage,
    "root-relative",
    WARNING,
    pip=DEPENDS,
    uv=DEPENDS,
    clients="Both find the files only where the tree is at the root of a host: below a path (as on GitHub Pages) and "
    "from file:// the links lead nowhere.",
    mend="Link relative to the page: ../../files/… instead of /files/…",
)
def root_relative(page: SeenPage) -> Iterator[Observation]:
    """The links of a tree do not depend on where it is served."""
    links = [entry.link for entry in page.entries] + list(page.project_links)
    found = [link for link in links if re.match(r"/(?!/)", link)]
    if page.local and found:
        yield Observation(f"{len(found):,} links begin with a slash: {link_shown(found[0])}")


@rule(
    SeenPage,
    "fragment",
    ERROR,
    pip=DEPENDS,
    uv=FAILS,
    clients="uv refuses the whole page for a hash of a kind that it does not know, or for egg=; pip ignores it, or "
    "does not find the file.",
    mend="Write #sha256=… and nothing else behind a link.",
)
def fragment(page: SeenPage) -> Iterator[Observation]:
    """Behind a link stands one hash of a kind that all clients know, or nothing."""
    for entry in page.entries:
        text = unquote(entry.link.partition("#")[2])
        if entry.form != "html" or "=" not in text:
            continue
        name, _, value = text.partition("=")
        if name not in _UV_HASHES or "&" in value or (name == "blake2b" and len(value) != 64):
            yield Observation(f"#{text[:100]}", entry.filename)


@rule(
    SeenPage,
    "hash-malformed",
    WARNING,
    pip=DEPENDS,
    uv=DEPENDS,
    clients="A hash that no file can have makes both refuse the file; in capitals it fails with pip before 23.3.",
    mend="Write 64 lower-case hexadecimal digits for sha256: make the page anew.",
)
def hash_malformed(page: SeenPage) -> Iterator[Observation]:
    """A hash has the digits that its kind has, in lower case."""
    for entry in page.entries:
        for name, value in _hashes(entry):
            length = _HASHES.get(name)
            if length and (len(value) != length or not re.fullmatch(r"[0-9a-f]+", value)):
                is_hex = len(value) == length and re.fullmatch(r"[0-9a-fA-F]+", value)
                yield Observation(f"{name} {'in capitals' if is_hex else 'is ' + repr(value[:70])}", entry.filename)


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
    clients="Both install whatever comes; `pip --require-hashes` and lock files refuse the file or have to download it "
    "first.",
    mend="Give sha256 of every file: `mkindex SOURCE DEST` computes it.",
)
def no_hash(page: SeenPage) -> Iterator[Observation]:
    """Every file has a sha256, or a stronger hash."""
    for entry in page.entries:
        if entry.sha256 or entry.other_hash.startswith(("sha384", "sha512")):
            continue
        if any(_HASHES.get(name, 0) >= 64 for name, _ in _hashes(entry)):
            continue  # `hash-malformed`
        weak = entry.other_hash.partition("=")[0]
        yield Observation(f"only {weak}" if weak else "no hash", entry.filename)


@rule(
    SeenPage,
    "requires-python-invalid",
    ERROR,
    uv=WRONG,
    clients="pip ignores it and takes the file; uv drops the file, and takes an older version without a word.",
    mend="Correct Requires-Python in the project and build again; until then leave it out of the page.",
)
def requires_python_invalid(page: SeenPage) -> Iterator[Observation]:
    """Requires-Python is a valid version specifier."""
    for entry in page.entries:
        try:
            SpecifierSet(entry.requires_python)
        except InvalidSpecifier:
            yield Observation(f"requires-python is {entry.requires_python[:100]!r}", entry.filename)


@rule(
    SeenPage,
    "foreign-file",
    ERROR,
    uv=DEPENDS,
    clients="pip passes over it; uv may choose it for its version, and stops or installs something else.",
    mend="Move the file to the page of its own project.",
)
def foreign_file(page: SeenPage) -> Iterator[Observation]:
    """A page lists files of its own project only."""
    if page.kind != "project" or not page.project:
        return
    for entry in page.entries:
        if entry.filename.endswith(".whl"):
            name = canonicalize_name(entry.filename.partition("-")[0])
            if name and name != page.project:
                yield Observation(f"a file of {name} on the page of {page.project}", entry.filename)
        elif entry.filename.endswith((".tar.gz", ".zip")) and sdist_version(entry.filename, page.project) is None:
            yield Observation(f"not a file of {page.project}", entry.filename)


@rule(
    SeenPage,
    "duplicate-file",
    ERROR,
    pip=DEPENDS,
    uv=DEPENDS,
    clients="Which of them is installed is chance; a lock file knows one and refuses the other.",
    mend="List each file once. A changed file gets a new version, or a build tag.",
)
def duplicate_file(page: SeenPage) -> Iterator[Observation]:
    """No two entries of a page mean the same file, and differ."""
    known: dict[tuple[str, ...], ListedFile] = {}
    for entry in page.entries:
        try:
            key: tuple[str, ...] = parse_filename(entry.filename)
        except ValueError:
            key = (entry.filename,)
        first = known.setdefault(key, entry)
        if first is entry:
            continue
        if first.filename != entry.filename:
            yield Observation(f"clients cannot tell it from {first.filename}", entry.filename)
        elif first.sha256 != entry.sha256:
            yield Observation("is listed twice, with different hashes", entry.filename)
        elif first.url != entry.url:
            yield Observation("is listed twice, at different addresses", entry.filename)


@rule(
    SeenPage,
    "unusable-name",
    WARNING,
    pip=WRONG,
    uv=WRONG,
    clients="Both pass over the file without a word, and take an older version or say that there is none.",
    mend="Build it again with a current tool, as .whl or .tar.gz; renaming is seldom enough.",
)
def unusable_name(page: SeenPage) -> Iterator[Observation]:
    """Every file has a name that all clients take for a wheel or an sdist."""
    for entry in page.entries:
        if text := _unusable(entry.filename, page.project if page.kind == "project" else ""):
            yield Observation(text, entry.filename)


def _unusable(filename: str, project: str) -> str:
    if not filename:
        return ""
    if not filename.endswith(SUFFIXES):
        return "uv and packaging install .whl, .tar.gz and .zip only"
    if not FILENAME.fullmatch(filename):
        return "has characters other than letters, digits and ._+!-"
    if not filename.endswith(".whl") and project and (version := sdist_version(filename, project)):
        return "" if _is_version(version) else f"{version!r} is no version"
    try:
        parse_filename(filename)
    except ValueError as error:
        return str(error)
    return ""


def _is_version(text: str) -> bool:
    try:
        Version(text)
    except InvalidVersion:
        return False
    return True


@rule(
    SeenPage,
    "name-collision",
    WARNING,
    pip=DEPENDS,
    uv=DEPENDS,
    clients="Both ask for the normalized name only: files that are on the page of another spelling are not found.",
    mend="Make one project of them, under the normalized name.",
)
def name_collision(page: SeenPage) -> Iterator[Observation]:
    """A root lists each project once, whatever its spelling."""
    if page.kind != "root":
        return
    names = Counter(canonicalize_name(name) for name, _ in page.projects)
    for name, count in names.items():
        if count > 1:
            spelled = sorted({shown for shown, _ in page.projects if canonicalize_name(shown) == name})
            yield Observation(f"{name} is listed {count} times, as {', '.join(spelled)[:200]}")


@rule(
    SeenPage,
    "root-link",
    WARNING,
    clients="Neither reads the root; poetry's search, mirrors and people follow its links.",
    mend="Link to NORMALIZED-NAME/ : lower case, each run of - _ . a single -, a slash at the end.",
)
def root_link(page: SeenPage) -> Iterator[Observation]:
    """A root links to each project at its normalized name, with a slash at the end."""
    wrong = [link for link in page.project_links if not re.search(r"(?:^|/)[a-z0-9]+(?:-[a-z0-9]+)*/$", link)]
    if wrong:
        yield Observation(
            f"{len(wrong):,} links are spelled otherwise: {', '.join(link_shown(link) for link in wrong[:3])}"
        )


@rule(
    SeenPage,
    "no-metadata",
    NOTE,
    clients="Both download a whole wheel, or parts of it, to read what it requires.",
    mend="Put METADATA beside each wheel as FILE.metadata, and name its hash on the page (PEP 658): mkindex does.",
)
def no_metadata(page: SeenPage) -> Iterator[Observation]:
    """The core metadata of wheels is offered beside them."""
    wheels = [entry for entry in page.entries if entry.filename.endswith(".whl")]
    without = [entry.filename for entry in wheels if entry.metadata is None]
    if without:
        yield Observation(f"{len(without):,} of {len(wheels):,} wheels have none: {', '.join(without[:2])[:200]}")


@rule(
    SeenPage,
    "large-page",
    NOTE,
    clients="Both read all of it whenever they look for one version.",
    mend="Move old releases to an index of their own.",
)
def large_page(page: SeenPage) -> Iterator[Observation]:
    """The page of a project is not so large that every install waits for it."""
    if page.kind == "project" and (len(page.reply.body) > _LARGE or len(page.entries) > _MANY):
        yield Observation(f"{len(page.reply.body):,} bytes, {len(page.entries):,} files")
