"""Read a policy file: the tables of mkindex.toml, or of a file of their own, as rules."""

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NoReturn, TypeVar

from packaging.specifiers import InvalidSpecifier

from mkindex.config.checks import TAKEN
from mkindex.config.table import BY_NAME, POLICY_TABLES
from mkindex.errors import ConfigError
from mkindex.model.index import ProjectStatus
from mkindex.model.variants import PLACEHOLDER, VARIANT_NAME, Variants
from mkindex.options import suggest
from mkindex.policy.rules import Keep, Only, Policy, Rule, Status, Times, Versions, Yank, normalize_pattern
from mkindex.policy.tags import PLATFORM, SYSTEMS
from mkindex.policy.times import Limit, parse_age, parse_limit
from mkindex.text import printable

R = TypeVar("R", bound=Rule)

_SINGLE = ("times", "variants")  # tables that a file can have only once
_DIVISIONS: dict[str, Literal["local", "directory", "project"]] = {
    "local": "local",
    "directory": "directory",
    "project": "project",
}
_STATUSES = ("active", "archived", "quarantined", "deprecated")
_OPTIONS = {*POLICY_TABLES, "sources", "destination", *(option.key for option in BY_NAME.values())}
_LARGEST = 1 << 24  # bytes of a file
_PATTERN = re.compile(r"[a-z0-9*?\[\]!-]+")
_PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*")
_PYTHON = re.compile(r"3\.[0-9]{1,2}", re.ASCII)


def read_policy(path: Path) -> Policy:
    """Return the rules in a file. Keys that are no policy are ignored in mkindex.toml, where they are options.

    Raises ConfigError, which names the file and the line.
    """
    return parse_policy(read_text(path), printable(str(path)))


def read_text(path: Path) -> str:
    """Return the text of a policy file. Raises ConfigError."""
    name = printable(str(path))
    try:
        with path.open("rb") as stream:
            data = stream.read(_LARGEST + 1)
        if len(data) > _LARGEST:
            raise ConfigError(f"{name}: larger than {_LARGEST:,} bytes, so it is not a policy")
        return data.decode("utf-8")
    except (OSError, UnicodeError) as error:
        raise ConfigError(f"cannot read {name}: {printable(str(error))}") from error


def parse_policy(text: str, name: str) -> Policy:
    """Return the rules in the text of a file of this name. Raises ConfigError."""
    import tomllib

    try:
        content = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ConfigError(f"cannot read {name}: {printable(str(error))}") from error
    lines = _Lines(name, text)
    for key in content.keys() - _OPTIONS:
        meant = suggest(key, {table: table for table in POLICY_TABLES})
        hint = f"did you mean {meant}?" if meant else f"a policy has the tables {', '.join(POLICY_TABLES)}"
        raise ConfigError(f"{lines.where(key)}: unknown key {printable(key)} ({hint})")
    return Policy(
        yank=_rules(content, "yank", _yank, lines),
        status=_rules(content, "status", _status, lines),
        keep=_rules(content, "keep", _keep, lines),
        only=_rules(content, "only", _only, lines),
        times=_times(content["times"], lines) if "times" in content else None,
        variants=_variants(content["variants"], lines) if "variants" in content else None,
    )


def parse_variants(content: object, name: str) -> Variants:
    """Return the variants in a table that a file of this name has in another form. Raises ConfigError."""
    return _variants(content, _Lines(name, ""))


class _Lines:
    """The lines of the tables and keys of a file, which `tomllib` does not give."""

    def __init__(self, name: str, text: str) -> None:
        self._name = name
        self._lines = text.splitlines()

    def _table(self, table: str, number: int, count: int) -> int | None:
        """Return the line of a table, counted from 1; None if the tables are written in another form."""
        name = re.escape(table)
        header = re.compile(rf"\s*\[\[?\s*[\"']?{name}[\"']?\s*\]\]?\s*(?:#.*)?")
        found = [at for at, line in enumerate(self._lines, 1) if header.fullmatch(line)]
        return found[number] if len(found) == count else None

    def _inline(self, table: str, number: int, count: int) -> str:
        """Return where a table is that is written as the value of a key."""
        key = re.compile(rf"\s*[\"']?{re.escape(table)}[\"']?\s*=")
        found = [at for at, line in enumerate(self._lines, 1) if key.match(line)]
        place = f"{self._name}:{found[0]}" if len(found) == 1 else f"{self._name}: {table}"
        return place + (f" (number {number + 1})" if count > 1 else "")

    def where(self, table: str, number: int = 0, count: int = 1, key: str = "") -> str:
        """Return file and line of a table, or of a key in it."""
        start = self._table(table, number, count)
        if start is None:
            return self._inline(table, number, count)
        pattern = re.compile(rf"\s*[\"']?{re.escape(key)}[\"']?\s*=") if key else None
        for at, line in enumerate(self._lines[start:] if pattern else (), start + 1):
            if pattern and pattern.match(line):
                return f"{self._name}:{at}"
            if line.lstrip().startswith("["):
                break
        return f"{self._name}:{start}"


