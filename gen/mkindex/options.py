"""The description of one option: command line, mkindex.toml, MKINDEX_* and the table in docs/options.md follow it."""

from collections.abc import Callable, Mapping, Sequence
from types import NoneType, UnionType
from typing import Any, ClassVar, Literal, NamedTuple, TypeVar, Union, dataclass_transform, get_args, get_origin

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
    group: str = "",
    key: str = "",
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
    """Return the value of a class attribute that is an option, for `Options`. Its type says what kind of option it is.

    `group`: another heading than that of the class. `key`: another one than the name, with hyphens.
    """
    made: Any = Option(
        name="",
        key=key,
        kind=object,
        default=default,
        help=help_text,
        group=group,
        short=short,
        metavar=metavar,
        choices=tuple(choices),
        minimum=minimum,
        maximum=maximum,
        unit=unit,
        automatic=automatic,
        path=path,
        shapes=shapes,
    )
    return made  # type: ignore[no-any-return]


@dataclass_transform(kw_only_default=True, frozen_default=True)
class Options:
    """Frozen values of options. The annotated attributes of a class are its options, after those of its bases.

    To type checkers, subclasses are dataclasses. Generating the methods of one with 80 fields would take a tenth of the
    time of a build with nothing to do.
    """

    OPTIONS: ClassVar[tuple[Option, ...]] = ()
    _defaults: ClassVar[dict[str, Any]] = {}  # of all fields that have one, in order
    _required: ClassVar[tuple[str, ...]] = ()  # fields without a default, which are no options

    def __init_subclass__(cls, *, heading: str = "") -> None:
        """Collect the options of a class, which `heading` stands above in --help unless they name another group."""
        declared = {name: cls.__dict__.get(name) for name in cls.__annotations__}
        own = [_complete(one, name, cls.__annotations__[name], heading) for name, one in declared.items() if one]
        bases: list[type[Options]] = [base for base in cls.__bases__ if issubclass(base, Options)]
        cls.OPTIONS = (*(one for base in bases for one in base.OPTIONS), *own)
        cls._defaults = {one.name: one.default for one in cls.OPTIONS}
        fields = (name for name in declared if name not in cls._defaults)
        cls._required = (*(name for base in bases for name in base._required), *fields)
        for one in own:
            setattr(cls, one.name, one.default)

    def __init__(self, **values: Any) -> None:  # noqa: ANN401 (the types of the fields)
        for name in self._required:
            if name not in values:
                raise TypeError(f"{type(self).__name__} requires {name}")
        for name in values:
            if name not in self._defaults and name not in self._required:
                raise TypeError(f"{type(self).__name__} has no option {name}")
        vars(self).update(self._defaults | values)
        self.__post_init__()

    def __post_init__(self) -> None:
        """Check the values."""

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{name} cannot be changed")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"{name} cannot be deleted")

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and vars(self) == vars(other)

    def __hash__(self) -> int:
        return hash(frozenset(vars(self).items()))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in vars(self).items())})"


def _complete(made: Option, name: str, annotation: Any, heading: str) -> Option:  # noqa: ANN401 (however a type is written)
    """Return an option with what its place in a class says of it."""
    kind, choices = _kind(annotation)
    return made._replace(
        name=name,
        key=made.key or name.replace("_", "-"),
        kind=kind,
        group=made.group or heading,
        choices=made.choices or choices,
    )


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
