"""Jinja environments, and what a template is given to see. Importing Jinja takes longer than an unchanged index."""

import traceback
from collections.abc import Mapping, Sequence
from dataclasses import fields
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any

import jinja2
from jinja2.sandbox import ImmutableSandboxedEnvironment

from mkindex.errors import TemplateError
from mkindex.model.files import File
from mkindex.model.index import Project, ProjectStatus, Release
from mkindex.text import printable

_PIECES = 10_000  # of text


@cache
def _visible() -> Mapping[type, frozenset[str]]:
    """Return the attributes of our values in the sandbox: nothing of this machine, such as the path of a source.

    Only the user's templates need it, and its classes take some time to be made.
    """
    from mkindex.hosts.fallback import Fallback
    from mkindex.hosts.server_config import ServerConfig
    from mkindex.site import views

    projects = {"name", "files", "file_count", "status", "releases", "offered_releases", "newest"}
    projects |= {"is_quarantined", "is_reserved"}
    files = {"filename", "project", "version", "size", "sha256", "requires_python", "core_metadata"}
    usual = {"scheme", "host", "port", "usual_port", "is_usual_port"}
    servers = {*usual, "path", "origin", "index", "addresses", "digest"}
    people: dict[type, frozenset[str]] = {view: frozenset(one.name for one in fields(view)) for view in views.VIEWS}
    tuples = (views.Required, views.Edge, views.Instructions)
    return {
        Project: frozenset(projects),
        ProjectStatus: frozenset({"status", "reason"}),
        Release: frozenset({"version", "files"}),
        File: frozenset({*files, "upload_time", "yanked", "provenance"}),
        Fallback: frozenset({"url", "name", "refused"}),
        ServerConfig: frozenset({*servers, *(one.name for one in fields(ServerConfig))}),
        **people,
        **{view: frozenset(view._fields) for view in tuples},
    }


class _Sandbox(ImmutableSandboxedEnvironment):
    """Jinja's sandbox, in which our values have no attributes but those in the table."""

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:  # noqa: ANN401 (whatever a template has)
        if type(obj).__module__.startswith("mkindex."):
            return attr in _visible().get(type(obj), frozenset())
        return super().is_safe_attribute(obj, attr, value)


class Renderer:
    """Renders the templates in these directories; the first directory that has one is used."""

    def __init__(self, directories: Sequence[Path], *, sandboxed: bool) -> None:
        self._directories = tuple(map(str, directories))
        make_environment = _Sandbox if sandboxed else jinja2.Environment
        self._environment = make_environment(
            loader=jinja2.FileSystemLoader(directories),
            autoescape=jinja2.select_autoescape(["html", "xml", "svg"]),  # not the configuration of a web server
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            keep_trailing_newline=True,
            auto_reload=False,  # each page would look whether its templates have changed
        )

    def render(self, name: str, context: Mapping[str, object]) -> bytes:
        """Render a template. Raises TemplateError, with template and line, for any error in it.

        An HTML page is ASCII, because not all servers send a charset. Anything else is UTF-8.
        """
        encoding = ("ascii", "xmlcharrefreplace") if name.endswith(".html") else ("utf-8", "strict")
        try:
            # In parts, since a page that names all projects can have a million pieces of text.
            pieces = self._environment.get_template(name).generate(context)
            parts = []
            while some := list(islice(pieces, _PIECES)):
                parts.append("".join(some).encode(*encoding))
        except Exception as error:
            reason = printable(str(error) or type(error).__name__)
            raise TemplateError(f"template {self._position_of(name, error)}: {reason}") from error
        return b"".join(parts)

    def _position_of(self, name: str, error: Exception) -> str:
        """Return the template and line of an error. In a traceback, Jinja's templates have their own frames."""
        if getattr(error, "lineno", None):
            return printable(f"{getattr(error, 'name', None) or name}, line {getattr(error, 'lineno', None)}")
        frames = [f for f in traceback.extract_tb(error.__traceback__) if f.filename.startswith(self._directories)]
        return printable(f"{frames[-1].filename}, line {frames[-1].lineno}") if frames else name
