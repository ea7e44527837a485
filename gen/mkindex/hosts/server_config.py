"""The values from which the configuration of a web server is rendered.

A configuration does not depend on the pages of the tree: content negotiation, media types and caching follow from names
that every tree has. So it stays valid when other files are published.
"""

import hashlib
import ipaddress
from dataclasses import dataclass
from functools import cached_property

from mkindex.hosts.fallback import Fallback
from mkindex.hosts.public_url import PublicUrl, parse_public_url
from mkindex.options import InvalidOption
from mkindex.text import printable

# A server would read more than the character itself into these, even within quotes: escapes, variables, globs, quotes.
_SPECIAL = "\"'`\\${}[]*?"


@dataclass(frozen=True, kw_only=True)
class ServerConfig:
    """One index on one web server. Raises InvalidOption for a value that a configuration cannot hold.

    `root` is the directory of the tree on that server and `url` its public address. `users` is the file of those who
    may read it; None means everybody. `certificate` and `key` are the files for https; None means where the server's
    usual ACME client puts them. `listen` is the IP address to listen on; None means loopback if the host of `url` is
    this machine, and every address otherwise. `simple` is the path of the index in the tree, with a slash at its end,
    or "". `fallback` answers for projects that the tree does not have.
    """

    root: str
    url: str
    users: str | None = None
    certificate: str | None = None
    key: str | None = None
    listen: str | None = None
    simple: str = "simple/"
    fallback: Fallback | None = None

    def __post_init__(self) -> None:
        for option in ("root", "users", "certificate", "key"):
            _check_path(option, getattr(self, option))
        if not self.root.strip("/"):
            raise InvalidOption("root", "/ would publish every file of the machine: give the directory of the tree")
        parse_public_url(self.url)
        if self.listen is not None and _ip_address(self.listen) is None:
            wanted = "must be an IP address without a port, such as 0.0.0.0 for all addresses, not {value!r}"
            raise InvalidOption("listen", wanted, value=printable(self.listen))
        if self.fallback and self.fallback.url.lower().startswith(f"{self._url}".lower()):
            raise InvalidOption("fallback", "must be another index than that of {url}, {value}", value=self._url)
        if (self.certificate is None) != (self.key is None):
            raise InvalidOption("certificate", "and {key} require each other")
        if self.certificate is not None and self.scheme == "http":
            raise InvalidOption("certificate", "and {key} require a {url} that begins with https://")

    @cached_property
    def _url(self) -> PublicUrl:
        return parse_public_url(self.url)

    @property
    def scheme(self) -> str:
        return self._url.scheme

    @property
    def host(self) -> str:
        """The host name; an IPv6 address is in brackets."""
        return self._url.host

    @property
    def port(self) -> int:
        return self._url.port

    @property
    def usual_port(self) -> int:
        return self._url.usual_port

    @property
    def is_usual_port(self) -> bool:
        return self.port == self.usual_port

    @property
    def path(self) -> str:
        """The path of the tree, with a slash at both ends."""
        return self._url.path

    @property
    def origin(self) -> str:
        return self._url.origin

    @property
    def index(self) -> str:
        """The address for installers."""
        return f"{self._url}{self.simple}"

    @property
    def digest(self) -> str:
        """A suffix for names that must differ from those of other indexes on the same server."""
        return hashlib.sha256(self.index.encode()).hexdigest()[:8]

    @property
    def addresses(self) -> tuple[str, ...]:
        """The addresses to listen on, IPv6 in brackets; empty: all of them."""
        if self.listen is not None:
            return (f"[{self.listen}]" if ":" in self.listen else self.listen,)
        if self.host == "localhost":
            return "127.0.0.1", "[::1]"
        address = self._url.address
        return (self.host,) if address is not None and address.is_loopback else ()

    @property
    def is_public(self) -> bool:
        """Whether other machines can connect."""
        return not self.addresses or any(
            not ipaddress.ip_address(one.strip("[]")).is_loopback for one in self.addresses
        )


def _ip_address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def _check_path(option: str, path: str | None) -> None:
    if path is None:
        return
    if not path.isprintable() or any(special in path for special in _SPECIAL):
        raise InvalidOption(
            option,
            "must not contain control characters or any of {special}, which no server configuration can hold: {path}",
            special=" ".join(_SPECIAL),
            path=printable(path),
        )
    if not path.startswith("/"):
        raise InvalidOption(
            option, "must be an absolute path on the server, such as /srv/index, not {path!r}", path=path
        )
