"""The options of a build: their table, and a checked set of values."""

from typing import Any, Self
from urllib.parse import urlsplit

from mkindex.config.checks import check
from mkindex.config.table import BuildOptions


class Config(BuildOptions):
    """The sources, the destination and the options of one build.

    Raises ConfigError for a value that cannot be used.
    """

    def __post_init__(self) -> None:
        check(self)

    def replace(self, **changes: Any) -> Self:  # noqa: ANN401 (the types of the fields)
        """Return these options with some changes. Raises ConfigError."""
        return type(self)(**vars(self) | changes)

    @property
    def inputs(self) -> tuple[str, ...]:
        """Everything that files are taken from: the sources, and the lock of build requirements."""
        return (*self.sources, *filter(None, [self.build_requires]))

    @property
    def named_hosts(self) -> set[str]:
        """The hosts that options name, besides those of sources."""
        return {*self.trust_host, *(urlsplit(url).hostname or "" for url in (self.files_url, self.url) if url)}
