"""What holds for a whole build: the policy, the time, and the layout of the tree."""

import time
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from mkindex.build.growing import Growth
from mkindex.build.policy import policy_of, refuse_options
from mkindex.build.variants import keep_variants
from mkindex.build.workspace import Workspace
from mkindex.config import Config
from mkindex.config.table import OPTIONS
from mkindex.errors import Note
from mkindex.examine.upload_times import source_date_epoch
from mkindex.hosts.buckets import is_bucket
from mkindex.hosts.table import HOSTS, Host
from mkindex.options import InvalidOption
from mkindex.site.layout import Site
from mkindex.site.templates import Templates
from mkindex.tree.manifest import TERMS, digest

if TYPE_CHECKING:
    from mkindex.policy.rules import Policy


class Terms(NamedTuple):
    """What holds for a whole build, however often it is tried."""

    policy: "Policy | None"
    now: int  # seconds since the epoch, for limits of time
    site: Site
    notes: tuple[Note, ...]  # about options that changed
    recorded: tuple[bytes, ...] = ()  # the line of the manifest that tells whether the next build has the same terms


def terms_of(work: Workspace, growth: Growth | None, notes: Iterable[Note]) -> Terms:
    """Return the policy, the time and the layout of a build. Raises ConfigError."""
    config = work.config
    policy = policy_of(config) if not growth else keep_variants(work, growth.policy or policy_of(config))
    if policy:
        refuse_options(config, policy)
    if growth and growth.first and config.previous is None:
        raise InvalidOption("first", "requires {previous}")
    if growth and growth.consume:
        from mkindex.build.consuming import refuse_consuming  # here, since few builds need it

        refuse_consuming(config)
    epoch = source_date_epoch()
    now = int(time.time()) if epoch is None else epoch
    site = _site(config, policy)
    recorded = (_recorded(config, site, policy),) if is_bucket(config.destination) else ()
    return Terms(policy=policy, now=now, site=site, notes=tuple(notes), recorded=recorded)


def _recorded(config: Config, site: Site, policy: "Policy | None") -> bytes:
    from mkindex.policy.rules import NO_POLICY  # here, since most builds have no policy

    options = (f"{one.name} {getattr(config, one.name)!r}" for one in OPTIONS if one.shapes)
    return TERMS + f"{digest(site.key, policy or NO_POLICY, *options)}\n".encode()


def _site(config: Config, policy: "Policy | None") -> Site:
    return Site(
        simple_path=config.simple_path,
        files_url=config.files_url,
        files_have_metadata=config.files_have_metadata,
        links=config.links,
        url=config.url,
        json_root=config.json_root,
        legacy_json=config.legacy_json,
        reserves_names=bool(config.reserve),
        host=HOSTS[config.host] if config.host else Host(),
        variants=policy.variants if policy else None,
        templates=Templates(Path(config.templates) if config.templates else None),
    )
