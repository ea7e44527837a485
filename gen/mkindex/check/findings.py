"""Rules, violations and findings, and the table of all rules."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple, TypeVar

S = TypeVar("S")


class Severity(StrEnum):
    """The severity of a finding, the worst first."""

    ERROR = "error"  # installs fail, or install something that was not meant
    WARNING = "warning"  # a problem for some client, host or person
    NOTE = "note"  # worth knowing


class Effect(StrEnum):
    """The reaction of a client if a rule is broken."""

    FAILS = "fails"  # it reports an error and installs nothing
    WRONG = "wrong"  # it installs something else than what was meant, or an older version, without a warning
    WORKS = "works"  # it installs what was meant
    DEPENDS = "depends"  # any of these, depending on what exactly is wrong


ERROR, WARNING, NOTE = Severity
FAILS, WRONG, WORKS, DEPENDS = Effect


class Violation(NamedTuple):
    """One place where a rule is broken, as the rule reports it."""

    text: str
    file: str = ""  # filename; "" means the page as a whole
    page: str = ""  # only if it is not the page that the rule was given


@dataclass(frozen=True, kw_only=True, slots=True)
class Rule:
    """One requirement for an index, and the function that finds violations of it."""

    name: str  # stable: users write it into their settings
    severity: Severity
    pip: Effect
    uv: Effect
    summary: str  # the requirement, in one sentence
    impact: str  # what clients do if it is broken
    fix: str
    subject: type[Any]  # the type of `observations` that it judges
    find: Callable[[Any], Iterable[Violation]]

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """A violation of a rule in an index."""

    rule: Rule
    page: str  # its address; for a directory, its path in it
    file: str  # filename; "" means the page as a whole
    text: str

    @property
    def fix(self) -> str:
        """What to do about it."""
        return self.rule.fix


RULES: dict[str, Rule] = {}


def rule(
    subject: type[S],
    name: str,
    severity: Severity,
    *,
    impact: str,
    fix: str,
    pip: Effect = WORKS,
    uv: Effect = WORKS,
) -> Callable[[Callable[[S], Iterable[Violation]]], Callable[[S], Iterable[Violation]]]:
    """Register a function as a rule. The first line of its docstring becomes the rule's summary."""

    def register(find: Callable[[S], Iterable[Violation]]) -> Callable[[S], Iterable[Violation]]:
        RULES[name] = Rule(
            name=name,
            severity=severity,
            pip=pip,
            uv=uv,
            summary=(find.__doc__ or "").strip().partition("\n")[0],
            impact=impact,
            fix=fix,
            subject=subject,
            find=find,
        )
        return find

    return register
