"""The result of a policy. This module imports nothing that applies one, because most builds have no policy."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mkindex.errors import Note
from mkindex.model.index import Index

if TYPE_CHECKING:
    from mkindex.model.files import File
    from mkindex.policy.decide import Decision, Verdict


@dataclass(frozen=True, slots=True)
class PolicyResult:
    """The index as the policy lists it, with the decisions."""

    index: Index
    decisions: "tuple[Decision, ...]" = ()
    findings: tuple[Note, ...] = ()
    moments: tuple[str, ...] = ()  # relative limits as they were resolved, as "7d = 2026-01-02T03:04:05Z"
    first_appears: str = ""  # when the first of the files that wait will be listed; "": not known

    @property
    def removed_filenames(self) -> frozenset[str]:
        """The names of the files that the sources have, and that the policy does not list."""
        return frozenset(one.file.filename for one in self.decisions if one.is_removal)

    @property
    def unyanked_filenames(self) -> frozenset[str]:
        """The names of the files that the policy lists as not yanked."""
        return frozenset(one.file.filename for one in self.decisions if one.verdict == "not yanked")

    @property
    def waiting(self) -> "tuple[File, ...]":
        """The files that are not listed yet."""
        return tuple(one.file for one in self.decisions if one.verdict == "waits")

    def count(self, verdict: "Verdict") -> int:
        """Return the number of files with a verdict."""
        return sum(one.verdict == verdict for one in self.decisions)
