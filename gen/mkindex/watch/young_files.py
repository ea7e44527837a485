"""Hold back files that may be incomplete. Until they are complete, the files listed before remain listed."""

import os
import time
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from typing import NamedTuple

from mkindex.build.collecting import Examine
from mkindex.build.workspace import Workspace
from mkindex.cache import RACY_NS
from mkindex.errors import Note, Rejected, SourceError
from mkindex.examine.local import recall
from mkindex.model.files import Artifact, File, Fingerprint, Link
from mkindex.sources.open import local_path
from mkindex.sources.selection import Selection
from mkindex.text import printable
from mkindex.tree.names import file_path

# Seconds for which an unreadable file is assumed to be incomplete: its writer may pause.
YOUNG = 60


class HoldBack:
    """The examine step of a watch: `examine`, for files that have changed and are old enough.

    An artifact that is the same as in the last build keeps its outcome. A young one is held back: the file that
    was listed at its path before stays listed as long as its bytes are published.
    """

    def __init__(self, examine: Examine, young: "YoungFiles", last: "LastBuild") -> None:
        self._examine = examine
        self._young = young
        self._last = last

    def __call__(self, artifacts: Sequence[Artifact | Link], work: Workspace) -> Iterator[File | Rejected | Note]:
        """Yield the outcomes of artifacts and links in their order, after notes about those that are held back."""
        self._young.begin_attempt()
        if not work.config.allow_empty:
            self._last.refuse_emptied(artifacts, _directories(work.config.sources))
        outcomes: list[File | Rejected | Note | None] = [
            self._last.same_file(artifact) if isinstance(artifact, Artifact) else None for artifact in artifacts
        ]
        unknown = [number for number, outcome in enumerate(outcomes) if outcome is None]
        held = {number for number in unknown if self._holds(artifacts[number])}
        to_examine = [number for number in unknown if number not in held]
        examined = self._examine([artifacts[number] for number in to_examine], work)
        for number, outcome in zip(to_examine, examined, strict=True):
            artifact, outcomes[number] = artifacts[number], outcome
            if isinstance(outcome, Rejected) and self._holds(artifact, outcome.reason):
                held.add(number)
                yield Note(location=artifact.location, text=f"held back until it is complete: {outcome.reason}")
        for number in held:
            outcomes[number] = self._published_before(artifacts[number], work)
        yield from filter(None, outcomes)

    def _holds(self, artifact: Artifact | Link, reason: str = "") -> bool:
        return isinstance(artifact, Artifact) and self._young.holds(artifact, reason)

    def _published_before(self, artifact: Artifact | Link, work: Workspace) -> File | None:
        """Return the File that was listed for a file that is held back, if its bytes are still published."""
        assert isinstance(artifact, Artifact)
        before = self._last.file(artifact.path)
        if work.config.files_url is not None:
            return before
        before = before or recall(artifact, cache=work.cache)
        # A hard link to a file that is being overwritten no longer has the old bytes.
        is_there = before and _is_published(work.config.destination, before, artifact.fingerprint.inode)
        return before if is_there else None


def _directories(sources: Iterable[str]) -> set[str]:
    return {os.path.abspath(path) for path in map(local_path, sources) if path and os.path.isdir(path)}


def _is_published(destination: str, file: File, inode: int) -> bool:
    """Tell whether a file is in the tree, and not as a hard link to the file with this inode."""
    with suppress(OSError):
        status = os.stat(os.path.join(destination, file_path(file.sha256, file.filename)))
        return status.st_size == file.size and status.st_ino != inode
    return False


class LastBuild:
    """The local files that the last build listed, by path: those that have not changed are not examined again."""

    def __init__(self) -> None:
        self._files: dict[str, File] = {}
        self._unsure: set[str] = set()  # paths that changed so recently that a second change might not show
        self._began_ns = 0  # when the build began, since the epoch

    def begin(self, *, thorough: bool) -> None:
        """Begin a build; a thorough one examines every file again."""
        self._began_ns = time.time_ns()
        if thorough:
            self._unsure = set(self._files)

    def end(self, files: Iterable[File]) -> None:
        """End a build that has listed these files."""
        # A mirrored file is not in a source that is watched.
        self._files = {
            file.local.path: file if file.attested is None else file._replace(attested=None)  # found in each build
            for file in files
            if isinstance(file.artifact, Artifact) and not (file.local.link and file.local.link.is_elsewhere)
        }
        recent = self._began_ns - RACY_NS
        self._unsure = {
            path
            for path, file in self._files.items()
            if max(file.local.fingerprint.mtime_ns, file.local.fingerprint.ctime_ns) >= recent
        }

    def file(self, path: str) -> File | None:
        """Return the file that was listed from a path."""
        return self._files.get(path)

    def same_file(self, artifact: Artifact) -> File | None:
        """Return the file that was listed from an artifact, if that has certainly not changed."""
        file = self._files.get(artifact.path)
        is_same = file and file.artifact == artifact and artifact.path not in self._unsure
        return file if is_same else None

    def refuse_emptied(self, artifacts: Iterable[Artifact | Link], directories: Collection[str]) -> None:
        """Raise SourceError if one of these source directories has lost all its files, as at a lost mount."""
        roots = {artifact.root for artifact in artifacts if isinstance(artifact, Artifact)}
        gone = {file.local.root for file in self._files.values()} - roots
        for root in sorted(gone & set(directories)):
            raise SourceError(
                f"source {printable(root)} has become empty: the index stays as it is. "
                "Is a disk not mounted? Use --allow-empty if the source may become empty"
            )

    def restricted(self, roots: Collection[str], selection: Selection) -> "LastBuild":
        """Return the files of these source directories that a selection takes, for another configuration."""
        other = LastBuild()
        other._files = {
            path: file
            for path, file in self._files.items()
            if file.local.root in roots and selection.includes_file(file.filename)
        }
        return other


