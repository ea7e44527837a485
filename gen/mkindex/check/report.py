"""The result of a check."""

from dataclasses import dataclass

from mkindex.check.findings import ERROR, WARNING, Finding, Severity
from mkindex.check.observations import Level, TargetKind
from mkindex.check.why import Choice
from mkindex.hosts.recognize import KnownHost


@dataclass(frozen=True, kw_only=True, slots=True)
class CheckReport:
    """The checked target, its findings, and counts."""

    target: str  # as given, without secrets
    kind: TargetKind
    url: str  # of the index or the page, for people
    findings: tuple[Finding, ...] = ()  # the worst first
    projects: int = 0
    files: int = 0  # listed by pages
    inspected: int = 0  # files that were requested or looked up
    read: int = 0  # files whose contents were read
    level: Level = "none"
    host: tuple[str, ...] = ()  # how the server behaves, in words
    hosting: KnownHost | None = None  # the host, if it is recognized
    closure: str = ""  # how many requirements were looked up, and for which Python and platform
    unread: tuple[str, ...] = ()  # files whose requirements could not be looked up, because they were not read
    why: tuple[Choice, ...] | None = None  # --why: the files of the project
    seconds: float = 0.0

    def count(self, severity: Severity) -> int:
        """Return the number of findings of one severity."""
        return sum(found.rule.severity == severity for found in self.findings)

    def failed(self, *, strict: bool = False) -> bool:
        """Tell whether there are errors or, if `strict`, warnings; with `--why`, whether no file can be chosen."""
        if self.why is not None and not any(choice.chosen for choice in self.why):
            return True
        return bool(self.count(ERROR) or (strict and self.count(WARNING)))
