"""What a rule is, what it finds, and the table of all rules."""

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple, TypeVar

from mkindex.text import printable

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


class Seen(NamedTuple):
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
    see: Callable[[Any], Iterable[Seen]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """A rule that is broken somewhere."""

    rule: Rule
    page: str  # its address, or its path in the directory
    file: str
    text: str


_TABLE: dict[str, Rule] = {}


def rule(
    subject: type[S],
    name: str,
    severity: Severity,
    *,
    clients: str,
    mend: str,
    pip: Effect = WORKS,
    uv: Effect = WORKS,
) -> Callable[[Callable[[S], Iterable[Seen]]], Callable[[S], Iterable[Seen]]]:
    """Put a function into the table of rules; the first line of its docstring says what the rule is."""

    def add(see: Callable[[S], Iterable[Seen]]) -> Callable[[S], Iterable[Seen]]:
        what = (see.__doc__ or "").strip().partition("\n")[0]
        _TABLE[name] = Rule(
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


def table() -> dict[str, Rule]:
    """Return all rules by name, the worst first."""
    import mkindex.check.rules  # noqa: F401 (it fills the table)

    order = list(Severity)
    return {rule.name: rule for rule in sorted(_TABLE.values(), key=lambda rule: order.index(rule.severity))}


class Judge:
    """The rules that are wanted, by what they look at."""

    def __init__(self, *, select: Collection[str] = (), ignore: Collection[str] = ()) -> None:
        self._by_subject: dict[type[Any], list[Rule]] = {}
        for one in table().values():
            if (not select or one.name in select) and one.name not in ignore:
                self._by_subject.setdefault(one.subject, []).append(one)

    def findings(self, subject: object, page: str, file: str = "") -> Iterator[Finding]:
        """Yield what is wrong with one subject; `page` and `file`: where it is, unless the rule says otherwise."""
        for one in self._by_subject.get(type(subject), ()):
            for text, own_file, own_page in one.see(subject):
                yield Finding(
                    rule=one, page=own_page or page, file=printable(own_file or file)[:300], text=printable(text)[:2000]
                )


def worst_first(findings: Iterable[Finding]) -> list[Finding]:
    """Sort findings: by severity, then by the place of their rule in the table, then by where they are."""
    place = {name: number for number, name in enumerate(table())}
    return sorted(findings, key=lambda found: (place[found.rule.name], found.page, found.file, found.text))
