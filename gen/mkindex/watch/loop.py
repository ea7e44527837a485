"""Build again whenever a source may have changed, until an exception ends it."""

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import NoReturn

from mkindex.build.growing import Growth
from mkindex.build.pipeline import build
from mkindex.build.report import Report
from mkindex.config import Config
from mkindex.errors import ConfigError, MkindexError, Note, NotPublished, PruneRequired, Rejected, SourceError
from mkindex.publish.ownership import TrustedManifest
from mkindex.publish.plan import FileChanged
from mkindex.sources.open import local_path
from mkindex.sources.selection import Selection
from mkindex.watch.remembered import Answers
from mkindex.watch.triggers import Triggers
from mkindex.watch.young_files import HoldBack, LastBuild, YoungFiles

_LONGEST_BURST = 10  # times `settle`: after that the files that are whole are published, even if more changes come
_RETRY = 30.0  # seconds after which a build that failed is tried again, if nothing changes before
_ATTEMPTS = 10  # of a build whose files change while they are copied: each attempt holds back more of them
_FIXED_KEYS = ("destination", "serve", "bind")  # of the configuration, while the process runs
_KEYS_FOR_LINKS = ("include", "exclude", "all", "recursive", "remote", "allow_unhashed", "max_download", "files_url")


@dataclass(frozen=True, kw_only=True, slots=True)
class BuildEvent:
    """A build, and how its index differs from the one before: filenames, in order."""

    report: Report
    added: tuple[str, ...]
    replaced: tuple[str, ...]
    removed: tuple[str, ...]
    held: tuple[str, ...]  # paths of files that are held back
    news: tuple[Rejected | Note, ...]  # findings that the build before did not have
    recovered: bool  # the build before failed

    @property
    def is_news(self) -> bool:
        """Whether anything has changed since the build before."""
        changes = self.added or self.replaced or self.removed or self.held or self.news or self.report.consumed
        return bool(changes or self.recovered or self.report.written or self.report.plan.deletes)


Event = BuildEvent | MkindexError | str


class _Outdated(Exception):
    """A source changed while a build waited to publish, so the build is out of date."""


