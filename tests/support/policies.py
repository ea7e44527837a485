"""Policies from text, and what they decide about files that are only names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mkindex.policy.decide import Decider, Outcome
from mkindex.policy.reader import read_policy
from support.index_values import FakeFiles, make_index

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from mkindex.model.files import File
    from mkindex.model.index import Index
    from mkindex.policy.rules import Policy

NOW = 1_767_323_045  # 2026-01-02T03:04:05Z
SHELF = FakeFiles()


def policy_from(directory: Path, text: str) -> Policy:
    """Read a policy from a file `policy.toml` in a directory."""
    path = directory / "policy.toml"
    path.write_text(text)
    return read_policy(path)


def files(*names: str, upload_time: str = "", yanked: Mapping[str, str] | None = None) -> list[File]:
    """Make files of one upload time; `yanked`: those that their source yanks, and why."""
    reasons = yanked or {}
    return [SHELF.file(name, upload_time=upload_time, yanked=reasons.get(name)) for name in names]


def index_of(*names: str) -> Index:
    return make_index(*files(*names))


def decided(policy: Policy, some: Iterable[File], now: int = NOW) -> Outcome:
    """What a policy decides about the files of one project."""
    (project,) = make_index(*some).projects
    return Decider(policy, now)(project)


def listed(policy: Policy, some: Iterable[File], now: int = NOW) -> list[str]:
    """The filenames that are still listed; a yanked one has its reason behind it."""
    project = decided(policy, some, now).project
    return [file.filename + ("" if file.yanked is None else f" yanked: {file.yanked}") for file in project.files]
