"""What to take from lock files: for which environments, and with which extras and groups of the locked project."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, NamedTuple

from packaging.utils import canonicalize_name

from mkindex.sources.locks.lock import Dependency

if TYPE_CHECKING:
    from mkindex.environments import Environment

NONE = "none"  # as the value of --extra and --group


class Target(NamedTuple):
    """An environment that files are chosen for."""

    implementation: str  # such as CPython
    python: str
    platform: str
    environment: "Environment"
    # The newest system of this kind: its clients prefer wheels that older ones cannot use. None: the same.
    newest: "Environment | None" = None

    @property
    def name(self) -> str:
        """The environment for messages: "3.12 linux"."""
        prefix = "" if self.implementation == "CPython" else f"{self.implementation} "
        return f"{prefix}{self.python} {self.platform}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Choice:
    """What to take from locks. Without anything: all files."""

    targets: tuple[Target, ...] = ()
    extras: frozenset[str] | None = None  # normalized; None: all
    groups: frozenset[str] | None = None
    sdists: bool = True
    installers: tuple[str, ...] = ()  # normalized projects that are taken along
    for_builds: bool = False  # the locks are of what sdists need to be built

    def has(self, dependency: Dependency) -> bool:
        """Tell whether the extra or the group under which a dependency is required is installed."""
        if dependency.extra and dependency.group:  # the lock does not say which of them it is
            names = (self.extras or frozenset()) | (self.groups or frozenset())
            return (self.extras is None and self.groups is None) or canonicalize_name(dependency.extra) in names
        if dependency.extra:
            return self.has_extra(dependency.extra)
        return not dependency.group or self.has_group(dependency.group)

    def has_extra(self, name: str) -> bool:
        """Tell whether an extra of the locked project is installed."""
        return self.extras is None or canonicalize_name(name) in self.extras

    def has_group(self, name: str) -> bool:
        """Tell whether a group of the locked project is installed."""
        return self.groups is None or canonicalize_name(name) in self.groups


EVERY_FILE = Choice()


def targets_for(implementations: Iterable[str], pythons: Iterable[str], platforms: Iterable[str]) -> tuple[Target, ...]:
    """Return each Python on each platform, none without Pythons. Raises ConfigError."""
    from mkindex.environments import IMPLEMENTATIONS, environment_for, newest_environment

    return tuple(
        Target(
            IMPLEMENTATIONS[implementation],
            python,
            platform,
            environment_for(python, platform, implementation),
            newest_environment(python, platform, implementation),
        )
        for implementation, python, platform in product(
            dict.fromkeys(implementations), dict.fromkeys(pythons), dict.fromkeys(platforms)
        )
    )


def chosen_names(names: Iterable[str]) -> frozenset[str] | None:
    """Return the names that --extra or --group chooses, normalized; None if it is not given."""
    given = frozenset(map(canonicalize_name, names))
    return given - {NONE} if given else None
