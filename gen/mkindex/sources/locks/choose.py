"""Choose from a lock what clients install in some environments: packages by markers, files by tags."""

import re
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

from packaging.markers import InvalidMarker, Marker
from packaging.utils import canonicalize_name, parse_wheel_filename

from mkindex.environments import Environment
from mkindex.errors import SourceError
from mkindex.model.files import Link
from mkindex.sources.locks.choice import Choice, Target
from mkindex.sources.locks.fields import BadLock
from mkindex.sources.locks.lock import Dependency, Lock, LockedPackage
from mkindex.text import and_more, printable

_EXTRA = re.compile(r"""\bextra\s*(==|!=)\s*(["'])([^"']*)\2|(["'])([^"']*)\4\s*(==|!=)\s*extra\b""")
_MEMBER = re.compile(r"""(["'])([^"']*)\1\s+(not\s+)?in\s+(extras|dependency_groups)\b""")
_TRUE, _FALSE = "python_version >= '0'", "python_version < '0'"


_Identity = tuple[str, str, str]  # of a package


class Chosen(NamedTuple):
    """A package, and its extras that are required and that require something themselves."""

    package: LockedPackage
    extras: tuple[str, ...]

    @property
    def requirement(self) -> str:
        """The package as a requirement: "demo[fast]==1.0"."""
        extras = f"[{','.join(self.extras)}]" if self.extras else ""
        return f"{self.package.name}{extras}=={self.package.version}"


# --- packages ---------------------------------------------------------------------------------------------------------


def choose_packages(lock: Lock, choice: Choice, environment: Environment | None) -> list[Chosen]:
    """Return what is installed in an environment (None: in any), in the order of the lock. Raises BadLock."""
    walk = _Walk(lock, choice, environment)
    walk.run()
    return [
        Chosen(package, tuple(sorted(walk.extras[package.identity])))
        for package in lock.packages
        if package.identity in walk.extras and package.name not in lock.projects
    ]


def refuse_unknown_names(lock: Lock, path: str, choice: Choice) -> None:
    """Raise SourceError for a chosen extra or group that the lock at a path does not have."""
    for option, chosen, known in (("extra", choice.extras, lock.extras), ("group", choice.groups, lock.groups)):
        unknown = sorted((chosen or frozenset()) - set(map(canonicalize_name, known)))
        if unknown:
            has = and_more(sorted(known)) if known else "none"
            raise SourceError(
                f"--{option} {printable(unknown[0])}: {printable(path)} has no such {option} (it has {has})"
            )


def refuse_other_python(lock: Lock, path: str, environment: Environment) -> None:
    """Raise SourceError if the lock at a path is not for the Python of an environment."""
    if environment.rejects_python(lock.requires_python):
        raise SourceError(
            f"{printable(path)} is locked for Python {printable(lock.requires_python)}, not for "
            f"{environment.python}. Choose another --python, or lock again"
        )


