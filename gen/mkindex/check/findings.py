"""What a rule is, what it finds, and the table of all rules."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple, TypeVar

S = TypeVar("S")


class Severity(StrEnum):
    """How bad a finding is, the worst first."""

    ERROR = "error"  # installs break, or install what they should not
    WARNING = "warning"  # some client, host or person will stumble over it
    NOTE = "note"  # worth knowing


class Effect(StrEnum):
    """What a client does where a rule is broken."""

    FAILS = "fails"  # it says so, and installs nothing
    WRONG = "wrong"  # it installs something else than what was meant, or nothing, and takes that for right
    WORKS = "works"  # it installs what was meant
    DEPENDS = "depends"  # on what exactly is wrong


ERROR, WARNING, NOTE = Severity
FAILS, WRONG, WORKS, DEPENDS = Effect


class Observation(NamedTuple):
    """What one rule saw in one place."""

    text: str
    file: str = ""  # the name of the file that it is about; "": none, or the page as a whole
    page: str = ""  # the page, where it is not that of the subject


@dataclass(frozen=True, kw_only=True, slots=True)
class Rule:
    """One thing that an index must get right, and how to see that it does not."""

    name: str  # stable: people write it into their settings
    severity: Severity
    pip: Effect
    uv: Effect
    what: str  # one sentence
    clients: str  # what pip and uv do about it
    mend: str
    subject: type[Any]  # what it looks at
    see: Callable[[Any], Iterable[Observation]]

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """A rule that is broken somewhere."""

    rule: Rule
    page: str  # its address, or its path in the directory
    file: str
    text: str

    @property
    def fix(self) -> str:
        """What to do about it."""
        return self.rule.mend


RULES: dict[str, Rule] = {}


def rule(
    subject: type[S],
    name: str,
    severity: Severity,
    *,
    clients: str,
    mend: str,
    pip: Effect = WORKS,
    uv: Effect = WORKS,
) -> Callable[[Callable[[S], Iterable[Observation]]], Callable[[S], Iterable[Observation]]]:
    """Put a function into the table of rules; the first line of its docstring says what the rule is."""

    def add(see: Callable[[S], Iterable[Observation]]) -> Callable[[S], Iterable[Observation]]:
        what = (see.__doc__ or "").strip().partition("\n")[0]
        RULES[name] = Rule(
            name=name,
            severity=severity,
            pip=pip,
            uv=uv,
            what=what,
            clients=clients,
            mend=mend,
            subject=subject,
            see=see,
        )
        return see

    return add
