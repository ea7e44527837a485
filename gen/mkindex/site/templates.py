"""The templates of pages: those of mkindex, or the user's in their place."""

import hashlib
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mkindex.site.confined import ConfinedRenderer
    from mkindex.site.jinja import Renderer


class Templates:
    """The templates of mkindex. A template of the same name in the directory `override` replaces one of them.

    Templates of the user may be part of a repository that somebody else wrote, in which mkindex is only run. So they
    are confined: they run in a sandbox, in a process whose memory and time are limited.
    """

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
        """Render a template: ASCII if it is HTML, else UTF-8. Raises TemplateError."""
        return self._renderer.render(name, context)

    @cached_property
    def _renderer(self) -> "Renderer | ConfinedRenderer":
        if len(self._directories) > 1:
            from mkindex.site.confined import ConfinedRenderer

            return ConfinedRenderer(self._directories)
        from mkindex.site.jinja import Renderer

        return Renderer(self._directories, sandboxed=False)