@dataclass
class _Walk:
    lock: Lock
    choice: Choice
    environment: Environment | None
    extras: dict[_Identity, set[str]] = field(default_factory=dict)  # of each package that is installed
    _applicable: dict[str, bool] = field(default_factory=dict)  # markers; most are those of many dependencies

    def run(self) -> None:
        """Follow the dependencies. Each package is visited once, and once more for each of its extras."""
        requirements = {
            package.identity: _by_extra(package, is_project=package.name in self.lock.projects)
            for package in self.lock.packages
        }
        # What a dependency can name, with and without version and origin, leads to the packages that have an extra.
        named: dict[_Identity, dict[str, list[_Identity]]] = {}
        for identity, extras in requirements.items():
            name, version, origin = identity
            for key in {(name, one, other) for one in ("", version) for other in ("", origin)}:
                for extra in extras:
                    named.setdefault(key, {}).setdefault(extra, []).append(identity)
        waiting = deque(self.lock.roots)
        while waiting:
            dependency = waiting.popleft()
            if not (self.choice.has(dependency) and self._applies(dependency.marker)):
                continue
            packages = named.get((dependency.name, dependency.version, dependency.origin), {})
            for extra in ("", *dependency.extras):
                for identity in packages.pop(extra, ()):  # the same dependency leads nowhere again
                    self.extras.setdefault(identity, set()).update([extra] if extra else [])
                    waiting += requirements[identity].pop(extra, ())

    def _applies(self, marker: str) -> bool:
        if not marker or self.environment is None:
            return True
        if marker not in self._applicable:
            decided = _EXTRA.sub(self._decide_extra, _MEMBER.sub(self._decide_member, marker))
            self._applicable[marker] = self.environment.applies(_parsed(decided))
        return self._applicable[marker]

    def _decide_extra(self, found: re.Match[str]) -> str:
        """Return a comparison that is true if an extra may be installed, or may not be: nobody needs all of them."""
        operator, name = found[1] or found[6], found[3] if found[1] else found[5]
        return _TRUE if operator == "!=" or self._has_encoded(name) else _FALSE

    def _decide_member(self, found: re.Match[str]) -> str:
        has = self.choice.has_extra if found[4] == "extras" else self.choice.has_group
        return _TRUE if found[3] or has(found[2]) else _FALSE

    def _has_encoded(self, name: str) -> bool:
        """Tell whether an extra is chosen. uv writes those that conflict as `extra-<length>-<project>-<extra>`."""
        for project in self.lock.projects:
            for kind, has in (("extra", self.choice.has_extra), ("group", self.choice.has_group)):
                start = f"{kind}-{len(project)}-{project}-"
                if name.startswith(start):
                    return has(name.removeprefix(start))
            if name == f"project-{len(project)}-{project}":
                return True
        return self.choice.has_extra(name)


def _by_extra(package: LockedPackage, *, is_project: bool) -> dict[str, list[Dependency]]:
    """Return what a package requires always ("") and for each of its extras.

    The extras and groups of the locked project itself are those that the user chooses.
    """
    if is_project:
        return {"": list(package.dependencies)}
    found: dict[str, list[Dependency]] = {"": []}
    for one in package.dependencies:
        if not one.group:
            found.setdefault(one.extra, []).append(one._replace(extra="") if one.extra else one)
    return found


@lru_cache(maxsize=4096)
def _parsed(marker: str) -> Marker:
    try:
        return Marker(marker)
    except (InvalidMarker, RecursionError) as error:
        raise BadLock(f"the marker {marker[:100]!r} cannot be parsed") from error


# --- files ------------------------------------------------------------------------------------------------------------


def choose_files(files: Sequence[Link], target: Target, *, sdists: bool) -> list[Link]:
    """Return the files that clients take there: the best wheel, an sdist where no wheel fits; none if nothing fits.

    Clients on newer systems of the same kind can prefer another wheel: each of these is taken, too.
    """
    wheels = [one for one in files if one.filename.endswith(".whl")]
    best = _best(wheels, target.environment)
    chosen = [best] if best else []
    if not best and sdists:
        chosen = [one for one in files if not one.filename.endswith(".whl")][:1]
    newest = target.newest
    if newest:
        limit = _rank(best, newest) if best else None
        fitting = [one for one in wheels if newest.accepts(one.filename, one.requires_python)]
        chosen += [one for one in fitting if one != best and (limit is None or _rank(one, newest) < limit)]
    return chosen


def _best(wheels: Iterable[Link], environment: Environment) -> Link | None:
    fitting = [one for one in wheels if environment.accepts(one.filename, one.requires_python)]
    return min(fitting, key=lambda one: (*_rank(one, environment), one.filename), default=None)


def _rank(wheel: Link, environment: Environment) -> tuple[int, int, str]:
    """Return what clients compare: the rank of the best tag, then the build tag, of which the highest wins."""
    build = parse_wheel_filename(wheel.filename)[2]
    return environment.rank(wheel.filename), -build[0] if build else 0, build[1] if build else ""
