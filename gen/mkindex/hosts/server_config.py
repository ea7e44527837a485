"""What a web server has to be told of an index: the values that its configuration is made from.

A configuration knows nothing of the tree's pages: what is negotiated, typed and cached is told by names that every tree
has. So it holds whatever is published later, and wherever in the tree the index lies.
"""

import ipaddress
import re
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property

from mkindex.errors import ConfigError
from mkindex.text import printable

_LABEL = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_URL = re.compile(
    rf"(?P<scheme>https?)://(?P<host>{_LABEL}(?:\.{_LABEL})*|\[[0-9A-Fa-f:.]+])(?::(?P<port>\d{{1,5}}))?"
    r"(?P<path>(?:/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)*)/?",
    re.ASCII | re.IGNORECASE,
)
# What one of the servers takes for more than itself, even within quotes: escapes, variables, globs, the quotes' end.
_SPECIAL = "\"'`\\${}[]*?"


@dataclass(frozen=True, kw_only=True)
class ServerConfig:
    """One index on one web server. Raises ConfigError for what no configuration can hold, or what makes no sense.

    `root` is the directory of the tree on that server; `url` where it is reached; `users` the file of those who may
    read it, None: everybody may; `certificate` and `key` the files for https, None: where the server's usual ACME
    client puts them; `simple` the path of the index in the tree, with a slash at its end, or "" for its root.
    """

    root: str
    url: str
    users: str | None = None
    certificate: str | None = None
    key: str | None = None
    simple: str = "simple/"

    def __post_init__(self) -> None:
        for option in ("root", "users", "certificate", "key"):
            _check_path(option, getattr(self, option))
        if not self.root.strip("/"):
            raise ConfigError("root: / would hand out the whole machine: name the directory of the tree")
        match = _URL.fullmatch(self.url)
        if not match:
            if re.search("[@?#]", self.url):  # it may hold a secret: nothing of it is shown
                raise ConfigError("url holds a user name, a password, a query or a fragment: leave them out")
            raise ConfigError(
                f"url {printable(self.url)!r}: give http or https, a host, perhaps a port and a path of letters, "
                "digits and - _ . ~, as in https://packages.example.com/pypi/"
            )
        if not 0 < self.port < 65536:
            raise ConfigError(f"url: {self.port} is no port")
        if self.host.startswith("[") and not isinstance(self._address, ipaddress.IPv6Address):
            raise ConfigError(f"url: {self.host} is no IPv6 address")
        if (self.certificate is None) != (self.key is None):
            raise ConfigError("certificate and key go together: give both, or none")
        if self.certificate is not None and self.scheme == "http":
            raise ConfigError("certificate and key are for a url that begins with https://")

    @cached_property
    def _url(self) -> re.Match[str]:
        match = _URL.fullmatch(self.url)
        assert match
        return match

    @property
    def scheme(self) -> str:
        return self._url["scheme"].lower()

    @property
    def host(self) -> str:
        """The name, an IPv6 address in brackets."""
        return self._url["host"].lower()

    @property
    def port(self) -> int:
        return int(self._url["port"] or self.usual_port)

    @property
    def usual_port(self) -> int:
        return 443 if self.scheme == "https" else 80

    @property
    def is_usual_port(self) -> bool:
        return self.port == self.usual_port

    @property
    def path(self) -> str:
        """The path of the tree, with a slash at both ends."""
        return f"{self._url['path']}/"

    @property
    def origin(self) -> str:
        return f"{self.scheme}://{self.host}" + ("" if self.is_usual_port else f":{self.port}")

    @property
    def index(self) -> str:
        """The address that installers are given."""
        return f"{self.origin}{self.path}{self.simple}"

    @cached_property
    def _address(self) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
        with suppress(ValueError):
            return ipaddress.ip_address(self.host.strip("[]"))
        return None

    @property
    def loopback(self) -> tuple[str, ...]:
        """The addresses to listen at where no other machine is meant to come; none: all that there are."""
        if self.host == "localhost":
            return "127.0.0.1", "[::1]"
        return (self.host,) if self._address is not None and self._address.is_loopback else ()

    @property
    def leaves_the_machine(self) -> bool:
        return not self.loopback


def _check_path(option: str, path: str | None) -> None:
    if path is None:
        return
    if not path.isprintable() or any(special in path for special in _SPECIAL):
        raise ConfigError(
            f"{option} {printable(path)}: no server's configuration can hold such a path: leave out control characters "
            f"and {' '.join(_SPECIAL)}"
        )
    if not path.startswith("/"):
        raise ConfigError(f"{option} {path}: give a path that begins with /, as it is on that server")
