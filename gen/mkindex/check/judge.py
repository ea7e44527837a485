"""Select rules, and apply them to observations."""

from collections.abc import Collection, Iterable, Iterator
from typing import Any

import mkindex.check.rules  # noqa: F401 (importing the rules fills RULES)
from mkindex.check.findings import RULES, Finding, Rule, Severity
from mkindex.text import printable

_ALWAYS = "no-files"  # applies whatever was selected: no rule passes if there was nothing to apply it to
_MAX_FILE, _MAX_TEXT = 300, 2000  # characters


def rules_by_name() -> dict[str, Rule]:
    """Return all rules by name, the worst first."""
    order = list(Severity)
    return {rule.name: rule for rule in sorted(RULES.values(), key=lambda rule: order.index(rule.severity))}


class Judge:
    """The selected rules, by the type that they judge."""

    def __init__(self, *, select: Collection[str] = (), ignore: Collection[str] = ()) -> None:
        self._by_subject: dict[type[Any], list[Rule]] = {}
        for rule in rules_by_name().values():
            if (not select or rule.name in select or rule.name == _ALWAYS) and rule.name not in ignore:
                self._by_subject.setdefault(rule.subject, []).append(rule)

    def findings(self, subject: object, page: str, file: str = "") -> Iterator[Finding]:
        """Yield the findings for one observation.

        `page` and `file` say what was observed; a rule may name another place in a violation.
        """
        for rule in self._by_subject.get(type(subject), ()):
            for text, own_file, own_page in rule.find(subject):
                yield Finding(
                    rule=rule,
                    page=printable(own_page or page),
                    file=printable(own_file or file)[:_MAX_FILE],
                    text=_cut(printable(text)),
                )


def _cut(text: str) -> str:
    """Cut a long text between words, so that no part of an address looks like one."""
    return text if len(text) <= _MAX_TEXT else f"{text[: _MAX_TEXT - 2].rpartition(' ')[0]} …"


def worst_first(findings: Iterable[Finding]) -> list[Finding]:
    """Sort findings by severity, then by the order of rules, then by place."""
    rank = {name: number for number, name in enumerate(rules_by_name())}
    return sorted(findings, key=lambda found: (rank[found.rule.name], found.page, found.file, found.text))
