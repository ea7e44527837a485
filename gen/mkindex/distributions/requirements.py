"""Requires-Dist: which requirements pip and uv cannot use, and what they then do with the file.

pip parses all requirements of a file with `packaging`, also one whose marker is false. uv guesses what some invalid
ones mean, such as `>=1.0.*`, and refuses some that `packaging` accepts.
"""

import re
from collections.abc import Iterable
from functools import lru_cache
from urllib.parse import urlsplit

from mkindex.model.index import parse_version
from mkindex.text import printable

# A pattern for requirements that every client can parse, as most are. Parsing one takes 30 µs and more, and importing
# the parser 20 ms; this takes less than 1 µs. What it has matched it never gives back (`++`), so its time is linear.
# Nothing is written twice that need not be, since compiling takes long: an item of a list ends with a comma or `and`
# before another item, or before the end of the list.
_NAME = r"[A-Za-z0-9]++(?:[._-]++[A-Za-z0-9]++)*+"
_EXTRAS = rf"\[(?:{_NAME}(?:, ?+(?=[A-Za-z0-9])|(?=\])))++\]"
_RELEASE = r"[0-9]++(?:\.[0-9]++)*+"
_VERSION = rf"{_RELEASE}(?:(?:a|b|rc)[0-9]++)?+(?:\.post[0-9]++)?+(?:\.dev[0-9]++)?+"
_OPERATOR = r"(?:[<>]=?+|[!=]=|~=(?= ?+[0-9]++\.[0-9]))"
_CLAUSE = rf"(?:{_OPERATOR} ?+{_VERSION}|[!=]= ?+{_RELEASE}\.\*)"
_SPECIFIER = rf"(?P<bracket>\()?+(?:{_CLAUSE} ?+(?:, ?+(?=[<>=!~])|(?=[;)]|$)))++(?(bracket)\))"
_VARIABLE = "(?:extra|os_name|sys_platform|platform_(?:machine|python_implementation|system)|implementation_name)"
_QUOTES = """(?="[^"']*+"|'[^"']*+')["']"""  # the beginning of a text that ends with the same quotation mark
_COMPARISON = (
    f"(?:python_(?:full_)?+version ?+(?:[<>]=?+|[!=]=) ?+{_QUOTES}{_VERSION}"
    f"|{_VARIABLE} ?+[!=]= ?+{_QUOTES}[A-Za-z0-9_.+-]*+)[\"']"
)
_BOOLEAN = "(?: (?:and|or) (?=[a-z(])"
_MARKER = rf"(?:(?:\((?:{_COMPARISON}{_BOOLEAN}|(?=\))))++\)|{_COMPARISON}){_BOOLEAN}|$))++"
# uv reads each part of a version as 64 bits.
PLAIN_REQUIREMENT = rf"(?![^\n]*[0-9]{{19}}){_NAME}(?: ?+{_EXTRAS})?+(?: ?+{_SPECIFIER})?+(?: ?+; ?+{_MARKER})?+"

_PIP_IGNORES = (
    "cannot be parsed: pip ignores the file and takes an older version, and so does uv unless it can guess the meaning"
)
_FOLDED = "is broken over several lines: pip ignores the file and takes an older version"
_UV_IGNORES = "is not valid for uv, which ignores the file and takes an older version"
_NO_ADDRESS = "has no absolute address: pip stops with an error, and uv ignores the file"
_PIP_STOPS = "has a marker that compares what cannot be compared: pip stops with an error"

ELSEWHERE = (
    "has an address of its own: pip takes it from there, but uv stops with an error unless the user requires that "
    "address, too"
)

_SHOWN = 100  # characters
_MAX_PARSED = 1 << 18  # characters of the requirements of one file; parsing takes up to 5 µs for each
_MAX_REMEMBERED = 10_000  # characters of a requirement
_LARGEST = 2**64 - 2  # the largest part of a version that uv can read
_UV_SCHEMES = ("http", "https", "git+http", "git+https", "git+ssh", "git+file")


def unusable_requirements(values: Iterable[str]) -> dict[str, str]:
    """Return which requirements of a file pip or uv cannot use, each with what they do then.

    After a quarter of a million characters of unusual requirements, others are not judged.
    """
    problems: dict[str, str] = {}
    length = 0
    for value in dict.fromkeys(values):
        if not re.fullmatch(PLAIN_REQUIREMENT, value):
            length += len(value)
            if length > _MAX_PARSED:
                break
            # A long one is not remembered: many would fill the memory.
            judge = requirement_problem if len(value) <= _MAX_REMEMBERED else requirement_problem.__wrapped__
            if problem := judge(value):
                problems[value] = problem
    return problems


@lru_cache(maxsize=1024)
def requirement_problem(value: str) -> str:
    """Return what is wrong with a Requires-Dist, and what pip and uv do with its file; "" if both can use it.

    `value` is as in the file: with its line breaks, if it is folded.
    """
    # Here, since most builds need neither.
    from packaging.markers import UndefinedComparison, UndefinedEnvironmentName
    from packaging.requirements import InvalidRequirement, Requirement

    try:
        requirement = Requirement(value)
    except (InvalidRequirement, RecursionError):
        unfolded = " ".join(value.split())
        return _FOLDED if "\n" in value and not requirement_problem(unfolded) else _PIP_IGNORES
    try:
        if requirement.marker:
            requirement.marker.evaluate(_ENVIRONMENT)
    except (UndefinedComparison, UndefinedEnvironmentName):
        return _PIP_STOPS
    if requirement.url:
        return _problem_of_address(requirement.url)
    clauses = [(one.operator, one.version) for one in requirement.specifier]
    is_readable = (
        all(name[-1].isalnum() for name in (requirement.name, *requirement.extras))
        and all(operator != "===" or _is_version(version) for operator, version in clauses)
        and not any(_is_too_large(number) for _, version in clauses for number in re.findall("[0-9]+", version))
        and not re.search(r"\(\s*\)", value)
    )
    return "" if is_readable else _UV_IGNORES


def _problem_of_address(url: str) -> str:
    try:
        parts = urlsplit(url)
    except ValueError:
        return _NO_ADDRESS
    if parts.scheme == "file":
        return ELSEWHERE if parts.path.startswith("/") and parts.netloc in ("", "localhost") else _NO_ADDRESS
    if not parts.scheme or (parts.scheme in _UV_SCHEMES and not parts.path.startswith("/") and not parts.netloc):
        return _NO_ADDRESS
    return ELSEWHERE if parts.scheme in _UV_SCHEMES else _UV_IGNORES


def _is_too_large(number: str) -> bool:
    return len(number) > 20 or int(number) > _LARGEST


def _is_version(text: str) -> bool:
    try:
        parse_version(text)
    except ValueError:
        return False
    return True


def shown_requirement(value: str) -> str:
    """Return a Requires-Dist for a message: in one line, cut, safe to print, and without a password."""
    text = printable(re.sub(r"(?<=://)[^/]*@", "", " ".join(value.split())))
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


# Any values will do: only the operators decide whether a marker can be evaluated. Without them, those of this machine
# would be used.
_ENVIRONMENT = {
    "extra": "",
    "implementation_name": "cpython",
    "implementation_version": "3.12.0",
    "os_name": "posix",
    "platform_machine": "x86_64",
    "platform_python_implementation": "CPython",
    "platform_release": "6",
    "platform_system": "Linux",
    "platform_version": "6",
    "python_full_version": "3.12.0",
    "python_version": "3.12",
    "sys_platform": "linux",
}
