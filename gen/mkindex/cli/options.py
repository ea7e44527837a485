"""The table of options as options of commands, and commands that show them in groups."""

import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.core import ParameterSource

from mkindex.cli.terminal import DONE, reader_may_leave
from mkindex.config.table import BY_NAME
from mkindex.errors import ConfigError
from mkindex.options import InvalidOption, Option, suggest
from mkindex.text import printable

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

F = TypeVar("F", bound=Callable[..., Any])

CONTEXT_SETTINGS: dict[str, Any] = {
    "auto_envvar_prefix": "MKINDEX",
    "help_option_names": ["-h", "--help"],
    "max_content_width": 100,
}
_CONFIG_FILE = f"{__name__}.config_file"  # in ctx.meta: the path of the file that was read
_OTHER = "Other options"
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_HOST_AND_PORT = re.compile(r"(?P<host>localhost|[\w-]+(?:\.[\w-]+)+|\[[0-9a-fA-F:]+\]):\d{1,5}(?:/\S*)?", re.ASCII)


class GroupedOption(click.Option):
    """An option that is shown below the heading `group`."""

    def __init__(self, *args: Any, group: str = _OTHER, **attributes: Any) -> None:  # noqa: ANN401 (as click has it)
        super().__init__(*args, **attributes)
        self.group = group


class Size(click.ParamType[int]):
    """A number of bytes, which may have a unit: 500MB, 5GB, 2GiB."""

    name = "size"
    _UNITS = {unit: 1000**power for power, unit in enumerate(["", "k", "m", "g", "t"])} | {
        f"{unit}i": 1024**power for power, unit in enumerate(["k", "m", "g", "t"], 1)
    }

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:  # noqa: ANN401
        match = re.fullmatch(r"(\d+(?:\.\d+)?) ?([kmgt]?i?)b?", str(value).strip(), re.IGNORECASE | re.ASCII)
        if not match or match[2].lower() not in self._UNITS:
            self.fail(f"{value!r} is not a size. Give bytes, or a number with a unit: 500MB, 5GB, 2GiB", param, ctx)
        return int(float(match[1]) * self._UNITS[match[2].lower()])


class Duration(click.ParamType[float]):
    """A number of seconds within bounds, which may have a unit: 90, 30s, 15m, 2h, 7d, 4w."""

    name = "duration"

    def __init__(self, number: click.ParamType[Any]) -> None:
        self._number = number  # checks the bounds

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:  # noqa: ANN401
        text = str(value).strip().lower()
        number = text.rstrip("smhdw").rstrip()
        unit = text.removeprefix(number).strip()
        try:
            seconds = float(number) * _SECONDS[unit]
        except (ValueError, KeyError):
            self.fail(f"{value!r} is not a time. Give seconds, or a number with a unit: 30s, 15m, 2h, 7d", param, ctx)
        return self._number.convert(int(seconds) if seconds.is_integer() else str(seconds), param, ctx)


class Location(click.ParamType[str]):
    """A path or a URL. Shells complete it as a path.

    A host with a port, such as localhost:8000/simple/, is completed to a URL unless there is such a path.
    """

    name = "location"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:  # noqa: ANN401
        del param, ctx
        return with_scheme(str(value))

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> "list[CompletionItem]":
        from click.shell_completion import CompletionItem

        del ctx, param
        return [CompletionItem(incomplete, type="file")]


class Command(click.Command):
    """A command that groups its options below headings, and reports errors as usage errors with options as typed."""

    def make_context(self, *arguments: Any, **more: Any) -> click.Context:  # noqa: ANN401 (as click has it)
        with reader_may_leave():  # --help prints while arguments are parsed
            return super().make_context(*arguments, **more)
        raise click.exceptions.Exit(DONE)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            raise click.UsageError(_suggest_option(error.option_name, self.get_params(ctx)), ctx) from error
        except click.BadParameter as error:
            raise _from_elsewhere(error, ctx) from error

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401 (what the command returns)
        try:
            return super().invoke(ctx)
        except InvalidOption as error:
            raise click.UsageError(as_typed(error, ctx), ctx) from error
        except ConfigError as error:
            raise click.UsageError(str(error), ctx) from error

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for group, records in self.option_groups(ctx).items():
            with formatter.section(group):
                formatter.write_dl(records)

    def option_groups(self, ctx: click.Context) -> dict[str, list[tuple[str, str]]]:
        """Return how each option is written and what it does, by the heading that it is below."""
        groups: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(ctx):
            if isinstance(parameter, click.Option) and (record := parameter.get_help_record(ctx)):
                group = parameter.group if isinstance(parameter, GroupedOption) else ""
                groups.setdefault(group or (_OTHER if len(groups) > 1 else "Options"), []).append(record)
        return groups


def with_scheme(location: str) -> str:
    """Return a host with a port as a URL, unless there is such a path; anything else as it is."""
    found = _HOST_AND_PORT.fullmatch(location)
    if not found or os.path.exists(location):
        return location
    is_local = found["host"] in ("localhost", "[::1]") or found["host"].startswith("127.")
    return f"{'http' if is_local else 'https'}://{location}"


def click_option(option: Option, *, default: Any = None, **attributes: Any) -> Callable[[F], F]:  # noqa: ANN401
    """Return the decorator for an option of the table, which may have a default of its own in one command."""
    text = str(default) if default is not None else option.default_text
    return click.option(
        *([option.short] if option.short else []),
        option.flag,
        option.name,
        cls=GroupedOption,
        # The environment variable is named after the key, which can differ from the name.
        envvar=option.variable,
        allow_from_autoenv=False,
        metavar=option.metavar or None,
        default=option.default if default is None else default,
        help=f"{option.help}  [default: {text}]" if text else option.help,
        **{**_click_type(option), "group": option.group, **attributes},
    )


