"""How a site for people looks: title, logo, colour and so on, checked and read."""

import os
from dataclasses import dataclass
from functools import cached_property

from mkindex.config import Config
from mkindex.errors import ConfigError
from mkindex.hosts.public_url import parse_public_url
from mkindex.text import printable
from mkindex.tree.manifest import digest
from mkindex.tree.names import ASSETS_DIRECTORY

_LOGOS = (".svg", ".png", ".webp", ".jpg", ".jpeg", ".gif")
MAX_LOGO = 1_000_000  # bytes
LOGO_PATHS = tuple(f"{ASSETS_DIRECTORY}/logo{suffix}" for suffix in _LOGOS)
_COLOR = "#2b5f9e"


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What the user decides about the site."""

    title: str = "Python package index"
    description: str = ""
    footer: str = ""
    color: str = _COLOR
    url: str = ""  # public address of the root, with a slash at the end
    readme_images: bool = False
    logo: tuple[str, bytes] | None = None  # path in the tree, and contents

    @cached_property
    def key(self) -> str:
        """A digest of all settings."""
        path, content = self.logo or ("", b"")
        return digest(
            self.title, self.description, self.footer, self.color, self.url, self.readme_images, path, content.hex()
        )


def read_settings(config: Config) -> Settings:
    """Return the settings in a configuration. Raises ConfigError if the logo cannot be used."""
    return Settings(
        title=config.site_title or Settings.title,
        description=config.site_description or "",
        footer=config.site_footer or "",
        color=config.site_color or _COLOR,
        url=str(parse_public_url(config.url)) if config.url else "",
        readme_images=config.site_readme_images,
        logo=_read_logo(config.site_logo) if config.site_logo else None,
    )


def _read_logo(path: str) -> tuple[str, bytes]:
    suffix, shown = os.path.splitext(path)[1].lower(), printable(path)
    if suffix not in _LOGOS:
        raise ConfigError(f"logo {shown}: not an image that browsers show. Use one of {', '.join(_LOGOS)}")
    try:
        with open(path, "rb") as file:
            content = file.read(MAX_LOGO + 1)
    except OSError as error:
        raise ConfigError(f"cannot read the logo {shown}: {error.strerror}") from error
    if len(content) > MAX_LOGO:
        raise ConfigError(f"logo {shown}: more than {MAX_LOGO:,} bytes. Make it smaller: every page shows it")
    return f"{ASSETS_DIRECTORY}/logo{suffix}", content