class _Sight(NamedTuple):
    """The state of a file when it was looked at, and since when it has been in it."""

    fingerprint: Fingerprint
    since: float  # of the monotonic clock

    def age(self) -> float:
        """Return for how many seconds it has not changed. The clock of its file system may differ from ours."""
        return max(time.monotonic() - self.since, time.time() - self.fingerprint.mtime_ns / 1e9)


class YoungFiles:
    """Files that were written to less than `settle` seconds ago.

    A build holds them back. A hasty build takes them, and looks at them again before it publishes, with
    `has_changed()`.
    """

    def __init__(self, settle: float) -> None:
        self._settle = settle
        self._limit = settle  # the age that this attempt of a build demands
        self._hasty = False
        self._attempts = 0  # of this build
        self._seen: dict[str, _Sight] = {}  # by path
        self._seen_before: dict[str, _Sight] = {}  # by the build before
        self._taken: set[str] = set()  # paths of young files that this build took in haste
        self._unsteady: set[str] = set()  # paths that changed after a build had taken them in haste
        self._held: dict[str, float] = {}  # by path, the age at which it is due

    def begin(self, *, hasty: bool) -> None:
        """Begin a build."""
        self._seen_before, self._seen = self._seen, {}
        self._taken, self._held = set(), {}
        self._hasty, self._limit, self._attempts = hasty, self._settle, 0

    def begin_attempt(self) -> None:
        """Begin an attempt of a build. After the first, a file has changed while it was read: demand twice the age."""
        if self._attempts:
            self._hasty = False
            self._taken.clear()
            self._limit *= 2
        self._attempts += 1

    def end(self) -> None:
        """End a build that was published."""
        self._unsteady.clear()

    def holds(self, artifact: Artifact, reason: str = "") -> bool:
        """Tell whether a file is held back; `reason`: why it cannot be read."""
        limit = YOUNG if reason else self._limit
        # Most files are old, and need no memory.
        if time.time() - artifact.fingerprint.mtime_ns / 1e9 >= limit:
            return False
        path = artifact.path
        sight = self._seen_before.get(path)
        if sight is None or sight.fingerprint != artifact.fingerprint:
            sight = _Sight(artifact.fingerprint, time.monotonic())
        self._seen[path] = sight
        if sight.age() >= limit:
            return False
        if not reason and self._hasty and path not in self._unsteady:
            self._taken.add(path)
            return False
        self._taken.discard(path)
        self._held[path] = limit
        return True

    @property
    def held(self) -> tuple[str, ...]:
        """The paths of the files that are held back."""
        return tuple(self._held)

    def is_held(self, path: str) -> bool:
        """Tell whether the file at a path is held back."""
        return path in self._held

    def seconds_to_wait(self) -> float:
        """Return in how many seconds all files that were taken in haste are old enough."""
        return max((self._settle - self._seen[path].age() for path in self._taken), default=0.0)

    def has_changed(self) -> bool:
        """Look at the files that were taken in haste: tell whether one has been written to."""
        changed = {path for path in self._taken if self._look(path) or self._seen[path].age() < self._settle}
        self._unsteady |= changed
        return bool(changed)

    def is_due(self) -> bool:
        """Look at the files that are held back: tell whether a build would now treat one of them otherwise."""
        changed = dict.fromkeys(filter(self._look, self._held), self._settle)
        self._held |= changed
        return any(self._seen[path].age() >= limit for path, limit in self._held.items() if path not in changed)

    def _look(self, path: str) -> bool:
        """Look at a file again: tell whether it has changed or been replaced."""
        try:
            fingerprint = Fingerprint.of(os.stat(path))
        except OSError:  # it was removed, which the next build notices
            fingerprint = Fingerprint(0, 0, 0, 0)
        if fingerprint[:3] == self._seen[path].fingerprint[:3]:  # our own hard link changes the change time
            return False
        self._seen[path] = _Sight(fingerprint, time.monotonic())
        return True