class _Table:
    """The keys of one table, which are taken one after the other. Errors name the file and the line."""

    def __init__(self, table: str, content: object, lines: _Lines, number: int = 0, count: int = 1) -> None:
        self._table, self._number, self._count, self._lines = table, number, count, lines
        if not isinstance(content, dict):
            brackets = f"[{table}]" if table in _SINGLE else f"[[{table}]]"
            self.refuse("", f"{table} must be a table, written as {brackets}")
        self._left: dict[str, Any] = dict(content)

    @property
    def where(self) -> str:
        return self._lines.where(self._table, self._number, self._count)

    def refuse(self, key: str, text: str) -> NoReturn:
        raise ConfigError(f"{self._lines.where(self._table, self._number, self._count, key)}: {text}")

    def take(self, key: str) -> Any:  # noqa: ANN401 (whatever TOML can express)
        return self._left.pop(key, None)

    def text(self, key: str) -> str:
        """Take a string; "" if there is none."""
        value = self.take(key)
        if value is not None and (not isinstance(value, str) or not value.isprintable()):
            self.refuse(key, f"{key} must be a string of one line")
        return value or ""

    def texts(self, key: str) -> list[str]:
        """Take a list of strings; [] if there is none."""
        value = self.take(key)
        is_list = isinstance(value, list) and value and all(isinstance(one, str) for one in value)
        if value is not None and not is_list:
            self.refuse(key, f"{key} must be a list of strings")
        return value or []

    def count(self, key: str) -> int | None:
        value = self.take(key)
        if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < 0):
            self.refuse(key, f"{key} must be a number of releases, not {printable(repr(value))}")
        return value

    def project(self) -> str:
        pattern = normalize_pattern(self.text("project"))
        if not pattern:
            self.refuse("", f'[[{self._table}]] needs a project: a name, or a pattern such as "acme-*"')
        return self.pattern("project", pattern)

    def pattern(self, key: str, pattern: str) -> str:
        if not _PATTERN.fullmatch(pattern):
            self.refuse(
                key, f'{key} {printable(pattern)!r} can match no project: use a name, or a pattern such as "acme-*"'
            )
        return pattern

    def versions(self) -> Versions | None:
        text = self.text("versions")
        try:
            return Versions(text) if text else None
        except InvalidSpecifier:
            self.refuse(
                "versions", f'versions must be a specifier such as "==1.1" or ">=2,<3", not {printable(text)!r}'
            )

    def limit(self, key: str, parse: Callable[[object], Limit | None], example: str) -> Limit | None:
        value = self.take(key)
        limit = None if value is None else parse(value)
        if value is not None and limit is None:
            self.refuse(key, f"{key} must be {example}, not {printable(str(value))!r}")
        return limit

    def end(self, known: Sequence[str]) -> None:
        """Raise ConfigError for a key that was not taken."""
        for key in self._left:
            meant = suggest(key, {one: one for one in known})
            hint = f" (did you mean {meant}?)" if meant else f". {self._table} has {', '.join(known)}"
            self.refuse(key, f"unknown key {printable(key)}{hint}")


def _rules(content: Mapping[str, Any], name: str, read: Callable[[_Table], R], lines: _Lines) -> tuple[R, ...]:
    tables = content.get(name, [])
    if not isinstance(tables, list):
        _Table(name, None, lines)
    return tuple(read(_Table(name, one, lines, number, len(tables))) for number, one in enumerate(tables))


