"""A second index that answers for projects that an index does not have, but never for reserved names.

So clients that cannot restrict a project to one index, such as pip, get a single address that is safe.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Self

from mkindex.hosts.public_url import PublicUrl, parse_public_url
from mkindex.hosts.reserved import LONGEST_NAME, NORMAL_NAME, Reserved


@dataclass(frozen=True, kw_only=True)
class Fallback:
    """The second index, and the names that it never answers for. Raises InvalidOption for an invalid address."""

    address: str
    reserved: Reserved = field(default_factory=lambda: Reserved(()))

    def __post_init__(self) -> None:
        _ = self._parsed

    @cached_property
    def _parsed(self) -> PublicUrl:
        # "+", as in the addresses of devpi, means nothing where a configuration has this address.
        return parse_public_url(self.address.replace("+", "-"), "fallback")

    def with_reserved(self, globs: Iterable[str]) -> Self:
        """Return this fallback with further reserved names. Invalid globs are ignored."""
        valid = filter(Reserved.is_glob, globs)
        return replace(self, reserved=Reserved(tuple(dict.fromkeys((*valid, *self.reserved.given)))))

    @property
    def url(self) -> str:
        """The address with a slash at its end."""
        return f"{self.address.rstrip('/')}/"

    @property
    def name(self) -> str:
        """A regular expression for a name that it may be asked for, unless one of `refused` matches the whole name."""
        return NORMAL_NAME

    @property
    def refused(self) -> tuple[str, ...]:
        """Regular expressions for the names that it must not be asked for."""
        return f"[^/]{{{LONGEST_NAME + 1},}}", *self.reserved.expressions

    @property
    def is_plain_http(self) -> bool:
        """Whether anybody on the network path can answer in its place."""
        return self._parsed.scheme == "http" and not self._parsed.is_loopback

    def page_of(self, name: str) -> str | None:
        """Return the page of a project that the index does not have; None if the second index must not be asked.

        Only normalized names may be: the second index could take another spelling for a reserved name.
        """
        is_normal = len(name) <= LONGEST_NAME and re.fullmatch(NORMAL_NAME, name)
        return f"{self.url}{name}/" if is_normal and not self.reserved.has(name) else None
