"""`--why REQ`: explain for each file of a project why a client would not choose it."""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from mkindex.check.candidates import Candidate, candidate_of
from mkindex.check.identify import Location
from mkindex.check.observations import ListedFile, SeenFile, SeenPage
from mkindex.check.rules.files import metadata_name
from mkindex.check.rules.metadata import metadata_encoding, read_first, requires_dist
from mkindex.check.unsent import unsent_page
from mkindex.closure.lookup import is_pinned
from mkindex.environments import Environment
from mkindex.errors import ConfigError, SourceError
from mkindex.simple.links import client_project_url, name_at_end
from mkindex.text import printable


class Choice(NamedTuple):
    """A file, with the reasons why a client passes over it; without reasons it could be chosen."""

    filename: str
    version: str
    reasons: tuple[str, ...]
    chosen: bool = False


def parse_requirement(text: str) -> Requirement:
    """Parse the value of `--why`. Raises ConfigError."""
    try:
        requirement = Requirement(text)
    except InvalidRequirement as error:
        raise ConfigError(f"--why {printable(text)}: give a requirement, such as 'torch==2.5.1'") from error
    if requirement.url:
        raise ConfigError(f"--why {printable(text)}: clients do not use an index for a requirement with an address")
    return requirement


def project_page(location: Location, requirement: Requirement) -> tuple[SeenPage, tuple[ListedFile, ...]]:
    """Return the page of the required project, as clients find it, and its files. Raises SourceError without one."""
    name = canonicalize_name(requirement.name)
    kind = location.identity.kind
    if kind in ("index", "page", "nothing", "mistyped", "people"):
        pages = location.project_pages(name, client_project_url(location.url, name))
    else:
        pages = location.pages
    usable = next((page for page in pages if page.is_usable), None)
    if kind == "index" and (
        unsent := unsent_page(location.fetcher, client_project_url(location.url, name), pages[0], "project")
    ):
        raise SourceError(
            f"{location.display(pages[0].url)}: clients do not find the page of {name}, which exists only as "
            f"{name_at_end(unsent.url)}: the host sends no index documents. To fix it: mkindex check --explain "
            "no-index-document"
        )
    if usable is None:
        answer = pages[0].broken or f"answers {pages[0].reply.status}"
        raise SourceError(f"{location.display(pages[0].url)}: no page of {name} that clients can read: {answer}")
    entries = usable.entries
    if kind == "flat":
        entries = tuple(entry for entry in entries if canonicalize_name(entry.filename).startswith(f"{name}-"))
    return pages[0], entries


def explain(
    requirement: Requirement,
    entries: Sequence[ListedFile],
    environment: Environment,
    inspect: Callable[[ListedFile], SeenFile | None],
    *,
    require_hashes: bool = False,
) -> list[Choice]:
    """Return every file of a project, the newest first, each with all reasons why a client passes over it.

    As clients do, `inspect` reads the metadata of the best file, and of the next one only if they refuse it.
    """
    project = canonicalize_name(requirement.name)
    considered: list[tuple[Candidate, list[str]]] = []
    ignored: list[Choice] = []
    by_filename = {entry.filename: entry for entry in reversed(entries)}
    for entry in by_filename.values():
        candidate = candidate_of(entry, project)
        if isinstance(candidate, str):
            ignored.append(Choice(entry.filename, "", (candidate,)))
        else:
            reasons = _reasons(candidate, requirement, environment, require_hashes=require_hashes)
            considered.append((candidate, reasons))
    # Clients take pre-releases only if the requirement names one, or if nothing else fits (PEP 440).
    has_final = any(not reasons and not candidate.version.is_prerelease for candidate, reasons in considered)
    if has_final and not requirement.specifier.prereleases:
        for candidate, reasons in considered:
            if candidate.version.is_prerelease and not reasons:
                reasons.append("it is a pre-release, and there are final releases (--pre allows it)")
    considered.sort(
        key=lambda pair: (pair[0].version, -environment.rank(pair[0].filename), pair[0].filename), reverse=True
    )
    first = None
    for candidate, reasons in considered:
        if not reasons:
            reasons.extend(_reasons_in_metadata(inspect(by_filename[candidate.filename]), environment))
            if not reasons:
                first = candidate.filename
                break
    choices = [Choice(c.filename, str(c.version), tuple(reasons), c.filename == first) for c, reasons in considered]
    return choices + sorted(ignored)


def _reasons(
    candidate: Candidate, requirement: Requirement, environment: Environment, *, require_hashes: bool
) -> list[str]:
    reasons = []
    if not requirement.specifier.contains(candidate.version, prereleases=True):
        reasons.append(f"its version {candidate.version} does not match {requirement.specifier}")
    if mismatch := environment.tag_mismatch(candidate.filename):
        reasons.append(mismatch)
    if environment.rejects_python(candidate.requires_python):
        reasons.append(f"it requires Python {candidate.requires_python}, but this is {environment.python}")
    if candidate.yanked is not None and not is_pinned(requirement):
        reasons.append(f"it is yanked{f' ({candidate.yanked})' if candidate.yanked else ''}, and not pinned with ==")
    if require_hashes and not candidate.has_hash:
        reasons.append("its page has no sha256, which --require-hashes needs")
    return reasons


def _reasons_in_metadata(seen: SeenFile | None, environment: Environment) -> Iterator[str]:
    """Yield why clients refuse a file when they read its core metadata, as far as it could be read."""
    metadata = read_first(seen) if seen else None
    if seen is None or metadata is None:
        return
    for find in (metadata_name, requires_dist, metadata_encoding):
        yield from (violation.text for violation in find(seen))
    if not seen.entry.requires_python and environment.rejects_python(metadata.requires_python):
        yield f"its metadata requires Python {metadata.requires_python}, but this is {environment.python}"
