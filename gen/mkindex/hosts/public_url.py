"""The public address of a published tree, as --url gives it."""

import ipaddress
import re
from contextlib import suppress
from dataclasses import dataclass

from mkindex.options import InvalidOption
from mkindex.text import printable

_LABEL = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_URL = re.compile(
    rf"(?P<scheme>https?)://(?P<host>{_LABEL}(?:\.{_LABEL})*|\[[0-9A-Fa-f:.]+])(?::(?P<port>\d{{1,5}}))?"
    r"(?P<path>(?:/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)*)/?",
    re.ASCII | re.IGNORECASE,
)


@dataclass(frozen=True, kw_only=True)
class PublicUrl:
    """An http or https URL of a directory, in parts that are safe in the configuration of any server."""

    scheme: str
    host: str  # lower case, an IPv6 address in brackets
    port: int
    path: str  # with a slash at both ends

    @property
    def usual_port(self) -> int:
        return 443 if self.scheme == "https" else 80

    @property
    def origin(self) -> str:
        """Scheme, host, and the port if it is not the usual one."""
        return f"{self.scheme}://{self.host}" + ("" if self.port == self.usual_port else f":{self.port}")

    @property
    def is_loopback(self) -> bool:
        """Whether it is on the machine of the client."""
        return self.host == "localhost" or (self.address is not None and self.address.is_loopback)

    @property
    def address(self) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
        """The IP address, if the host is one."""
        with suppress(ValueError):
            return ipaddress.ip_address(self.host.strip("[]"))
        return None

    def __str__(self) -> str:
        return self.origin + self.path


def parse_public_url(url: str, option: str = "url") -> PublicUrl:
    """Return the parts of the value of --url, or of another option. Raises InvalidOption."""
    match = _URL.fullmatch(url)
    if not match:
        if re.search("[@?#]", url):  # the value may contain a secret, so the message must not quote it
            raise InvalidOption(option, "must not contain a user name, password, query or fragment")
        raise InvalidOption(
            option,
            "must be an http or https URL, such as https://packages.example.com/pypi/, with a path of letters, digits "
            "and - _ . ~, not {value!r}",
            value=printable(url),
        )
    scheme = match["scheme"].lower()
    parsed = PublicUrl(
        scheme=scheme,
        host=match["host"].lower(),
        port=int(match["port"] or (443 if scheme == "https" else 80)),
        path=f"{match['path']}/",
    )
    if not 0 < parsed.port < 65536:
        raise InvalidOption(option, "must have a port from 1 to 65535, not {port}", port=parsed.port)
    if parsed.host.startswith("[") and not isinstance(parsed.address, ipaddress.IPv6Address):
        raise InvalidOption(option, "must have an IPv6 address in the brackets, not {host}", host=parsed.host)
    return parsed
