"""The variants that an index was made with, as its manifest records them: what grows it keeps them."""

import json
import re
from contextlib import suppress
from dataclasses import asdict, replace
from typing import TYPE_CHECKING

from mkindex.build.workspace import Workspace
from mkindex.config import Config
from mkindex.errors import ConfigError, NotPublished
from mkindex.publish.plan import Destination
from mkindex.text import and_more, printable
from mkindex.tree.manifest import ROOT_SECTION, VARIANTS
from mkindex.tree.names import INDEX_JSON

if TYPE_CHECKING:
    from mkindex.model.variants import Variants
    from mkindex.policy.rules import Policy


def recorded_line(variants: "Variants") -> bytes:
    """Return the line that records variants in a manifest."""
    return VARIANTS + f"{json.dumps(asdict(variants))}\n".encode()


def keep_variants(work: Workspace, given: "Policy | None") -> "Policy":
    """Return a policy with the variants that the index was made with, unless it has its own.

    Raises ConfigError for an index that is divided by directories: the published files are in none.
    """
    from mkindex.policy.rules import NO_POLICY

    policy = given or NO_POLICY
    if policy.variants is None:
        policy = replace(policy, variants=_recorded_variants(work.config, work.destination))
    if policy.variants and policy.variants.by == "directory":
        raise ConfigError(
            f"the variants of the index in {printable(work.config.destination)} are directories of its sources. Build "
            "it from these again"
        )
    return policy


def refuse_losing_variants(config: Config, variants: "Variants | None", destination: Destination) -> None:
    """Raise NotPublished for a build without variants if DEST has an index for each, without --prune.

    Its policy was probably not found: mkindex.toml is read from the current directory.
    """
    if variants or config.prune or not any(line.startswith(VARIANTS) for line in destination.root_lines()):
        return
    names = _published_names(config, destination)
    raise NotPublished(
        f"nothing published: {printable(config.destination)} has an index for each variant"
        f"{f' ({and_more(names, 5)})' if names else ''}, and this build has no [variants]. Give --policy or --config "
        "(mkindex.toml is read from the current directory). To remove the indexes of variants, use --prune",
        (),
    )


def _published_names(config: Config, destination: Destination) -> list[str]:
    """Return the names of the variants that have an index in DEST; none if the record cannot be read."""
    from mkindex.model.variants import PLACEHOLDER, VARIANT_NAME

    recorded = None
    with suppress(ConfigError):
        recorded = _recorded_variants(config, destination)
    if recorded is None:
        return []
    before, _, after = f"{recorded.path}/{INDEX_JSON}".partition(PLACEHOLDER)
    page = re.compile(f"{re.escape(before)}({VARIANT_NAME.pattern}){re.escape(after)}")
    root = next(section for section in destination.sections() if section.name == ROOT_SECTION)
    return [match[1] for entry, _ in root.entries() if (match := page.fullmatch(entry.path))]


def _recorded_variants(config: Config, destination: Destination) -> "Variants | None":
    """Return the recorded variants, None if there are none. Raises ConfigError."""
    line = next((line for line in destination.root_lines() if line.startswith(VARIANTS)), None)
    if line is None:
        return None
    from mkindex.policy.reader import parse_variants

    try:
        content = json.loads(line[len(VARIANTS) :])
    except (ValueError, RecursionError):
        content = None
    return parse_variants(content, f"manifest of {printable(config.destination)}")