def _suggest_option(given: str, parameters: Sequence[click.Parameter]) -> str:
    """Return the message for an option that does not exist, with the one that is probably meant."""
    choices, names = dict[str, str](), dict[str, str]()
    for one in parameters:
        for flag in (flag for flag in one.opts if flag.startswith("--")):
            names |= dict.fromkeys((str(one.name).replace("_", "-"), flag.removeprefix("--")), flag)
            if isinstance(one.type, click.Choice):
                choices |= {choice: f"{flag} {choice}" for choice in one.type.choices}
    meant = suggest(given, choices | names)
    return f"unknown option {printable(given)}" + (f" (did you mean {meant}?)" if meant else "")


def _click_type(option: Option) -> dict[str, Any]:
    if option.kind is bool:
        return {"is_flag": True}
    if option.kind is tuple:
        return {"multiple": True}
    if option.choices:
        return {"type": click.Choice(option.choices)}
    if option.unit == "bytes":
        return {"type": Size()}
    if option.kind in (int, float):
        number: Any = click.IntRange if option.kind is int else click.FloatRange
        in_bounds = number(min=option.minimum, max=option.maximum)
        return {"type": Duration(in_bounds) if option.unit == "seconds" else in_bounds}
    return {
        "type": {"file": click.Path(), "directory": click.Path(), "location": Location()}.get(option.path, click.STRING)
    }


def click_options(options: Sequence[Option]) -> Callable[[F], F]:
    """Return one decorator for several options of the table, which are shown in this order."""

    def decorate(function: F) -> F:
        for option in reversed(options):
            function = click_option(option)(function)
        return function

    return decorate


def read_config(ctx: click.Context, parameter: click.Parameter, value: Path | None) -> None:
    """Take defaults from mkindex.toml: the value of --config, or the file in the current directory if there is one."""
    del parameter
    path = value or Path("mkindex.toml")
    if value or path.is_file():
        from mkindex.config_file import read_config_file

        ctx.meta[_CONFIG_FILE] = str(path)
        try:
            ctx.default_map = read_config_file(path, found=value is None)
        except ConfigError as error:
            raise click.UsageError(str(error), ctx) from error


config_option = click.option(
    "--config",
    cls=GroupedOption,
    type=click.Path(path_type=Path),
    metavar="FILE",
    is_eager=True,
    expose_value=False,
    callback=read_config,
    help="Read options from this file.  [default: ./mkindex.toml, if it exists]",
)


def as_typed(error: InvalidOption, ctx: click.Context) -> str:
    """Return the text of an error with each option named as the user gave it.

    That is `--jobs` from the command line, `MKINDEX_JOBS` from the environment and `jobs` from mkindex.toml. An option
    that was not given is named like the first one that was.
    """
    sources = {name: _source(ctx, name) for name in error.options}
    given = [source for source in sources.values() if source is not None]
    usual = given[0] if given else ParameterSource.COMMANDLINE
    used = {name: source or usual for name, source in sources.items()}
    file = ctx.meta.get(_CONFIG_FILE, "")
    only_file = set(used.values()) == {ParameterSource.DEFAULT_MAP}

    def spell(name: str) -> str:
        key = BY_NAME[name].key if name in BY_NAME else name.replace("_", "-")
        if used[name] is ParameterSource.ENVIRONMENT:
            return f"MKINDEX_{key.replace('-', '_').upper()}"
        if used[name] is ParameterSource.DEFAULT_MAP:
            return key if only_file else f"{key} (in {file})"
        return f"--{key}"

    return f"{file}: {error.named(spell)}" if only_file else error.named(spell)


def governing_policy(ctx: click.Context, destination: str) -> str | None:
    """Return the policy file that governs a destination; None if there is none.

    That is the one of --policy, or of the mkindex.toml whose destination it is: that file, if it names no other.
    """
    if _source(ctx, "policy") in (ParameterSource.COMMANDLINE, ParameterSource.ENVIRONMENT):
        return str(ctx.params["policy"])
    defaults = ctx.default_map or {}
    if "destination" in defaults and os.path.realpath(defaults["destination"]) == os.path.realpath(destination):
        return str(defaults.get("policy") or ctx.meta[_CONFIG_FILE])
    return None


def given_options(ctx: click.Context) -> frozenset[str]:
    """Return the names of the options that have a value from the command line, the environment or mkindex.toml."""
    return frozenset(name for name in ctx.params if _source(ctx, name) is not None)


def _source(ctx: click.Context, name: str) -> ParameterSource | None:
    """Return where the value of an option is from, or None if it is the default."""
    source = ctx.get_parameter_source(name)
    given = (ParameterSource.COMMANDLINE, ParameterSource.ENVIRONMENT, ParameterSource.DEFAULT_MAP)
    return source if source in given else None


def _from_elsewhere(error: click.BadParameter, ctx: click.Context) -> click.UsageError:
    """Name the key or the variable of a value that is not from the command line."""
    name = error.param.name if error.param else None
    source = _source(ctx, name) if name else None
    if name is None or name not in BY_NAME or source in (None, ParameterSource.COMMANDLINE):
        return error
    if source is ParameterSource.ENVIRONMENT:
        return click.UsageError(f"{BY_NAME[name].variable}: {error.message}", ctx)
    return click.UsageError(f"{ctx.meta.get(_CONFIG_FILE)}: {BY_NAME[name].key}: {error.message}", ctx)
