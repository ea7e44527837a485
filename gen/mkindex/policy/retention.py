"""Which releases of a project the rules of [[keep]] keep."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import lru_cache
from operator import attrgetter
from typing import NamedTuple

from packaging.version import Version

from mkindex.model.files import File
from mkindex.model.index import parse_version, without_zeros
from mkindex.policy.rules import Keep
from mkindex.policy.times import is_after

ALWAYS = "the newest release that is neither yanked nor a prerelease always stays"


class Retention(NamedTuple):
    """Whether a release stays, by which rule, and why."""

    stays: bool
    where: str
    why: str


class _Release(NamedTuple):
    """A public version with all its local versions."""

    name: str  # see `release_of`
    version: Version
    files: Sequence[File]


def judge_releases(files: Iterable[File], rules: Sequence[Keep], now: int) -> Mapping[str, Retention]:
    """Return for each release of a project, by `release_of`, whether all rules keep it at `now`."""
    releases = _releases(files)
    verdicts: dict[str, Retention] = {}
    for rule in rules:
        drop = Retention(False, rule.where, f"{_limits(rule)} does not keep it")
        for release, why in zip(releases, _reasons(releases, rule, now), strict=True):
            if not why:
                verdicts[release.name] = drop
            elif release.name not in verdicts or verdicts[release.name].stays:
                verdicts[release.name] = Retention(True, rule.where, why)
    final = next((one.name for one in releases if not (one.version.is_prerelease or _is_yanked(one))), None)
    if final is not None and not verdicts[final].stays:
        verdicts[final] = Retention(True, verdicts[final].where, ALWAYS)
    return verdicts


def keep_all(releases: Collection[str], rules: Sequence[Keep]) -> bool:
    """Tell whether rules keep all releases because there are few, as is true of most projects, and quickly known."""
    prereleases = sum(map(_is_prerelease, releases))
    finals = len(releases) - prereleases
    return all(_keeps_all(rule, finals, prereleases) for rule in rules)


def _keeps_all(rule: Keep, finals: int, prereleases: int) -> bool:
    if rule.prereleases is None:
        return rule.newest is not None and finals + prereleases <= rule.newest
    return prereleases <= rule.prereleases and (rule.newest is None or finals <= rule.newest)


@lru_cache(maxsize=4096)
def _is_prerelease(name: str) -> bool:
    return parse_version(name).is_prerelease


@lru_cache(maxsize=4096)
def release_of(version: str) -> str:
    """Return the release that a version belongs to: the same text for all its local versions and equal versions."""
    return without_zeros(version.partition("+")[0])


def _releases(files: Iterable[File]) -> list[_Release]:
    """Return the releases, the newest first."""
    by_name: defaultdict[str, list[File]] = defaultdict(list)
    for file in files:
        by_name[release_of(file.facts.version)].append(file)
    releases = [_Release(name, parse_version(name), own) for name, own in by_name.items()]
    return sorted(releases, key=attrgetter("version"), reverse=True)


def _reasons(releases: Sequence[_Release], rule: Keep, now: int) -> Iterable[str]:
    """Yield for each release, the newest first, why a rule keeps it; "" if it does not."""
    moment = rule.younger_than.at(now) if rule.younger_than else ""
    finals = prereleases = 0
    for release in releases:
        is_separate = release.version.is_prerelease and rule.prereleases is not None
        name, limit = ("prereleases", rule.prereleases) if is_separate else ("newest", rule.newest)
        count = prereleases if is_separate else finals
        prereleases, finals = prereleases + is_separate, finals + (not is_separate)
        if limit is not None and count < limit:
            yield f"{name} = {limit}"
        elif rule.younger_than and _is_younger(release, moment):
            yield f"younger-than = {rule.younger_than.text}"
        elif limit is None and not rule.younger_than:
            yield "no limit for final releases"
        else:
            yield ""


def _is_younger(release: _Release, moment: str) -> bool:
    """Tell whether a file of a release is younger than a moment, or may be, because its time is unknown."""
    return any(not file.upload_time or is_after(file.upload_time, moment) for file in release.files)


def _is_yanked(release: _Release) -> bool:
    return all(file.yanked is not None for file in release.files)


def _limits(rule: Keep) -> str:
    limits = {"newest": rule.newest, "prereleases": rule.prereleases}
    texts = [f"{name} = {limit}" for name, limit in limits.items() if limit is not None]
    return ", ".join([*texts, *([f"younger-than = {rule.younger_than.text}"] if rule.younger_than else [])])
