"""Which rules are wanted, and what they find."""

from collections.abc import Collection, Iterable, Iterator
from typing import Any

import mkindex.check.rules  # noqa: F401 (importing the rules fills RULES)  # noqa: F401 (importing the rules fills RULES)
from mkindex.check.findings import RULES, Finding, Rule, Severity
from mkindex.text import printable


def rules_by_name() -> dict[str, Rule]:
    """Return all rules by name, the worst first."""
    order = list(Severity)
    return {rule.name: rule for rule in sorted(RULES.values(), key=lambda rule: order.index(rule.severity))}


class Judge:
    """The rules that are wanted, by what they look at."""

    def __init__(self, *, select: Collection[str] = (), ignore: Collection[str] = ()) -> None:
        self._by_subject: dict[type[Any], list[Rule]] = {}
        for one in rules_by_name().values():
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
    place = {name: number for number, name in enumerate(rules_by_name())}
    return sorted(findings, key=lambda found: (place[found.rule.name], found.page, found.file, found.text))
