"""Decisions about files of a published index: yank, unyank, status. A policy file that governs it is edited, too."""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from mkindex.build.growing import Growth
from mkindex.build.requesting import find_requested, require_project
from mkindex.config import Config
from mkindex.errors import ConfigError, MkindexError
from mkindex.model.files import File
from mkindex.model.index import ProjectStatus
from mkindex.policy.edit import drop_yank, set_status, set_yank
from mkindex.policy.reader import parse_policy, read_text
from mkindex.policy.rules import Policy
from mkindex.sources.requested import Request, parse_request
from mkindex.text import printable


class PolicyEdit(NamedTuple):
    """A new text of the policy file, which is written when everything else is prepared."""

    path: Path
    before: str
    text: str

    def write(self) -> None:
        """Replace the text `before` of the file; a symlink to it stays. Raises MkindexError."""
        path, target = printable(str(self.path)), os.path.realpath(self.path)
        if self._now() != self.before:
            # The file was read before this process became the only writer of the destination.
            raise MkindexError(f"another process changed {path} meanwhile. Nothing was published. Run again")
        temporary = f"{target}.mkindex"
        try:
            with open(temporary, "w", encoding="utf-8") as stream:
                stream.write(self.text)
                stream.flush()
                os.fsync(stream.fileno())
            if os.path.exists(target):
                os.chmod(temporary, os.stat(target).st_mode & 0o777)
            os.replace(temporary, target)
        except OSError as error:
            with suppress(OSError):
                os.unlink(temporary)
            raise MkindexError(f"cannot write {path}: {error.strerror}. Nothing was published") from error

    @property
    def is_written(self) -> bool:
        """Whether the file has the new text, and not the one before."""
        return self.text != self.before and self._now() == self.text

    def _now(self) -> str:
        return read_text(self.path) if self.path.exists() else ""


class PublishedChange(NamedTuple):
    """How the published index changes, and the policy that governs it, if one does."""

    growth: Growth
    edit: PolicyEdit | None = None

    def write(self) -> None:
        """Write the policy file when everything is prepared. Raises MkindexError."""
        if self.edit:
            self.edit.write()


def decide_yank(config: Config, requests: Sequence[str], reason: str | None, given: frozenset[str]) -> PublishedChange:
    """Return the decision to yank the requested files for a reason, which may be ""; None: to unyank them.

    Raises NotPublished if a request matches nothing, and ConfigError.
    """
    parsed = [parse_request(text) for text in requests]
    files = find_requested(config, parsed, "unyanked" if reason is None else "yanked")
    chosen = {(file.filename, file.sha256) for file in files}
    projects = frozenset(file.project for file in files)

    def edit(file: File) -> File:
        return file.with_yanked(reason) if (file.filename, file.sha256) in chosen else file

    if config.policy is None:
        return PublishedChange(Growth(given=given, edit=edit, projects=projects))
    path, name = Path(config.policy), printable(config.policy)
    text = before = _read_valid(path, name)
    for request in parsed:
        for selector in _selectors(request, files):
            if reason is not None:
                text = set_yank(text, selector, {"reason": reason} if reason else {}, name)
                continue
            with_rule, text = text, drop_yank(text, selector, name)
            # Another rule, or the source, may yank the files as well.
            if text == with_rule or _is_yanked(parse_policy(text, name), request, files):
                text = set_yank(text, selector, {"yanked": False}, name)
    growth = Growth(given=given, edit=edit, policy=parse_policy(text, name), projects=projects)
    return PublishedChange(growth, PolicyEdit(path, before, text))


def decide_status(config: Config, project: str, status: ProjectStatus | None, given: frozenset[str]) -> PublishedChange:
    """Return the decision to give a project a status; None is "active".

    Raises NotPublished for an unknown project, and ConfigError.
    """
    request = parse_request(project)
    if request.filenames or request.versions:
        raise ConfigError(f"{printable(project)!r} is not the name of a project, and a status is that of all its files")
    require_project(config, request.project)
    project, statuses = request.project, {request.project: status}
    if config.policy is None:
        return PublishedChange(Growth(given=given, statuses=statuses))
    path, name = Path(config.policy), printable(config.policy)
    before = _read_valid(path, name)
    word, reason = (status.status, status.reason or "") if status else ("active", "")
    text = set_status(before, project, word, reason, name)
    growth = Growth(given=given, statuses=statuses, policy=parse_policy(text, name))
    return PublishedChange(growth, PolicyEdit(path, before, text))


def _read_valid(path: Path, name: str) -> str:
    """Return the text of a policy file that may not exist yet. Raises ConfigError if it is not valid."""
    text = read_text(path) if path.exists() else ""
    parse_policy(text, name)
    return text


def _selectors(request: Request, files: Sequence[File]) -> Iterator[Mapping[str, str]]:
    """Yield the keys of a rule for what a request means: one for each project that it matches."""
    for project in sorted({file.project for file in files if request.matches(file)}):
        if request.filenames:
            yield {"project": project, "files": request.text}
        elif request.versions:
            yield {"project": project, "versions": str(request.versions)}
        else:
            yield {"project": project}


def _is_yanked(policy: Policy, request: Request, files: Sequence[File]) -> bool:
    """Tell whether a policy yanks a requested file."""
    for file in filter(request.matches, files):
        rules = [rule for rule in policy.of(file.project).yanks if rule.matches(file)]
        if rules and rules[-1].yanked:
            return True
    return False
