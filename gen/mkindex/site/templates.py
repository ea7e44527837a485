"""The Jinja templates of pages: those of mkindex, or the user's in their place."""

import hashlib
import traceback
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from mkindex.errors import TemplateError
from mkindex.text import printable

if TYPE_CHECKING:
    from jinja2 import Environment


class Templates:
    """The templates of mkindex. A template of the same name in the directory `override` replaces one of them."""

    def __init__(self, override: Path | None = None) -> None:
        # In an installed package, templates are in the package; in a checkout, at the top.
        packaged = Path(__file__).parents[1] / "templates"
        shipped = packaged if packaged.is_dir() else Path(__file__).parents[3] / "templates"
        self._directories = [shipped] if override is None else [override, shipped]

    @cached_property
    def digest(self) -> str:
        """A digest of all templates: if one of them changes, all pages are rendered again."""
        digest = hashlib.sha256()
        for directory in self._directories:
            for path in sorted(directory.rglob("*")):
                if path.is_file():
                    content = path.read_bytes()
                    digest.update(f"{path.relative_to(directory).as_posix()}\n{len(content)}\n".encode() + content)
        return digest.hexdigest()

    def render(self, name: str, **context: object) -> bytes:
        """Render a template. Raises TemplateError, with template and line, for any error in it.

        An HTML page is ASCII, because not all servers send a charset. Anything else is UTF-8.
        """
        try:
            text = self._environment.get_template(name).render(context)
        except Exception as error:
            raise TemplateError(f"template {self._position_of(name, error)}: {printable(str(error))}") from error
        return text.encode("ascii", "xmlcharrefreplace") if name.endswith(".html") else text.encode()

    def _position_of(self, name: str, error: Exception) -> str:
        """Return the template and line of an error. In a traceback, Jinja's templates have their own frames."""
        if getattr(error, "lineno", None):
            return printable(f"{getattr(error, 'name', None) or name}, line {getattr(error, 'lineno', None)}")
        directories = tuple(map(str, self._directories))
        frames = [f for f in traceback.extract_tb(error.__traceback__) if f.filename.startswith(directories)]
        return printable(f"{frames[-1].filename}, line {frames[-1].lineno}") if frames else name

    @cached_property
    def _environment(self) -> "Environment":
        import jinja2  # importing it takes longer than checking an unchanged index

        return jinja2.Environment(
            loader=jinja2.FileSystemLoader(self._directories),
            autoescape=jinja2.select_autoescape(["html"]),  # not the configuration of a web server
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            keep_trailing_newline=True,
        )
