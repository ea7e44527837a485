"""The configuration file mkindex.toml."""

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from mkindex.config.table import BY_NAME, POLICY_TABLES
from mkindex.errors import ConfigError
from mkindex.options import Option, suggest
from mkindex.text import printable

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:")
_BY_KEY = {one.key: one for one in BY_NAME.values()}


def read_config_file(path: Path, *, found: bool = False) -> dict[str, Any]:
    """Return the values in a mkindex.toml by the names of the options; relative paths are made relative to the file.

    `found`: the user did not name the file, it was in the current directory. Then templates must be below it, and it
    names no command.
    Raises ConfigError if the file cannot be read, for an unknown key, and for a value of the wrong type. Bounds are not
    checked here.
    """
    import tomllib

    try:
        content = tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        # "C:\wheels" and "C:\Users" are not valid TOML.
        is_backslash = str(error).startswith(("Unescaped '\\'", "Invalid hex value"))
        advice = r". Write a path with \ in single quotes" if is_backslash else ""
        raise ConfigError(f"cannot read {printable(str(path))}: {printable(str(error))}{advice}") from error
    values = _policy(content, path)
    for key, value in _without_site(content):
        if key in POLICY_TABLES:
            continue
        try:
            name, checked = _read(key, value, path.parent)
        except ConfigError as error:
            raise ConfigError(f"{printable(str(path))}: {error}") from error
        values[name] = checked
    if found and "on_build" in values:
        raise ConfigError(
            f"{printable(str(path))}: on-build names a command, and this file was found, not named. "
            f"If you trust it, use --config {printable(str(path))}"
        )
    if found and values.get("templates"):
        templates = Path(values["templates"])
        _require_below(path, "templates", (templates, *templates.rglob("*")))
    if found and values.get("site_logo"):
        _require_below(path, "site-logo", (Path(values["site_logo"]),))
    return values


def _policy(content: dict[str, Any], path: Path) -> dict[str, Any]:
    """Return the option `policy` for a file that has a policy itself. Raises ConfigError if it also names another."""
    tables = [table for table in POLICY_TABLES if table in content]
    if tables and "policy" in content:
        raise ConfigError(
            f"{printable(str(path))}: policy names another file, so the table {tables[0]} must be there, not here"
        )
    return {"policy": str(path)} if tables else {}


def _without_site(content: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield keys and values. Those in the table [site] are options of the site, apart from `url`."""
    for key, value in content.items():
        if key != "site" or not isinstance(value, dict):
            yield key, value
            continue
        yield key, True
        for name, setting in value.items():
            yield name if name == "url" else f"{key}-{name}", setting


def _require_below(path: Path, key: str, places: Iterable[Path]) -> None:
    """Raise ConfigError if a file is not below the directory of a configuration: pages would show it."""
    directory = os.path.realpath(path.parent)
    for place in places:
        if not Path(os.path.realpath(place)).is_relative_to(directory):
            file = printable(str(path))
            raise ConfigError(
                f"{file}: {key}: {printable(str(place))} is not below the directory of {file}, which was found, "
                f"not named. If you trust it, use --config {file}"
            )


def _read(key: str, value: Any, directory: Path) -> tuple[str, Any]:  # noqa: ANN401 (whatever TOML can express)
    """Return the name and the value of an option. Raises ConfigError."""
    if key == "sources":
        _check_text(key, value, is_list=True)
        return key, [_relative_to(directory, source) if source != "-" else source for source in value]
    if key == "destination":
        _check_text(key, value)
        return key, _relative_to(directory, value)
    option = _BY_KEY.get(key)
    if option is None:
        raise ConfigError(_unknown(key))
    _check_type(option, value)
    return option.name, _relative_to(directory, value) if option.path else value


def _check_type(option: Option, value: object) -> None:
    if option.kind is bool:
        if not isinstance(value, bool):
            raise ConfigError(f"{option.key} must be true or false")
    elif option.kind is tuple or option.path:
        _check_text(option.key, value, is_list=option.kind is tuple)
    elif isinstance(value, (list, dict)):
        raise ConfigError(f"{option.key} must be one value, not a list or a table")


def _check_text(key: str, value: Any, *, is_list: bool = False) -> None:  # noqa: ANN401 (whatever TOML can express)
    texts: list[Any] = (value if isinstance(value, list) else [None]) if is_list else [value]
    if not all(isinstance(text, str) for text in texts):
        raise ConfigError(f"{key} must be {'a list of strings' if is_list else 'a string'}")
    if any("\0" in text for text in texts):
        raise ConfigError(f"{key} must not contain a NUL character")


def _unknown(key: str) -> str:
    words = {choice: f'{one.key} = "{choice}"' for one in _BY_KEY.values() for choice in one.choices}
    words |= {name: one.key for one in _BY_KEY.values() for name in (one.name.replace("_", "-"), one.key)}
    meant = suggest(key, words | {"sources": "sources", "destination": "destination"})
    return f"unknown key {printable(key)}" + (f" (did you mean {meant}?)" if meant else "")


def _relative_to(directory: Path, location: str) -> str:
    """Return a URL as it is, and a path relative to a directory."""
    return location if _SCHEME.match(location) else os.path.join(directory, location.removeprefix("./"))
