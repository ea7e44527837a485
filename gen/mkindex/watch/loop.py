"""Build again whenever a source may have changed, for as long as nobody says stop."""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import NoReturn

from mkindex.build import Report, build
from mkindex.config import Config
from mkindex.errors import ConfigError, MkindexError, Note, NotPublished, Rejected, SourceError
from mkindex.publish.plan import FileChanged
from mkindex.sources.open import local_path
from mkindex.sources.selection import Selection
from mkindex.watch.triggers import Triggers
from mkindex.watch.young_files import Settling

_LONGEST = 10  # times `settle`: how long a burst may last before what is whole is published
_OF_LINKS = ("include", "exclude", "all", "recursive", "remote", "allow_unhashed", "max_download", "files_url")
_RETRY = 30.0  # seconds after which a build that failed is tried again, if nothing changes before


@dataclass(frozen=True, kw_only=True, slots=True)
class BuildEvent:
    """A build, and what it made of the one before: filenames, in order."""

    report: Report
    added: tuple[str, ...]
    replaced: tuple[str, ...]
    removed: tuple[str, ...]
    held: tuple[str, ...]  # paths
    news: tuple[Rejected | Note, ...]  # findings that the build before did not have
    recovered: bool  # the build before could not be done

    @property
    def is_news(self) -> bool:
        """Whether there is anything to tell."""
        changes = self.added or self.replaced or self.removed or self.held or self.news
        return bool(changes or self.recovered or self.report.written or self.report.plan.deletes)


class _Outdated(Exception):
    """While a build waited to publish there was a hint that what it found is no more what is there."""


class Watch:
    """The builds of one configuration after another; `told` hears of each, and of what goes wrong.

    `reread` returns the configuration as it is now.
    """

    def __init__(
        self,
        config: Config,
        *,
        told: Callable[[BuildEvent | MkindexError | str], object],
        reread: Callable[[], Config],
    ) -> None:
        self._config = config
        self._told = told
        self._reread = reread
        self._settling = Settling(config.settle)
        self._hints: Triggers | None = None
        self._reload = False
        self._published: dict[str, str] | None = None  # sha256 by filename; None: nothing was built yet
        self._findings: frozenset[Rejected | Note] = frozenset()
        self._error = ""  # the last, until a build is done
        self._listed = 0.0  # when the last build began to look
        self._thorough = 0.0  # when the next build is to believe nothing that is only in memory
        self._ask = 0.0  # when the next build is to ask remote sources again
        self._due = 0.0  # when the next build is made without a hint

    def reload(self) -> None:
        """Read the configuration again, soon; a signal handler may call this."""
        self._reload = True
        if self._hints:
            self._hints.give()

    def run(self) -> NoReturn:
        """Build, and go on until an exception, such as KeyboardInterrupt, says stop.

        Raises MkindexError where already the first build cannot be done, unless that is for the files it found.
        """
        hints = Triggers(self._config, self._settling, self._told)
        try:
            self._build(hints)  # before there is any other thread: several processes can share the work
        except (NotPublished, FileChanged) as error:
            self._failed(error)
        while True:
            self._hints = hints
            with hints:
                while not self._reload:
                    try:
                        self._build(hints)
                    except MkindexError as error:
                        self._failed(error)
                    self._await(hints)
            self._reconfigure()
            hints = Triggers(self._config, self._settling, self._told)

    def _await(self, hints: Triggers) -> None:
        """Return when there is a reason to build."""
        pulse = self._config.poll_interval
        beat = time.monotonic() + pulse
        while hints.last <= self._listed:
            now = time.monotonic()
            if self._reload or now >= self._due or (self._settling.held and self._settling.ripe()):
                return
            if now >= beat:
                hints.beat()
                beat = now + pulse
            look = now + max(self._config.settle, 0.1) if self._settling.held else beat
            hints.wait(min(look, beat, self._due) - now)

    def _build(self, hints: Triggers) -> None:
        """Build; after a hint when it is quiet again, or has not been for long. Raises MkindexError."""
        hints.arm()
        deadline = time.monotonic() + _LONGEST * self._config.settle
        hasty = True
        thorough = time.monotonic() >= self._thorough
        asks = time.monotonic() >= self._ask
        while True:
            self._settling.begin(hasty=hasty, thorough=thorough, asks=asks)
            self._listed = time.monotonic()
            try:
                ready = partial(self._ready, hints, deadline)
                report = build(self._config, announce=self._announced, settling=self._settling, ready=ready)
                if thorough:
                    self._thorough = self._listed + self._config.rescan
                if asks:
                    self._ask = self._listed + self._config.interval
                self._done(report)
                return
            except SourceError:
                if asks:  # what was listed before is good enough until the next time
                    self._ask = time.monotonic() + min(_RETRY, self._config.interval)
                raise
            except _Outdated:
                hasty = False
            except FileChanged:
                if time.monotonic() > deadline:
                    raise
                hasty = False

    def _announced(self, note: Note) -> None:
        self._told(f"{note.location}: {note.text}")

    def _ready(self, hints: Triggers, deadline: float) -> None:
        """Return when what was found may be published. All that takes time is done while we wait."""
        while True:
            now = time.monotonic()
            until = min(max(hints.last + self._config.settle, now + self._settling.wait()), deadline)
            if until <= now:
                break
            hints.wait(until - now)
        hints.wait(0)
        if (hints.last > self._listed and now < deadline) or self._settling.moved():
            raise _Outdated

    def _done(self, report: Report) -> None:
        files = [file for project in report.index.projects for file in project.files]
        self._settling.done(files)
        before, self._published = self._published or {}, {file.filename: file.sha256 for file in files}
        news = tuple(finding for finding in report.findings if finding not in self._findings)
        self._findings = frozenset(report.findings)
        error, self._error = self._error, ""
        self._due = self._next(report)
        self._told(
            BuildEvent(
                report=report,
                added=tuple(sorted(self._published.keys() - before.keys())),
                replaced=tuple(
                    sorted(name for name in before if self._published.get(name, before[name]) != before[name])
                ),
                removed=tuple(sorted(before.keys() - self._published.keys())),
                held=self._settling.held,
                news=news,
                recovered=bool(error),
            )
        )

    def _next(self, report: Report) -> float:
        """Return when to build though there was no hint."""
        now = time.monotonic()
        due = [self._thorough]
        if self._settling.has_asked:
            due.append(self._ask)
        if report.plan.next_deletion is not None:
            due.append(now + max(report.plan.next_deletion - time.time(), 0))
        return min(due)

    def _failed(self, error: MkindexError) -> None:
        if str(error) != self._error:
            self._told(error)
        self._error = str(error)
        self._thorough = 0.0
        self._due = time.monotonic() + min(_RETRY, self._config.rescan)

    def _reconfigure(self) -> None:
        self._reload, self._thorough, self._ask = False, 0.0, 0.0
        before = self._config
        try:
            config = self._reread()
            for key in ("destination", "serve", "bind"):
                if getattr(config, key) != getattr(before, key):
                    raise ConfigError(f"{key} is another than before: restart mkindex for that")
        except MkindexError as error:
            self._told(error)
        else:
            self._config = config
            self._settling = self._settling.again(
                config.settle,
                {os.path.abspath(path) for path in map(local_path, config.sources) if path},
                Selection(include=config.include, exclude=config.exclude),
                same_links=all(getattr(config, key) == getattr(before, key) for key in _OF_LINKS),
            )
            self._told("configuration read again")
