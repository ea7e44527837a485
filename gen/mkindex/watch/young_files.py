"""Files that somebody may still be writing to: held back until they are whole, while what was listed before stays."""

import os
import time
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from typing import NamedTuple, Self

from mkindex.cache import RACY_NS
from mkindex.errors import Note, Rejected, SourceError
from mkindex.model.files import Artifact, File, Fingerprint, Link
from mkindex.publish.ownership import TrustedManifest
from mkindex.sources.open import Found
from mkindex.sources.selection import Selection
from mkindex.text import printable

# Seconds for which a file that cannot be read may be one that is not whole: somebody may pause while writing it.
YOUNG = 60


class _Seen(NamedTuple):
    """How a file was when it was looked at, and since when it has been so, on our own clock."""

    fingerprint: Fingerprint
    since: float

    def age(self) -> float:
        """Return for how many seconds nobody wrote to it. The clock of its file system may be another than ours."""
        return max(time.monotonic() - self.since, time.time() - self.fingerprint.mtime_ns / 1e9)


class Settling:
    """What is known from one build to the next: what was listed, and which files were written to of late.

    A file is taken when nobody has written to it for `settle` seconds. A build that is made in haste takes younger ones
    too, since it looks at them again, by `moved`, before it publishes anything.
    """

    def __init__(self, settle: float) -> None:
        self._settle = settle
        self.destination = TrustedManifest()
        self._listed: dict[str, File] = {}  # by path
        self._doubtful: set[str] = set()  # of these, what had changed so recently that a second change might not show
        self._began = 0  # when the build began, in nanoseconds since the epoch
        self._seen: dict[str, _Seen] = {}  # files that are young, by path
        self._before: dict[str, _Seen] = {}  # the same, of the build before
        self._taken: set[str] = set()  # of these, by the build in haste
        self._moving: set[str] = set()  # what could not be taken in haste
        self._limit = settle  # for the build that is made
        self._held: dict[str, float] = {}  # the age at which each is looked at again
        self._hasty = False
        self.notes: tuple[Note, ...] = ()  # of what is held back
        self._asks = True  # remote sources, in this build
        self._asked: dict[str, tuple[Found, ...]] = {}  # what each remote source listed
        self._answers: dict[Link, File | Rejected] = {}  # what came of links

    def again(self, settle: float, roots: Container[str], selection: Selection, *, same_links: bool) -> Self:
        """Return what is known for another configuration: its sources, and whether it deals with links as before."""
        other = type(self)(settle)
        other._listed = {
            path: file
            for path, file in self._listed.items()
            if file.local.root in roots and selection.includes_file(file.filename)
        }
        if same_links:
            other._asked, other._answers = self._asked, self._answers
        return other

    def begin(self, *, hasty: bool, thorough: bool = True, asks: bool = True) -> None:
        """Start a build: a thorough one believes its memory of no file, one that asks of nothing that is elsewhere."""
        self._asks = asks
        self._began = time.time_ns()
        if thorough:
            self._doubtful = set(self._listed)
            self.destination.forget()
        self._before, self._seen = self._seen, {}
        self._taken, self._held, self._hasty, self._limit = set(), {}, hasty, self._settle

    def known(self, artifact: Artifact) -> File | None:
        """Return what was last listed, if it is still the same."""
        file = self._listed.get(artifact.path)
        is_same = file and file.artifact == artifact and artifact.path not in self._doubtful
        return file if is_same else None

    def scan(
        self,
        artifacts: Sequence[Artifact],
        scanned: Callable[[Sequence[Artifact]], list[File | Rejected]],
        kept: Callable[[Artifact], File | None],
    ) -> list[File | Rejected | None]:
        """Return what comes of each artifact: what was listed last if it is the same, else what `scanned` makes of it.

        What is held back is what it was before, if it was published: `kept` tells; None: nothing.
        """
        outcomes: list[File | Rejected | None] = [self.known(artifact) for artifact in artifacts]
        unknown = [number for number, outcome in enumerate(outcomes) if outcome is None]
        held = {number for number in unknown if self.holds(artifacts[number])}
        taken = [number for number in unknown if number not in held]
        notes = []
        for number, outcome in zip(taken, scanned([artifacts[number] for number in taken]), strict=True):
            outcomes[number] = outcome
            if isinstance(outcome, Rejected) and self.holds(artifacts[number], outcome.reason):
                held.add(number)
                text = f"held back until it is whole: {outcome.reason}"
                notes.append(Note(location=artifacts[number].location, text=text))
        for number in held:
            outcomes[number] = kept(artifacts[number])
        self.notes = tuple(notes)
        return outcomes

    def refer(
        self,
        links: Sequence[Link],
        refer: Callable[[Sequence[Link]], list[File | Rejected]],
        in_place: Callable[[File | Rejected], File | Rejected | None],
    ) -> list[File | Rejected]:
        """Return what comes of each link: between two times of asking, what came of it before, where that is there."""
        known = {}
        if not self._asks:
            known = {link: now for link, before in self._answers.items() if (now := in_place(before))}
        new = [link for link in links if link not in known]
        known = known | dict(zip(new, refer(new), strict=True))
        self._answers = {link: known[link] for link in links}
        return [known[link] for link in links]

    def ask(self, spec: str, artifacts: Callable[[], Iterator[Found]]) -> Iterator[Found]:
        """Yield what a remote source lists: between two times of asking, what it listed before."""
        if self._asks or spec not in self._asked:
            self._asked[spec] = tuple(artifacts())
        return iter(self._asked[spec])

    @property
    def has_asked(self) -> bool:
        """Whether anything is known that has to be asked for again."""
        return bool(self._asked or self._answers)

    def holds(self, artifact: Artifact, reason: str = "") -> bool:
        """Tell whether a file is held back; `reason`: why it cannot be read."""
        limit = YOUNG if reason else self._limit
        # Most are old: nothing is remembered of those.
        if time.time() - artifact.fingerprint.mtime_ns / 1e9 >= limit:
            return False
        path = artifact.path
        seen = self._before.get(path)
        if seen is None or seen.fingerprint != artifact.fingerprint:
            seen = _Seen(artifact.fingerprint, time.monotonic())
        self._seen[path] = seen
        if seen.age() >= limit:
            return False
        if not reason and self._hasty and path not in self._moving:
            self._taken.add(path)
            return False
        self._taken.discard(path)
        self._held[path] = limit
        return True

    def slow_down(self) -> None:
        """Demand twice the age for as long as the build takes: something has changed while it was read."""
        self._hasty = False
        self._taken.clear()
        self._limit *= 2

    def is_held(self, path: str) -> bool:
        return path in self._held

    @property
    def held(self) -> tuple[str, ...]:
        """The paths of what is held back."""
        return tuple(self._held)

    def listed(self, path: str) -> File | None:
        """Return what was last listed of a path."""
        return self._listed.get(path)

    def check(self, artifacts: Iterable[Artifact], directories: set[str]) -> None:
        """Raise SourceError where a source has nothing any more: that is what a lost mount looks like."""
        gone = {file.local.root for file in self._listed.values()} - {artifact.root for artifact in artifacts}
        for root in sorted(gone & directories):
            raise SourceError(
                f"source {printable(root)} is empty, and was not: the index stays as it is "
                "(is something not mounted? With --allow-empty a source may become empty)"
            )

    def wait(self) -> float:
        """Return in how many seconds all that was taken in haste will be old enough."""
        return max((self._settle - self._seen[path].age() for path in self._taken), default=0.0)

    def moved(self) -> bool:
        """Tell whether something that was taken in haste should not have been: somebody writes to it."""
        moved = {path for path in self._taken if self._look(path) or self._seen[path].age() < self._settle}
        self._moving |= moved
        return bool(moved)

    def done(self, files: Iterable[File]) -> None:
        """End a build that has listed these files."""
        local = [file for file in files if isinstance(file.artifact, Artifact)]
        # A mirrored file is no file of a source that is watched.
        self._listed = {
            file.local.path: file for file in local if not (file.local.link and file.local.link.is_elsewhere)
        }
        recent = self._began - RACY_NS
        self._doubtful = {
            path
            for path, file in self._listed.items()
            if max(file.local.fingerprint.mtime_ns, file.local.fingerprint.ctime_ns) >= recent
        }
        self._moving.clear()

    def ripe(self) -> bool:
        """Look at what is held back: tell whether a build would see something else than the last one did."""
        moved = dict.fromkeys(filter(self._look, self._held), self._settle)
        self._held |= moved
        return any(self._seen[path].age() >= limit for path, limit in self._held.items() if path not in moved)

    def _look(self, path: str) -> bool:
        """Look at a file again: tell whether it is another, or has changed."""
        try:
            fingerprint = Fingerprint.of(os.stat(path))
        except OSError:  # gone: a build will see
            fingerprint = Fingerprint(0, 0, 0, 0)
        if fingerprint[:3] == self._seen[path].fingerprint[:3]:  # a hard link, ours, changes the change time
            return False
        self._seen[path] = _Seen(fingerprint, time.monotonic())
        return True
