"""What clients choose among the files of a project: why not this one (`--why`), is there any at all (`--closure`)."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from mkindex.check.observations import ListedFile, Unsatisfied
from mkindex.check.targets import Target
from mkindex.distributions.filenames import SUFFIXES, parse_filename, sdist_version
from mkindex.errors import ConfigError
from mkindex.text import printable


class Candidate(NamedTuple):
    """A file, and what a client decides by."""

    filename: str
    version: Version
    requires_python: str
    yanked: str | None
    has_hash: bool


class Choice(NamedTuple):
    """A file, and why a client passes over it; "": it would be taken."""

    filename: str
    version: str
    reasons: tuple[str, ...]
    chosen: bool = False


class Needs(NamedTuple):
    """A file, and what it requires."""

    project: str
    filename: str
    requires_dist: tuple[str, ...]


def requirement(text: str) -> Requirement:
    """Parse what `--why` is asked about. Raises ConfigError."""
    try:
        wanted = Requirement(text)
    except InvalidRequirement as error:
        raise ConfigError(f"why {printable(text)!r}: give a requirement, such as 'torch==2.5.1'") from error
    if wanted.url:
        raise ConfigError(f"why {printable(text)!r}: an index is not asked for what has an address of its own")
    return wanted


def candidate(entry: ListedFile, project: str) -> Candidate | str:
    """Return a file as clients see it, or why they cannot."""
    filename = entry.filename
    if not filename.endswith(SUFFIXES):
        return "the name ends in what no client installs"
    try:
        if filename.endswith(".whl"):
            name, text, _ = parse_filename(filename)
            version = Version(text)
        else:
            name, version = project, Version(sdist_version(filename, project) or "")
    except InvalidVersion:
        return "the name has no valid version in it"
    except ValueError as error:
        return f"the name is none that clients read ({printable(str(error))})"
    if name != project:
        return f"the name is that of another project, {name}"
    has_hash = bool(entry.sha256) or entry.other_hash.startswith(("sha384", "sha512"))
    return Candidate(filename, version, entry.requires_python, entry.yanked, has_hash)


def why(
    wanted: Requirement, entries: Sequence[ListedFile], target: Target, *, require_hashes: bool = False
) -> list[Choice]:
    """Return every file of a project, the newest first, each with all reasons why it is passed over."""
    project = canonicalize_name(wanted.name)
    found: list[tuple[Candidate, list[str]]] = []
    unusable: list[Choice] = []
    for entry in {entry.filename: entry for entry in reversed(entries)}.values():
        one = candidate(entry, project)
        if isinstance(one, str):
            unusable.append(Choice(entry.filename, "", (one,)))
        else:
            found.append((one, _reasons(one, wanted, target, require_hashes=require_hashes)))
    # Pre-releases are for who asks for them, and for who finds nothing else.
    finals = any(not reasons and not one.version.is_prerelease for one, reasons in found)
    if finals and not wanted.specifier.prereleases:
        for one, reasons in found:
            if one.version.is_prerelease and not reasons:
                reasons.append("it is a pre-release, and there are final releases (--pre takes it)")
    found.sort(key=lambda pair: (pair[0].version, -target.rank(pair[0].filename), pair[0].filename), reverse=True)
    first = next((one.filename for one, reasons in found if not reasons), None)
    choices = [Choice(one.filename, str(one.version), tuple(why), one.filename == first) for one, why in found]
    return choices + sorted(unusable)


def _reasons(one: Candidate, wanted: Requirement, target: Target, *, require_hashes: bool) -> list[str]:
    reasons = []
    if not wanted.specifier.contains(one.version, prereleases=True):
        reasons.append(f"its version {one.version} is not {wanted.specifier}")
    if unfit := target.unfit(one.filename):
        reasons.append(unfit)
    if target.refuses(one.requires_python):
        reasons.append(f"it requires Python {one.requires_python}, and this is {target.python}")
    if one.yanked is not None and not _is_pinned(wanted):
        reasons.append(f"it is yanked{f' ({one.yanked})' if one.yanked else ''}, and not asked for with ==")
    if require_hashes and not one.has_hash:
        reasons.append("its page gives no sha256, which --require-hashes wants")
    return reasons


def _is_pinned(wanted: Requirement) -> bool:
    clauses = list(wanted.specifier)
    return len(clauses) == 1 and clauses[0].operator in ("==", "===") and not clauses[0].version.endswith(".*")


# --- closure --------------------------------------------------------------------------------------------------------


def unsatisfied(
    needs: Iterable[Needs], candidates: Callable[[str], Sequence[Candidate]], target: Target
) -> Iterator[Unsatisfied]:
    """Yield the requirements of files that no file of the index satisfies on `target`.

    `candidates`: the files of a project by its normalized name, none where there is no such project. Requirements of
    an extra count where some file in the index asks for that extra.
    """
    parsed = [(one, [r for text in one.requires_dist if (r := _parsed(text))]) for one in needs]
    extras: dict[str, set[str]] = {}
    while True:
        before = sum(map(len, extras.values()))
        for one, requirements in parsed:
            for wanted in _applying(requirements, extras.get(one.project, set()), target):
                if wanted.extras:
                    extras.setdefault(canonicalize_name(wanted.name), set()).update(wanted.extras)
        if sum(map(len, extras.values())) == before:
            break
    for one, requirements in parsed:
        for wanted in _applying(requirements, extras.get(one.project, set()), target):
            there = candidates(canonicalize_name(wanted.name))
            if not any(_satisfies(found, wanted, target) for found in there):
                yield Unsatisfied(file=one.filename, requirement=str(wanted), has=_instead(there, target, wanted))


def _parsed(text: str) -> Requirement | None:
    try:
        return Requirement(text)
    except InvalidRequirement:
        return None


def _applying(requirements: Sequence[Requirement], extras: Iterable[str], target: Target) -> Iterator[Requirement]:
    for wanted in requirements:
        if wanted.url:
            continue
        if wanted.marker is None or any(
            wanted.marker.evaluate({**target.markers, "extra": extra}) for extra in ("", *extras)
        ):
            yield wanted


def _satisfies(found: Candidate, wanted: Requirement, target: Target) -> bool:
    return (
        wanted.specifier.contains(found.version, prereleases=True)
        and target.takes(found.filename, found.requires_python)
        and (found.yanked is None or _is_pinned(wanted))
    )


def _instead(there: Sequence[Candidate], target: Target, wanted: Requirement) -> str:
    if not there:
        return f"no {canonicalize_name(wanted.name)}"
    right = [one for one in there if wanted.specifier.contains(one.version, prereleases=True)]
    if right:
        return f"{right[0].filename} and the like, which are yanked or not for {target.name}"
    versions = sorted({one.version for one in there}, reverse=True)
    return f"{canonicalize_name(wanted.name)} {', '.join(map(str, versions[:5]))}{' …' if len(versions) > 5 else ''}"