class Watch:
    """The builds of one configuration, one after another. With `growth`, each of them adds to the destination.

    `on_event` is called after each build, for each error, and for a few remarks. `read_config` is called after
    `reload()`, and returns the configuration and the growth as they are then.
    """

    def __init__(
        self,
        config: Config,
        growth: Growth | None = None,
        *,
        on_event: Callable[[Event], object],
        read_config: Callable[[], tuple[Config, Growth | None]],
    ) -> None:
        self._config = config
        self._growth = growth
        self._on_event = on_event
        self._read_config = read_config
        self._reload = False
        # State that is kept from one build to the next.
        self._young = YoungFiles(config.settle)
        self._last = LastBuild()
        self._answers = Answers()
        self._trusted = TrustedManifest()
        self._triggers = self._make_triggers()
        self._sha256s: dict[str, str] | None = None  # of the files that are listed, by filename; None: no build yet
        self._findings: frozenset[Rejected | Note] = frozenset()
        self._error = ""  # of the last build, if it failed
        # Times of the monotonic clock.
        self._began = 0.0  # when the last build began to list sources
        self._thorough_at = 0.0  # from when a build ignores the state in memory
        self._renew_at = 0.0  # from when a build requests remote sources again
        self._due = 0.0  # when the next build begins if nothing triggers one before

    def reload(self) -> None:
        """Read the configuration again, soon; a signal handler may call this."""
        self._reload = True
        self._triggers.wake()

    def run(self) -> NoReturn:
        """Build, and go on until an exception, such as KeyboardInterrupt, ends it.

        Raises MkindexError if the first build fails, unless the files that it found are the reason.
        """
        try:
            self._build()  # before other threads start, so that several processes can share the work
        except (NotPublished, FileChanged) as error:
            self._fail(error)
        while True:
            with self._triggers:
                while not self._reload:
                    try:
                        self._build()
                    except MkindexError as error:
                        self._fail(error)
                    self._wait_for_reason()
            self._configure()
            self._triggers = self._make_triggers()

    def _make_triggers(self) -> Triggers:
        return Triggers(self._config, self._young, self._last, self._on_event)

    # --- one build --------------------------------------------------------------------------------------------------

    def _build(self) -> None:
        """Build until a build is up to date when it is published. Raises MkindexError."""
        self._triggers.watch_directories()
        deadline = time.monotonic() + _LONGEST_BURST * self._config.settle
        thorough = time.monotonic() >= self._thorough_at
        self._answers.renew = time.monotonic() >= self._renew_at
        hasty = True
        while True:
            self._began = time.monotonic()
            self._young.begin(hasty=hasty)
            self._last.begin(thorough=thorough)
            if thorough:
                self._trusted.forget()
            try:
                report = self._build_once(deadline)
            except SourceError:
                if self._answers.renew:  # until the next time, the earlier answers are used
                    self._renew_at = time.monotonic() + min(_RETRY, self._config.interval)
                raise
            except _Outdated:
                hasty = False
            except FileChanged:
                if time.monotonic() > deadline:
                    raise
                hasty = False
            else:
                break
        if thorough:
            self._thorough_at = self._began + self._config.rescan
        if self._answers.renew:
            self._renew_at = self._began + self._config.interval
        self._finish(report)

    def _build_once(self, deadline: float) -> Report:
        """Build once. Raises MkindexError, and _Outdated if a source has changed by the time of publishing."""
        waits: list[float] = []
        report = build(
            self._config,
            sources=self._answers.open_sources,
            examine=HoldBack(self._answers.examine, self._young, self._last),
            before_commit=lambda: waits.append(self._wait_for_quiet(deadline)),
            attempts=_ATTEMPTS,
            trusted=self._trusted,
            growth=self._growth,
            announce=lambda note: self._on_event(f"{note.location}: {note.text}"),
        )
        return replace(report, seconds=report.seconds - sum(waits))

    def _wait_for_quiet(self, deadline: float) -> float:
        """Wait until the sources are quiet, and return for how many seconds. All other work is done before."""
        began = time.monotonic()
        while True:
            now = time.monotonic()
            quiet_at = max(self._triggers.last + self._config.settle, now + self._young.seconds_to_wait())
            if min(quiet_at, deadline) <= now:
                break
            self._triggers.wait(min(quiet_at, deadline) - now)
        self._triggers.wait(0)
        if (self._triggers.last > self._began and now < deadline) or self._young.has_changed():
            raise _Outdated
        return time.monotonic() - began

    def _finish(self, report: Report) -> None:
        """Remember what a build has published, and report it."""
        self._young.end()
        self._last.end(() if self._growth else report.files)  # an index that grows keeps what it lists
        now = {file.filename: file.sha256 for file in report.files}
        before, self._sha256s = self._listed_before(now, report), now
        kept = before.keys() & now.keys()
        news = tuple(finding for finding in report.findings if finding not in self._findings)
        self._findings = frozenset(report.findings)
        error, self._error = self._error, ""
        self._due = self._next_deletion(report)
        self._on_event(
            BuildEvent(
                report=report,
                added=tuple(sorted(now.keys() - before.keys())),
                replaced=tuple(sorted(name for name in kept if now[name] != before[name])),
                # The first build knows what an index that was there before listed.
                removed=tuple(sorted({*report.removed_files, *before} - now.keys())),
                held=self._young.held,
                news=news,
                recovered=bool(error),
            )
        )

    def _listed_before(self, now: Mapping[str, str], report: Report) -> Mapping[str, str]:
        """Return the files that were listed before a build, as far as that is known, by filename."""
        if self._sha256s is not None:
            return self._sha256s
        added = set(now if report.added is None else report.added)
        return {name: sha256 for name, sha256 in now.items() if name not in added}

    def _fail(self, error: MkindexError) -> None:
        """Report why a build failed, once."""
        # While files vanish one by one, the numbers in this text change with each build.
        text = "--prune is required" if isinstance(error, PruneRequired) else str(error)
        if text != self._error:
            self._on_event(error)
        self._error = text
        self._thorough_at = 0.0
        self._due = time.monotonic() + min(_RETRY, self._config.rescan)

    # --- between builds ---------------------------------------------------------------------------------------------

    def _next_deletion(self, report: Report) -> float:
        """Return when the next build begins if nothing triggers one before."""
        now = time.monotonic()
        due = [self._thorough_at]
        if self._answers:
            due.append(self._renew_at)
        if report.plan.next_deletion is not None:
            due.append(now + max(report.plan.next_deletion - time.time(), 0))
        return min(due)

    def _wait_for_reason(self) -> None:
        """Wait until there is a reason to build."""
        interval = self._config.poll_interval
        next_poll = time.monotonic() + interval
        while self._triggers.last <= self._began:
            now = time.monotonic()
            held = bool(self._young.held)
            if self._reload or now >= self._due or (held and self._young.is_due()):
                return
            if now >= next_poll:
                self._triggers.poll()
                next_poll = now + interval
            next_look = now + max(self._config.settle, 0.1) if held else next_poll
            self._triggers.wait(min(next_look, next_poll, self._due) - now)

    def _configure(self) -> None:
        """Read the configuration again. If it cannot be used, go on with the one before."""
        self._reload, self._thorough_at, self._renew_at = False, 0.0, 0.0
        before = self._config
        try:
            config, growth = self._read_config()
            for key in _FIXED_KEYS:
                if getattr(config, key) != getattr(before, key):
                    raise ConfigError(f"{key} has changed: restart mkindex to use the new value")
        except MkindexError as error:
            self._on_event(error)
            return
        self._config, self._growth = config, growth
        self._young = YoungFiles(config.settle)
        self._last = self._last.restricted(
            {os.path.abspath(path) for path in map(local_path, config.inputs) if path},
            Selection(include=config.include, exclude=config.exclude),
        )
        if any(getattr(config, key) != getattr(before, key) for key in _KEYS_FOR_LINKS):
            self._answers = Answers()
        self._trusted = TrustedManifest()
        self._on_event("configuration reloaded")
