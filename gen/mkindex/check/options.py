"""The options of `mkindex check`."""

import os
from dataclasses import dataclass
from pathlib import Path

from mkindex.check.judge import rules_by_name
from mkindex.check.observations import Level
from mkindex.config.checks import HOST_WANTED
from mkindex.environments import IMPLEMENTATIONS, Environment, environments_for
from mkindex.errors import ConfigError
from mkindex.hosts.addresses import is_host, split_url
from mkindex.sources.locks.choice import Choice, chosen_names
from mkindex.text import printable, redact
from mkindex.web.transport import DEFAULT_TIMEOUT

_REQUESTS = 50  # to servers
_MAX_THREADS = 8  # for a directory


@dataclass(frozen=True, kw_only=True, slots=True)
class CheckOptions:
    """The options of one check. They are those of the command line, whose help says more about each.

    Raises ConfigError for values that make no sense.
    """

    target: str | os.PathLike[str]  # a directory or an address
    files: Level | None = None  # None: hash in a directory, head on a server
    sample: int | None = None
    project: tuple[str, ...] = ()
    select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    closure: bool = False
    requirements: tuple[str, ...] = ()  # files; only for closure
    why: str | None = None
    require_hashes: bool = False
    python: tuple[str, ...] = ()
    platform: tuple[str, ...] = ()
    implementation: tuple[str, ...] = ()
    extra: tuple[str, ...] = ()  # of lock files among the requirements
    group: tuple[str, ...] = ()
    elsewhere: str | None = None  # another index, which is asked for each project
    jobs: int | None = None
    trust_host: tuple[str, ...] = ()
    timeout: float = DEFAULT_TIMEOUT  # seconds without progress
    cache_dir: str | os.PathLike[str] | None = None

    def __post_init__(self) -> None:
        if not self.location:
            raise ConfigError("give a directory or an address: mkindex check ./public")
        for option, names in (("select", self.select), ("ignore", self.ignore)):
            for name in names:
                if name not in rules_by_name():
                    raise ConfigError(
                        f"--{option} {printable(name)}: unknown rule (mkindex check --explain all lists them)"
                    )
        for host in self.trust_host:
            if not is_host(host):
                raise ConfigError(f"--trust-host {HOST_WANTED.format(value=printable(host))}")
        if self.elsewhere is not None:
            url = split_url(self.elsewhere)
            if not url or url.scheme not in ("http", "https") or not url.hostname:
                raise ConfigError(
                    f"--elsewhere must be the http or https URL of an index, not {redact(self.elsewhere)}"
                )
        if self.require_hashes and self.why is None:
            raise ConfigError("--require-hashes requires --why")
        if (self.python or self.platform) and not (self.closure or self.why):
            raise ConfigError("--python and --platform require --closure or --why")
        if self.requirements and not self.closure:
            raise ConfigError("--requirements requires --closure")
        if (self.extra or self.group) and not self.requirements:
            raise ConfigError("--extra and --group require --requirements with a lock file")
        if self.implementation and not (self.python and self.platform):
            raise ConfigError("--implementation requires --python and --platform")
        for implementation in self.implementation:
            if implementation not in IMPLEMENTATIONS:
                raise ConfigError(f"--implementation {printable(implementation)}: give {' or '.join(IMPLEMENTATIONS)}")
        if self.why and (len(self.python) > 1 or len(self.platform) > 1):
            raise ConfigError("--why takes one --python and one --platform")

    @property
    def location(self) -> str:
        """The directory or address, as text."""
        return os.fspath(self.target)

    @property
    def cache_path(self) -> Path | None:
        """The directory to remember verified files in; None: do not remember them."""
        return Path(self.cache_dir) if self.cache_dir else None

    @property
    def connections(self) -> int:
        """How many requests to make, or files to read, at once."""
        is_server = self.location.startswith(("http:", "https:"))
        return self.jobs or (_REQUESTS if is_server else min(_MAX_THREADS, os.cpu_count() or 1))

    @property
    def environments(self) -> tuple[Environment, ...]:
        """The Pythons and platforms that files are chosen for; none if none are chosen. Raises ConfigError."""
        if not (self.closure or self.why):
            return ()
        return environments_for(self.python, self.platform, self.implementation)

    @property
    def choice(self) -> Choice:
        """What counts of lock files."""
        return Choice(extras=chosen_names(self.extra), groups=chosen_names(self.group))

    @property
    def names_projects(self) -> bool:
        """Whether all projects are named, without patterns, so that no root page is needed to find them."""
        return bool(self.project) and not any(map(is_pattern, self.project))


def is_pattern(glob: str) -> bool:
    """Tell whether a value of `--project` is a pattern and not a name."""
    return any(character in glob for character in "*?[")
