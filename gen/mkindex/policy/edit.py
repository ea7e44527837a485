"""Edit the text of a policy file. Comments, order and spacing of everything else stay (tomlkit, the extra `policy`)."""

import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from mkindex.errors import ConfigError
from mkindex.policy.rules import normalize_pattern
from mkindex.text import printable

if TYPE_CHECKING:
    from tomlkit import TOMLDocument

_NO_SPACE = re.compile(r"(^[^#\n].*\n)(?=\[)", re.MULTILINE)  # a line that a table follows at once
_TOO_MUCH_SPACE = re.compile(r"\n{3,}")
_SELECTORS = ("project", "versions", "files")  # the keys of [[yank]] that say what it is for


def set_yank(text: str, selector: Mapping[str, str], values: Mapping[str, Any], name: str) -> str:
    """Return the text with one rule of [[yank]] for a selector, as the last rule, with these values.

    `selector` has the keys `project` and maybe `versions` or `files`; `name` is that of the file, for errors.
    """
    document = _without(text, "yank", lambda rule: _selector(rule) == _selector(selector), name)
    _append(document, "yank", {**selector, **values})
    return _spaced(document, text)


def drop_yank(text: str, selector: Mapping[str, str], name: str) -> str:
    """Return the text without the rules of [[yank]] for exactly this selector."""
    return _spaced(_without(text, "yank", lambda rule: _selector(rule) == _selector(selector), name), text)


def set_status(text: str, project: str, status: str, reason: str, name: str) -> str:
    """Return the text with one rule of [[status]] for a project, as the last rule."""
    document = _without(text, "status", lambda rule: _selector(rule) == _selector({"project": project}), name)
    _append(document, "status", {"project": project, "status": status} | ({"reason": reason} if reason else {}))
    return _spaced(document, text)


def _spaced(document: "TOMLDocument", before: str) -> str:
    """Return the text of a document, with a blank line before each table if the text `before` has these lines.

    What tomlkit adds and removes leaves none, or two.
    """
    text = f"{document.as_string().strip()}\n"
    if not _NO_SPACE.search(before):
        text = _NO_SPACE.sub(r"\1\n", text)
    return text if _TOO_MUCH_SPACE.search(before) else _TOO_MUCH_SPACE.sub("\n\n", text)


def _selector(rule: Mapping[str, Any]) -> tuple[str, ...]:
    """Return what a rule is for, in one spelling."""
    project, versions, files = (str(rule.get(key, "")) for key in _SELECTORS)
    return normalize_pattern(project), "".join(versions.split()), files


def _without(text: str, table: str, matches: Callable[[Mapping[str, Any]], bool], name: str) -> "TOMLDocument":
    """Return the document without the rules of a table that match."""
    try:
        import tomlkit
    except ImportError as error:
        raise ConfigError(
            f"to edit {printable(name)}, mkindex needs tomlkit: install mkindex with its extra `policy`. Or edit it "
            "yourself and build"
        ) from error
    document = tomlkit.parse(f"{text.rstrip()}\n")
    rules = document.get(table, [])
    for at in reversed(range(len(rules))):
        if matches(rules[at]):
            del rules[at]
    if table in document and not rules:
        del document[table]
    return document


def _append(document: "TOMLDocument", table: str, values: Mapping[str, Any]) -> None:
    """Add a rule after those of its table; the first rule of a table is added at the end of the document."""
    import tomlkit
    from tomlkit.items import AoT

    rule = tomlkit.table()
    for key, value in values.items():
        rule.add(key, value)
    if table not in document:
        document.add(table, tomlkit.aot())
    rules = document[table]
    if isinstance(rules, AoT):
        rules.append(rule)
    else:  # an array of inline tables
        inline = tomlkit.inline_table()
        inline.update(dict(values))
        rules.append(inline)
