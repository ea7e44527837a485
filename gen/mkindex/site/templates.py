"""The templates of pages: those of mkindex, or the user's in their place."""

import hashlib
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from mkindex.errors import TemplateError
from mkindex.text import printable

if TYPE_CHECKING:
    from mkindex.site.confined import ConfinedRenderer
    from mkindex.site.jinja import Renderer


_WORDS = "site/words.toml"  # the catalogue of all words of the pages for people


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

    @cached_property
    def words(self) -> Mapping[str, str]:
        """All words of the pages for people. A catalogue of the user's own need not have all of them.

        Raises TemplateError if that cannot be read.
        """
        shipped, *own = map(_read_words, reversed(self._directories))
        for words in own:
            if unknown := [key for key in words if key not in shipped]:
                raise TemplateError(f"{_WORDS}: unknown key {printable(unknown[0])}. Remove it")
            shipped |= words
        return shipped

    @property
    def unused(self) -> list[Path]:
        """The user's files that replace no template of mkindex."""
        own, shipped = self._directories[0], self._directories[-1]
        if own is shipped:
            return []
        files = sorted(path for path in own.rglob("*") if path.is_file())
        return [path for path in files if not (shipped / path.relative_to(own)).is_file()]

    def has_own(self, *names: str) -> bool:
        """Tell whether the user replaces one of these templates."""
        return any((directory / name).is_file() for directory in self._directories[:-1] for name in names)

    def render(self, name: str, /, **context: object) -> bytes:
        """Render a template: ASCII if it is HTML, else UTF-8. Raises TemplateError."""
        return self._renderer.render(name, context)

    @cached_property
    def _renderer(self) -> "Renderer | ConfinedRenderer":
        if len(self._directories) > 1:
            from mkindex.site.confined import ConfinedRenderer

            return ConfinedRenderer(self._directories)
        from mkindex.site.jinja import Renderer

        return Renderer(self._directories, sandboxed=False)


def _read_words(directory: Path) -> dict[str, str]:
    import tomllib

    path = directory / _WORDS
    if not path.is_file():
        return {}
    try:
        words = tomllib.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise TemplateError(f"cannot read {printable(str(path))}: {printable(str(error))}") from error
    if wrong := [key for key, text in words.items() if not isinstance(text, str)]:
        raise TemplateError(f"{printable(str(path))}: {printable(wrong[0])} must be a string")
    return words
