"""Read the policy of a build, and refuse one that others could replace."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from mkindex.config import Config
from mkindex.config.table import BY_NAME
from mkindex.errors import ConfigError
from mkindex.model.index import Index
from mkindex.policy.result import PolicyResult
from mkindex.sources.open import local_path
from mkindex.text import printable
from mkindex.tree.names import LEGACY_DIRECTORY

if TYPE_CHECKING:
    from mkindex.policy.rules import Policy

# What decides is imported where it is used, since it takes some milliseconds, and most builds have no policy.


def policy_of(config: Config) -> "Policy | None":
    """Return the policy of a build. Raises ConfigError for a file that is not one, or that is in a source."""
    if config.policy is None:
        return None
    from mkindex.policy.reader import read_policy

    _refuse_among_wheels(config.policy, config)
    return read_policy(Path(config.policy))


def refuse_options(config: Config, policy: "Policy") -> None:
    """Raise ConfigError for options that a policy, or the variants that an index keeps, cannot be used with."""
    where = f"{printable(config.policy)}: " if config.policy else ""
    if policy.limits and config.upload_time == "none":
        raise ConfigError(f"{where}cutoff and younger-than require upload times: remove --upload-time none")
    option = next((name for name in ("legacy_json", "pyodide_json") if getattr(config, name)), None)
    if policy.variants and option and policy.variants.path.split("/")[0] == LEGACY_DIRECTORY:
        flag = BY_NAME[option].flag
        raise ConfigError(f"{where}[variants] path must not begin with {LEGACY_DIRECTORY}: {flag} writes there")


def govern(index: Index, policy: "Policy | None", now: int, *, explain: bool, has_all: bool) -> PolicyResult:
    """Return what the policy of a build lists of an index at `now`, in seconds since the epoch; see `apply_policy`."""
    if policy is None:
        return PolicyResult(index)
    from mkindex.policy.apply import apply_policy

    return apply_policy(index, policy, now, explain=explain, has_all=has_all)


def _refuse_among_wheels(policy: str, config: Config) -> None:
    """Raise ConfigError if whoever can add a wheel to a source could also replace the policy."""
    place = Path(os.path.realpath(policy)).parent
    for path in filter(None, map(local_path, config.sources)):
        source = Path(os.path.realpath(path))
        if os.path.isdir(path) and (place == source or (config.recursive and place.is_relative_to(source))):
            raise ConfigError(
                f"the policy {printable(policy)} is in the source {printable(path)}: anybody who can add a wheel there "
                "could change it. Move it to another directory"
            )
