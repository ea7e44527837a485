"""What a client has to know of an index, found out by looking at it as clients do, and as a stranger."""

import re
import shlex
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from urllib.parse import quote, urlsplit

from packaging.utils import (
    InvalidSdistFilename,
    InvalidWheelFilename,
    canonicalize_name,
    parse_sdist_filename,
    parse_wheel_filename,
)

from mkindex.cache import Cache
from mkindex.check.fetch import Fetcher, path_of
from mkindex.check.identify import AccessDenied, Identified, fetch_forms, identify
from mkindex.check.observations import ListedFile, SeenPage, Start
from mkindex.check.pages import NOBODY, listed, project_url, read
from mkindex.check.rules.server import lifetime
from mkindex.clients.configurations import PAGES, TAKEN, ServedIndex, few, written
from mkindex.errors import ConfigError, SourceError
from mkindex.text import printable, redact
from mkindex.web.client import WebClient
from mkindex.web.responses import RawResponse

_PROJECT = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")  # a normalized name, and so a bare key of TOML
_SAMPLE = 3  # projects whose pages are looked at
_LONGEST = 600  # seconds that a page may be cached: what the public index says
_LONG = 86_400  # seconds that a file may be cached, at least
_ONE_BYTE = {"Accept-Encoding": "identity", "Range": "bytes=0-0"}


def look(target: str, globs: Sequence[str] = ()) -> ServedIndex:
    """Find out what a directory or an address is, and what a client has to know of it.

    `globs`: names of projects, or patterns of them; none of these: all projects. Raises SourceError, and Failed where
    nobody answers.
    """
    with Cache(None) as cache:
        web, stranger = WebClient(cache, connections=1), WebClient(cache, connections=1, anonymous=True)
        try:
            begun, globs = _begun(target, web, globs)
            return _flat(begun, globs, stranger) if begun.start.kind == "flat" else _index(begun, globs, stranger)
        except AccessDenied as denied:
            return _unseen(denied, globs)
        finally:
            web.close()
            stranger.close()


def _begun(target: str, web: WebClient, globs: Sequence[str]) -> tuple[Identified, Sequence[str]]:
    """Find out what was given, and go on from there to the index where that leads to one. Return the globs, too."""
    begun = identify(target, web, patient=bool(globs) and not any(map(_is_pattern, globs)))
    start = begun.start
    if start.kind in ("people", "page") and start.index and _host(start.index) == _host(begun.url):
        return identify(start.index, web), globs
    if start.kind != "project":
        return begun, globs
    page = begun.url.rpartition("/")[0]  # …/simple/demo, of …/simple/demo/ or …/simple/demo/index.html
    root = page.rpartition("/")[0] + "/"
    found = identify(root, web, patient=True)
    if found.start.kind != "index":
        found = replace(found, start=Start(kind="index"), url=root, pages=())
    return found, globs or (begun.pages[0].project,)


def _index(begun: Identified, globs: Sequence[str], stranger: WebClient) -> ServedIndex:
    where, place = _where(begun), begun.place
    if begun.start.kind != "index":
        raise SourceError(f"{where}: {_no_index(begun)}")
    if begun.pages and not any(page.usable for page in begun.pages):
        raise SourceError(f"{where}: no client can read this page, which {_fault(begun.pages[0])}. {_more(where)}")

    def project(root: str, name: str) -> SeenPage:
        pages = fetch_forms(place, project_url(root, name), "project", name)
        # In a directory nobody asks for JSON.
        return next((page for page in pages if page.form == "html"), pages[0]) if place.local else pages[0]

    projects = _chosen(listed(begun.pages), globs, where, lambda name: project(begun.url, name).usable)
    for root in _roots(begun):
        pages = [project(root, name) for name in _some(projects)]
        if usable := [page for page in pages if page.usable]:
            break
    else:
        raise SourceError(
            f"{redact(pages[0].url)}: this page, which clients ask for, {_fault(pages[0])}. {_more(where)}"
        )
    facts = ServedIndex(url=_ascii(root), projects=projects, chosen=bool(globs))
    if not place.local:
        unknown = place.get_page(project_url(root, NOBODY))
        return _served(replace(facts, answers_403=unknown.status == 403), usable, place, stranger)
    if not any(page.form == "html" for page in usable):
        raise SourceError(f"{where}: in a directory clients read HTML only, and there is none. {_more(where)}")
    return facts


