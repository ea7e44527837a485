"""The description of one option: command line, mkindex.toml, MKINDEX_* and the table in docs/options.md follow it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import field, fields
from types import NoneType, UnionType
from typing import Any, Literal, NamedTuple, TypeVar, Union, get_args, get_origin

from mkindex.errors import ConfigError

T = TypeVar("T")

_UNITS = ((10**12, "TB"), (10**9, "GB"), (10**6, "MB"), (10**3, "kB"))


class Option(NamedTuple):
    """One option. `name` is the field of its dataclass and the keyword of the Python API."""

    name: str
    key: str  # in mkindex.toml, and after "--" on the command line
    kind: type[Any]  # bool, int, float or str; tuple for several strings
    default: Any
    help: str
    group: str  # the heading in --help
    short: str  # "-n", or "" for none
    metavar: str
    choices: tuple[str, ...]
    minimum: float | None
    maximum: float | None
    unit: Literal["", "seconds", "bytes"]
    automatic: str  # what happens without a value, if the default is None
    path: Literal["", "file", "directory", "location"]  # a location is a path or a URL
    shapes: bool  # the tree depends on it, so the manifest keeps it for `add` and `remove`

    @property
    def flag(self) -> str:
        """The option on the command line."""
        return f"--{self.key}"

    @property
    def variable(self) -> str:
        """The environment variable."""
        return f"MKINDEX_{self.key.replace('-', '_').upper()}"

    @property
    def default_text(self) -> str:
        """The default for people, or "" if it needs no explanation."""
        if self.kind is bool or self.default in (None, ()):
            return self.automatic
        if self.unit == "bytes":
            return next((f"{self.default // size}{unit}" for size, unit in _UNITS if not self.default % size), "")
        return f"{self.default:g}" if self.kind is float else str(self.default)

    def check(self, value: Any) -> None:  # noqa: ANN401 (the value of any option)
        """Raise InvalidOption if the value is not a choice or not within the bounds. NaN is within no bounds."""
        if value is None:
            return
        if self.choices and value not in self.choices:
            choices = " or ".join(filter(None, (", ".join(self.choices[:-1]), self.choices[-1])))
            raise InvalidOption(self.name, "must be {choices}, not {value!r}", choices=choices, value=value)
        low, high = self.minimum, self.maximum
        if low is None or low <= value <= (float("inf") if high is None else high):
            return
        bounds = f"at least {low:g} {self.unit}" if high is None else f"from {low:g} to {high:,g} {self.unit}"
        raise InvalidOption(self.name, "must be {bounds}, not {value}", bounds=bounds.rstrip(), value=value)


class InvalidOption(ConfigError):
    """A value or a combination of options that cannot be used.

    `template` names options as `{files_url}`, and other `values` likewise, so that `named()` can write each option as
    the user gave it. It begins with the option `name`. The exception's own text has the keywords of the Python API.
    """

    def __init__(self, name: str, template: str, **values: object) -> None:
        from string import Formatter  # here, since importing it compiles patterns, and few runs need it

        self._template = f"{{{name}}} {template}"
        self._values = values
        names = dict.fromkeys(field for _, field, _, _ in Formatter().parse(self._template) if field)
        self.options = tuple(field for field in names if field not in values)
        super().__init__(self.named(str))

    def named(self, spell: Callable[[str], str]) -> str:
        """Return the text with the options spelled by a function, which is given their names."""
        return self._template.format_map({name: spell(name) for name in self.options} | self._values)


def option(
    default: T,
    help_text: str,
    *,
    group: str,
    key: str | None = None,
    short: str = "",
    metavar: str = "",
    choices: Sequence[str] = (),
    minimum: float | None = None,
    maximum: float | None = None,
    unit: Literal["", "seconds", "bytes"] = "",
    automatic: str = "",
    path: Literal["", "file", "directory", "location"] = "",
    shapes: bool = False,
) -> T:
    """Return a dataclass field that is an option. The field's type says what kind of option it is."""
    metadata = {
        "key": key,
        "help": help_text,
        "group": group,
        "short": short,
        "metavar": metavar,
        "choices": tuple(choices),
        "minimum": minimum,
        "maximum": maximum,
        "unit": unit,
        "automatic": automatic,
        "path": path,
        "shapes": shapes,
    }
    made: T = field(default=default, metadata={"option": metadata})
    return made


def options_of(cls: type[Any]) -> tuple[Option, ...]:
    """Return the options among the fields of a dataclass, in their order."""
    found = []
    for one in fields(cls):
        if metadata := dict(one.metadata.get("option", {})):
            kind, choices = _kind(one.type)
            metadata["key"] = metadata["key"] or one.name.replace("_", "-")
            metadata["choices"] = metadata["choices"] or choices
            found.append(Option(name=one.name, kind=kind, default=one.default, **metadata))
    return tuple(found)


def suggest(given: str, words: Mapping[str, str]) -> str:
    """Return what an unknown option or key probably means, "" if it is like none.

    `words`: what to write for each word that means something, such as `link-mode` for itself and `--link-mode hardlink`
    for `hardlink`. Hyphens and underscores do not count. Otherwise it is a misspelling, or one consists of words of the
    other.
    """
    from difflib import get_close_matches  # here, since it is needed only for an error

    word = given.strip("-_").lower().replace("_", "-")
    same = [one for one in words if one.replace("-", "") == word.replace("-", "")]
    parts = set(word.split("-"))
    related = [one for one in words if (others := set(one.split("-"))) <= parts or parts <= others]
    close = same or get_close_matches(word, words, n=1, cutoff=0.8) or get_close_matches(word, related, n=1, cutoff=0)
    return words[close[0]] if close else ""


def _kind(annotation: Any) -> tuple[type[Any], tuple[str, ...]]:  # noqa: ANN401 (whatever a type is written as)
    """Return the type of a field apart from None, and its choices."""
    members = get_args(annotation) if get_origin(annotation) in (Union, UnionType) else (annotation,)
    (member,) = (member for member in members if member is not NoneType)
    if get_origin(member) is Literal:
        return str, get_args(member)
    return get_origin(member) or member, ()
