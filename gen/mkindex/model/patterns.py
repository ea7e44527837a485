"""Regular expressions of a policy, which must not take exponential time, whatever they are matched with."""

import re
from dataclasses import dataclass

LONGEST_TEXT = 64  # characters that an expression is matched with
_LONGEST_PATTERN = 500  # characters
_MOST_WAYS = LONGEST_TEXT**4  # to divide a text among the parts of an expression
_PART = re.compile(
    r"(?P<class>\[\^?\]?(?:\\.|[^\]\\])*+\])|(?P<escape>\\.)|(?P<open>\((?:\?(?:[:=!>]|<[=!]|P<\w+>|i:))?)"
    r"|(?P<repetition>[*+?]|\{\d*,?\d*\})(?P<mode>[+?])?|(?P<other>.)",
    re.DOTALL,
)


@dataclass(slots=True)
class _Group:
    """A group of an expression, or the whole of it, and in how many ways it may match a text."""

    ways: int = 1  # of the alternative that is being read
    others: int = 0  # of those before it

    @property
    def total(self) -> int:
        return self.ways + self.others


def refuse_slow(pattern: str) -> None:
    r"""Raise re.error for an expression that `re` may need too long for, since it tries all ways to match a text.

    What is repeated may have neither a repetition nor alternatives, unless the outer repetition is possessive, as in
    `(?:\.\d+)*+`. The ways of parts that follow each other are multiplied.
    """
    if len(pattern) > _LONGEST_PATTERN:
        raise re.error(f"it has more than {_LONGEST_PATTERN} characters")
    groups, closed = [_Group()], _Group()
    for part in _PART.finditer(pattern):
        text, repetition = part[0], part["repetition"]
        if repetition:
            if repetition != "?" and part["mode"] != "+" and closed.total > 1:
                raise re.error(
                    f"{text} repeats a group with alternatives or a repetition, which can take exponential time. Use "
                    f"a class, such as [\\d.]+, or {repetition}+",
                    pattern,
                    part.start(),
                )
            groups[-1].ways *= 2 if repetition == "?" else LONGEST_TEXT
        closed = _Group()
        if part["open"]:
            if text == "(" and pattern.startswith("(?", part.start()):
                raise re.error("after (? only :, =, !, >, <=, <!, i: and P<name> are allowed", pattern, part.start())
            groups.append(_Group())
        elif text == "|":
            groups[-1] = _Group(others=groups[-1].total)
        elif text == ")" and len(groups) > 1:
            closed = groups.pop()
            groups[-1].ways *= closed.total
        if groups[-1].ways > _MOST_WAYS:
            raise re.error("too many repetitions and alternatives follow each other, which can take too long")