def _flat(begun: Identified, globs: Sequence[str], stranger: WebClient) -> ServedIndex:
    (page, *_), place = begun.pages, begun.place
    projects = _chosen(_projects(page.entries), globs, _where(begun), lambda _: False)
    facts = ServedIndex(url=_ascii(_roots(begun)[0]), projects=projects, flat=True, chosen=bool(globs))
    return facts if place.local else _served(facts, [page], place, stranger)


def _projects(entries: Iterable[ListedFile]) -> Iterator[str]:
    """Yield the projects of the files that clients install."""
    for entry in entries:
        with suppress(InvalidWheelFilename, InvalidSdistFilename):
            parse = parse_wheel_filename if entry.filename.endswith(".whl") else parse_sdist_filename
            yield parse(entry.filename)[0]


def _served(facts: ServedIndex, pages: Sequence[SeenPage], place: Fetcher, stranger: WebClient) -> ServedIndex:
    """Add what only a server can do to a client."""
    page = pages[0]
    as_stranger = read(Fetcher(root=place.root, web=stranger).get_page(page.url), page.kind, project=page.project)
    return replace(
        facts,
        # A host may show strangers something else: a page to log in, or the public index.
        wants_password=_files(as_stranger) != _files(page),
        late=next(filter(None, (_late(page.reply) for page in pages)), ""),
        keeps_files=_keeps_files(place, [entry for page in pages for entry in page.entries]),
        elsewhere=next((host for page in pages if (host := _host(page.reply.url)) != _host(facts.url)), ""),
    )


def _unseen(denied: AccessDenied, globs: Sequence[str]) -> ServedIndex:
    """Return what can be said of an index that only those may look at who have a password."""
    names = {canonicalize_name(name) for name in globs}
    if denied.status == 401 and names and all(map(_PROJECT.fullmatch, names)):
        url = _ascii(denied.url)
        return ServedIndex(
            url=url,
            projects=tuple(sorted(names)),
            flat=url.endswith(PAGES),
            chosen=True,
            wants_password=True,
            unseen=True,
        )
    if denied.status in (401, 403):
        raise SourceError(f"{denied}. Or name each project that you need, without patterns: --project demo") from denied
    raise denied


def _files(page: SeenPage) -> list[tuple[str, str]] | None:
    """Return what a page lists, without what can be another each time it is asked for; None: it is none."""
    return sorted((entry.filename, entry.sha256) for entry in page.entries) if page.usable else None


def _no_index(begun: Identified) -> str:
    """Say what was found instead of an index, and what to do."""
    start = begun.start
    if start.kind == "mistyped":
        return f"it {_fault(begun.pages[0])}. {_more(_where(begun))}"
    if start.kind == "login":
        return f"{start.says}. Put a name and a password into ~/.netrc, and give the address of the index itself"
    if start.index:
        return f"{start.says}; an index seems to be at {start.index}: give that address"
    says = start.says or "there is no index"
    if "mkindex" in says:
        return says
    return f"{says}. Give the address of the index, often …/simple/; if it lists no projects, name them with --project"


def _fault(page: SeenPage) -> str:
    """Say why a page is of no use to a client."""
    if page.broken or page.reply.status != 200:
        return page.broken or f"answers {page.reply.status}"
    kind = printable(page.reply.media_type)[:80] or "nothing in particular"
    return f"is served as {kind}, which no client takes for a page"


def _more(where: str) -> str:
    return f"`mkindex check {shlex.quote(where)}` says more"


def _where(begun: Identified) -> str:
    return printable(path_of(begun.url)) if begun.place.local else redact(begun.url)


def _host(url: str) -> str:
    """Return host and port, as a person may see them."""
    return printable(urlsplit(url).netloc.rpartition("@")[2].lower())


def _roots(begun: Identified) -> list[str]:
    """Return the addresses where projects may be: where the same server redirects to comes before what was given."""
    if begun.place.local or not begun.pages:
        return [begun.url]
    final = begun.pages[0].reply.url
    here, there = urlsplit(begun.url), urlsplit(final)
    # Another port is another server; that behind https is the one that is meant.
    is_same = here.hostname == there.hostname and (here.port == there.port or here.scheme != there.scheme)
    is_root = begun.start.kind == "flat" or final.endswith("/")
    return list(dict.fromkeys([final, begun.url] if is_same and is_root and not there.query else [begun.url]))


