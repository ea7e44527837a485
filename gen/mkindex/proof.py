"""Prove that every requirement of the lock files of a build can be installed from its index, for the chosen targets."""

import os
from dataclasses import dataclass

from mkindex.build.report import Report
from mkindex.check.engine import CheckOptions, check
from mkindex.check.findings import ERROR
from mkindex.hosts.buckets import is_bucket
from mkindex.sources.locks.choice import targets_for
from mkindex.text import and_more, printable
from mkindex.tree.names import LOCKS_DIRECTORY


@dataclass(frozen=True, kw_only=True, slots=True)
class Proof:
    """What was looked up after a build, and what is missing."""

    locks: tuple[str, ...]  # names
    targets: tuple[str, ...]  # such as "3.12 linux"
    missing: tuple[str, ...] = ()  # a text for each requirement that cannot be installed
    unread: tuple[str, ...] = ()  # files on servers whose requirements, or those of their builds, are unknown

    def __str__(self) -> str:
        """Return the result in one line."""
        what, where = " and ".join(self.locks), ", ".join(self.targets)
        if self.missing:
            return f"Not every requirement of {what} can be installed from this index on: {where} (see above)"
        if self.unread:
            return (
                f"Every known requirement of {what} can be installed from this index on: {where}. The requirements of "
                f"{and_more(self.unread, 3)} are unknown: --remote mirror reads them"
            )
        return f"Every requirement of {what} can be installed from this index on: {where}"


def prove(report: Report) -> Proof | None:
    """Look up in the published tree what the locks of a build need; None if no environment was chosen, or in a dry run.

    Raises MkindexError if the tree cannot be read.
    """
    config, locks = report.config, report.locks
    if is_bucket(config.destination):
        return None  # readers may see its objects at an address that is not known here
    if not (locks and config.python and report.index.projects) or report.dry_run:
        return None
    targets = targets_for(config.implementation or ("cpython",), config.python, config.platform)
    checked = check(
        CheckOptions(
            target=config.destination,
            files="head",
            select=("unsatisfied",),
            closure=True,
            requirements=tuple(os.path.join(config.destination, LOCKS_DIRECTORY, lock.name) for lock in locks),
            python=config.python,
            platform=config.platform,
            implementation=config.implementation,
            extra=config.extra,
            group=config.group,
            jobs=config.jobs,
            timeout=config.timeout,
            trust_host=config.trust_host,
            cache_dir=config.cache_dir,
        )
    )
    return Proof(
        locks=tuple(lock.name for lock in locks),
        targets=tuple(target.name for target in targets),
        missing=tuple(
            f"{printable(one.file or one.page)} {one.text}. {one.rule.fix}"
            for one in checked.findings
            if one.rule.severity == ERROR
        ),
        unread=checked.unread,
    )
