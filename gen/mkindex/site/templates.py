"""The templates that come with mkindex, and the user's in their place."""

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
    """The Jinja templates that come with mkindex, any of them replaced by one of the same name in `override`."""

    def __init__(self, override: Path | None = None) -> None:
        # Beside the module in an installed package; in a checkout two directories up.
        packaged = Path(__file__).parents[1] / "templates"
        shipped = packaged if packaged.is_dir() else Path(__file__).parents[3] / "templates"
        self._directories = [shipped] if override is None else [override, shipped]

    @cached_property
    def digest(self) -> str:
        """A digest of every template, by name: pages are made anew when one changes."""
        digest = hashlib.sha256()
        for directory in self._directories:
            for path in sorted(directory.rglob("*")):
                if path.is_file():
                    content = path.read_bytes()
                    digest.update(f"{path.relative_to(directory).as_posix()}\n{len(content)}\n".encode() + content)
        return digest.hexdigest()

    def render(self, name: str, **context: object) -> bytes:
        """Render one template: to ASCII if it is a page, since servers that name no charset make readers guess one.

        What is no page is UTF-8. Raises TemplateError, which names template and line, for whatever goes wrong in it.
        """
        try:
            text = self._environment.get_template(name).render(context)
        except Exception as error:
            raise TemplateError(f"template {self._culprit(name, error)}: {printable(str(error))}") from error
        return text.encode("ascii", "xmlcharrefreplace") if name.endswith(".html") else text.encode()

    def _culprit(self, name: str, error: Exception) -> str:
        """Return the template and line of an error: Jinja gives templates frames of their own in a traceback."""
        if getattr(error, "lineno", None):
            return printable(f"{getattr(error, 'name', None) or name}, line {getattr(error, 'lineno', None)}")
        directories = tuple(map(str, self._directories))
        frames = [f for f in traceback.extract_tb(error.__traceback__) if f.filename.startswith(directories)]
        return printable(f"{frames[-1].filename}, line {frames[-1].lineno}") if frames else name

    @cached_property
    def _environment(self) -> "Environment":
        import jinja2  # takes longer to import than an unchanged index takes to check

        return jinja2.Environment(
            loader=jinja2.FileSystemLoader(self._directories),
            autoescape=jinja2.select_autoescape(["html"]),  # a web server's configuration is no HTML
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            keep_trailing_newline=True,
        )