def _chosen(names: Iterable[str], globs: Sequence[str], where: str, is_there: Callable[[str], bool]) -> tuple[str, ...]:
    """Return the names that are wanted, sorted; `is_there`: of a project that is not listed, whether it has a page."""
    known = {name for name in names if _PROJECT.fullmatch(name)}
    chosen = set() if globs else known
    for glob in globs:
        pattern = canonicalize_name(glob)
        fitting = {name for name in known if fnmatchcase(name, pattern)}
        if not fitting and _PROJECT.fullmatch(pattern) and is_there(pattern):
            fitting = {pattern}
        if not fitting:
            some = f"it has {', '.join(few(sorted(known)))}" if known else "it does not say which ones it has"
            raise SourceError(f"{where}: --project {printable(glob)}: there is no such project; {some}")
        chosen |= fitting
    if not chosen:
        raise SourceError(f"{where}: there is no project in it yet, and what is printed keeps projects to their index")
    return tuple(sorted(chosen))


def _some(names: Sequence[str]) -> list[str]:
    """Return a few names from all over the list."""
    last = len(names) - 1
    return [names[place] for place in sorted({last * part // (_SAMPLE - 1) for part in range(_SAMPLE)})]


def _is_pattern(glob: str) -> bool:
    return any(c in glob for c in "*?[")


def _late(reply: RawResponse) -> str:
    if not {"cache-control", "expires"} & reply.headers.keys():
        return (
            "pages come without Cache-Control: uv would guess ten minutes" if "last-modified" in reply.headers else ""
        )
    seconds = lifetime(reply)
    return f"pages say that they may be kept for {seconds:,} s" if seconds > _LONGEST else ""


def _keeps_files(place: Fetcher, entries: Collection[ListedFile]) -> bool:
    """Tell whether files are kept for as long as they may be; that is for ever where their address has their hash."""
    if not all(entry.sha256 and entry.sha256 in urlsplit(entry.url).path.replace("/", "") for entry in entries):
        return True
    first = next((entry for entry in entries if entry.url.startswith(("http:", "https:"))), None)
    if first is None:
        return True
    reply = place.request(first.url, _ONE_BYTE, most=0)
    return reply.status not in (200, 206) or lifetime(reply) >= _LONG


def _ascii(url: str) -> str:
    """Return an address in ASCII, with nothing in its path that some file format or client takes for more."""
    parts = urlsplit(url)
    host = parts.netloc if parts.netloc.isascii() else parts.netloc.encode("idna").decode()
    return parts._replace(netloc=host, path=quote(parts.path, safe="/%:@!&()*+,;=~"), query="", fragment="").geturl()


_NAME = re.compile(r"(?=.*[A-Za-z0-9])[A-Za-z0-9._-]+")  # of an index, as uv takes it


@dataclass(frozen=True, kw_only=True, slots=True)
class ClientOptions:
    """What is asked for: the options of the command line. Raises ConfigError for a value that makes no sense."""

    target: str
    client: str | None = None  # one of CLIENTS; None: uv, and the others are named
    project: tuple[str, ...] = ()  # names, and patterns of names; none: all
    name: str = ""  # of the index; "": made from its address

    def __post_init__(self) -> None:
        if not self.target:
            raise ConfigError("name an address or a directory: mkindex client https://packages.example.com/simple/")
        if self.target.startswith(("http:", "https:")) and "?" in self.target.partition("#")[0]:
            raise ConfigError(
                f"{redact(self.target)}: what follows the question mark can be a secret, and clients lose it "
                "where they put a project's name behind an address. Give the address without it; "
                "passwords belong into ~/.netrc"
            )
        if self.name and (not _NAME.fullmatch(self.name) or self.name.lower() == TAKEN):
            raise ConfigError(
                f"name {printable(self.name)!r}: it is made of letters, digits, hyphens, underscores and periods, and "
                "pypi is another index"
            )
        if self.client == "poetry" and "." in self.name:
            raise ConfigError(
                f"name {self.name!r}: poetry makes a variable of it, which can have no period in its name"
            )


def configuration(options: ClientOptions) -> str:
    """Return the text to paste. Raises ConfigError, SourceError, and Failed where nobody answers."""
    return written(look(options.target, options.project), options.client, options.name)