def _yank(table: _Table) -> Yank:
    versions, files = table.versions(), table.text("files")
    if versions is not None and files:
        table.refuse("files", "give versions or files, not both")
    yanked = table.take("yanked")
    if yanked is not None and not isinstance(yanked, bool):
        table.refuse("yanked", "yanked must be true or false")
    reason = table.text("reason")
    if yanked is False and reason:
        table.refuse("reason", "yanked = false has no reason")
    rule = Yank(
        where=table.where,
        project=table.project(),
        versions=versions,
        files=files,
        reason=reason,
        yanked=yanked is not False,
    )
    table.end(("project", "versions", "files", "reason", "yanked"))
    return rule


def _status(table: _Table) -> Status:
    name, reason = table.text("status"), table.text("reason")
    if name not in _STATUSES:
        given = f"not {printable(name)!r}" if name else "and is missing"
        table.refuse("status", f"status must be {', '.join(_STATUSES[:-1])} or {_STATUSES[-1]}, {given}")
    if name == "active" and reason:
        table.refuse("reason", "status active has no reason")
    status = None if name == "active" else ProjectStatus(name, reason or None)
    rule = Status(where=table.where, project=table.project(), status=status)
    table.end(("project", "status", "reason"))
    return rule


def _keep(table: _Table) -> Keep:
    rule = Keep(
        where=table.where,
        project=table.project(),
        newest=table.count("newest"),
        prereleases=table.count("prereleases"),
        younger_than=table.limit("younger-than", parse_age, 'an age such as "30d", "12h" or "8w"'),
    )
    table.end(("project", "newest", "prereleases", "younger-than"))
    if rule.newest is None and rule.prereleases is None and rule.younger_than is None:
        table.refuse("", "[[keep]] needs newest, prereleases or younger-than")
    return rule


def _only(table: _Table) -> Only:
    platforms, pythons = table.texts("platforms"), table.texts("pythons")
    for platform in platforms:
        if platform not in SYSTEMS and not PLATFORM.fullmatch(platform):
            known = ", ".join(SYSTEMS)
            table.refuse(
                "platforms", f"platforms: {printable(platform)!r} is neither {known} nor a tag such as win_amd64"
            )
    for python in pythons:
        if not _PYTHON.fullmatch(python):
            table.refuse("pythons", f"pythons: {printable(python)!r} is not a version such as 3.12")
    rule = Only(
        where=table.where,
        project=table.project(),
        versions=table.versions(),
        platforms=tuple(platforms),
        pythons=tuple((int(major), int(minor)) for major, _, minor in (one.partition(".") for one in pythons)),
    )
    table.end(("project", "versions", "platforms", "pythons"))
    if rule.versions is None and not platforms and not pythons:
        table.refuse("", "[[only]] needs versions, platforms or pythons")
    return rule


def _times(content: object, lines: _Lines) -> Times:
    table = _Table("times", content, lines)
    cutoff = table.limit("cutoff", parse_limit, 'an age such as "7d", or a date')
    exempt = tuple(table.pattern("exempt", normalize_pattern(one)) for one in table.texts("exempt"))
    table.end(("cutoff", "exempt"))
    if cutoff is None:
        table.refuse("", "[times] needs cutoff")
    return Times(where=table.where, cutoff=cutoff, exempt=exempt)


def _variants(content: object, lines: _Lines) -> Variants:
    table = _Table("variants", content, lines)
    by, pattern, path, default = (table.text(key) for key in ("by", "pattern", "path", "default"))
    table.end(("by", "pattern", "path", "default"))
    if by not in _DIVISIONS:
        table.refuse("by", f"by must be local, directory or project, {f'not {by!r}' if by else 'and is missing'}")
    if by == "project" and not pattern:
        table.refuse("", "by = project needs a pattern, such as 'cu\\d+'")
    parts = path.split("/") if path else [PLACEHOLDER]
    if parts.count(PLACEHOLDER) != 1 or not all(_PART.fullmatch(part) for part in parts if part != PLACEHOLDER):
        table.refuse("path", f"path must be a relative path with {PLACEHOLDER} as one of its parts, not {path!r}")
    if parts[0] in TAKEN:
        table.refuse("path", f"path must not begin with {parts[0]}, which is taken")
    if default and not VARIANT_NAME.fullmatch(default):
        table.refuse("default", f"default {default!r} cannot be the name of a variant: use a-z, 0-9 and . _ -")
    try:
        return Variants(by=_DIVISIONS[by], pattern=pattern, default=default, **({"path": path} if path else {}))
    except re.error as error:
        table.refuse("pattern", f"pattern cannot be used: {error}")
