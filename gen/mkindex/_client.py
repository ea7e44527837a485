"""The configuration of a client for an index: look at the index, then say what was seen in the client's own words.

An index that is merely added to the public one is dangerous: whoever publishes a higher version of a project's name
there is believed. So what is printed keeps the projects to their index, as far as the client can.
"""

import re
from dataclasses import dataclass

from mkindex.clients.configurations import TAKEN, written
from mkindex.errors import ConfigError, printable, shown
from mkindex.probe import look

_NAME = re.compile(r"(?=.*[A-Za-z0-9])[A-Za-z0-9._-]+")  # of an index, as uv takes it


@dataclass(frozen=True, kw_only=True, slots=True)
class Options:
    """What is asked for: the options of the command line. Raises ConfigError for a value that makes no sense."""

    target: str
    client: str | None = None  # one of CLIENTS; None: uv, and the others are named
    project: tuple[str, ...] = ()  # names, and patterns of names; none: all
    name: str = ""  # of the index; "": made from its address

    def __post_init__(self) -> None:
        if not self.target:
            raise ConfigError("name an address or a directory: mkindex client https://packages.example.com/simple/")
        if self.target.startswith(("http:", "https:")) and "?" in self.target.partition("#")[0]:
            raise ConfigError(
                f"{shown(self.target)}: what follows the question mark can be a secret, and clients lose it where they "
                "put a project's name behind an address. Give the address without it; passwords belong into ~/.netrc"
            )
        if self.name and (not _NAME.fullmatch(self.name) or self.name.lower() == TAKEN):
            raise ConfigError(
                f"name {printable(self.name)!r}: it is made of letters, digits, hyphens, underscores and periods, and "
                "pypi is another index"
            )
        if self.client == "poetry" and "." in self.name:
            raise ConfigError(
                f"name {self.name!r}: poetry makes a variable of it, which can have no period in its name"
            )


def configuration(options: Options) -> str:
    """Return the text to paste. Raises ConfigError, SourceError, and Failed where nobody answers."""
    return written(look(options.target, options.project), options.client, options.name)
