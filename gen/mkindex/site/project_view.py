"""A project as its page for people shows it: from its files, the details of its newest release, and its relations."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from email.utils import getaddresses
from urllib.parse import urlsplit

from packaging.utils import canonicalize_name

from mkindex.model.details import DOWNLOAD_URL, HOME_PAGE, Details
from mkindex.model.files import File, Link
from mkindex.model.index import Project, without_zeros
from mkindex.site.files_view import Addresses, release_views, upload_time
from mkindex.site.graph import Graph, parse_requirement
from mkindex.site.views import Person, ProjectLine, ProjectView, Requirements
from mkindex.text import displayed

_NO_DETAILS = Details()
_LONG_LICENSE = 80  # characters: a longer value of License is its text
LABELS = {HOME_PAGE: "Homepage", DOWNLOAD_URL: "Download"}  # as people know them
_LICENSE = "License :: "
_SCHEMES = ("https", "http", "mailto", "ftp")


def newest_files(project: Project) -> list[File]:
    """Return the files of the newest release, those with core metadata first; none of a quarantined project."""
    if project.is_quarantined:
        return []
    newest = without_zeros(project.newest())
    files = [file for file in project.files if without_zeros(file.version) == newest]
    return sorted(files, key=lambda file: (isinstance(file.artifact, Link), not file.core_metadata, file.filename))


def project_line(project: Project, details: Details | None) -> ProjectLine:
    """Return a project as a line of a list."""
    known = details or _NO_DETAILS
    return ProjectLine(
        name=project.name,
        shown=shown_name(project, known),
        summary=known.summary,
        version=project.newest(),
        date=upload_time(newest_files(project))[:10],
        status=project.status.status if project.status and project.status.status != "active" else "",
    )


def project_view(
    project: Project, details: Details | None, graph: Graph, addresses: Addresses, *, readme: str, feed: str
) -> ProjectView:
    """Return a project as its page shows it."""
    known = details or _NO_DETAILS
    releases = release_views(project, addresses)
    line = project_line(project, details)
    return ProjectView(
        name=line.name,
        shown=line.shown,
        version=line.version,
        status=line.status,
        status_reason=displayed(project.status.reason or "") if project.status else "",
        is_known=details is not None,
        is_elsewhere=bool(project.files) and all(isinstance(file.artifact, Link) for file in newest_files(project)),
        summary=known.summary,
        readme=readme,
        requires_python=known.requires_python or next((f.requires_python for f in newest_files(project)), ""),
        licenses=tuple(dict.fromkeys((*licenses(details), *_short_license(known)))),
        license_text="" if _short_license(known) else known.license,
        people=tuple(_people(known)),
        keywords=known.keywords,
        links=tuple(_links(known.urls)),
        classifiers=_by_first_part(known.classifiers),
        import_names=known.import_names,
        others=known.others,
        requires=_requirements(known),
        extras=known.extras,
        listed=frozenset(edge.project for edge in graph.requires.get(project.name, ())),
        dependents=graph.dependents.get(project.name, ()),
        releases=releases,
        newest=next((release for release in releases if release.is_newest), None),
        variants=(),
        feed=feed,
    )


def licenses(details: Details | None) -> tuple[str, ...]:
    """Return the license of a release: the expression, or else what classifiers say, or else a short License."""
    known = details or _NO_DETAILS
    if known.license_expression:
        return (known.license_expression,)
    classified = [one.rpartition(" :: ")[2] for one in known.classifiers if one.startswith(_LICENSE)]
    if classified := [one for one in classified if one != "OSI Approved"]:
        return tuple(classified)
    return _short_license(known)


def _short_license(details: Details) -> tuple[str, ...]:
    """Return the value of License if it is not a whole text."""
    return (details.license,) if 0 < len(details.license) <= _LONG_LICENSE else ()


def shown_name(project: Project, details: Details) -> str:
    """Return the name as its owner spells it, if that is the same name."""
    is_same = details.name.isascii() and canonicalize_name(details.name) == project.name
    return details.name if is_same else project.name


def _people(details: Details) -> Iterator[Person]:
    for role, name, email in (
        ("author", details.author, details.author_email),
        ("maintainer", details.maintainer, details.maintainer_email),
    ):
        addresses = [(shown, address) for shown, address in getaddresses([email]) if shown or address]
        if len(addresses) == 1 and name and not addresses[0][0]:
            addresses = [(name, addresses[0][1])]
        elif name and name not in (shown for shown, _ in addresses):
            addresses.insert(0, (name, ""))
        for shown, address in addresses or ([("", email)] if email else []):
            is_address = re.fullmatch(r"[^\s<>@]+@[^\s<>@]+", address)
            yield Person(role=role, name=shown or ("" if is_address else address), email=address if is_address else "")


def _links(urls: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str, bool]]:
    """Yield label and address of each link once, whatever the case of its label, and whether a page may link to it."""
    found: dict[tuple[str, str], tuple[str, str]] = {}
    for field, address in urls:
        label = LABELS.get(field, field)
        found.setdefault((label.lower(), address), (label, address))
    for label, address in found.values():
        if label or address:
            yield label, address, is_address(address)


def is_address(text: str) -> bool:
    """Tell whether a link to an address is harmless and useful."""
    try:
        return urlsplit(text).scheme.lower() in _SCHEMES
    except ValueError:
        return False


def _by_first_part(classifiers: Sequence[str]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    found: defaultdict[str, list[str]] = defaultdict(list)
    for classifier in classifiers:
        first, _, rest = classifier.partition(" :: ")
        found[first].append(rest or first)
    return tuple((first, tuple(rest)) for first, rest in found.items())


def _requirements(details: Details) -> tuple[Requirements, ...]:
    by_extra: defaultdict[str, list[str]] = defaultdict(list)
    for text in details.requires:
        by_extra[parse_requirement(text).extra].append(text)
    return tuple(
        Requirements(extra=extra, requirements=tuple(map(parse_requirement, by_extra[extra])))
        for extra in sorted(by_extra)
    )
