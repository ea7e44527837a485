"""Host names and addresses in options."""

import re
from urllib.parse import SplitResult, urlsplit

from mkindex.options import InvalidOption
from mkindex.text import printable

_HOST = re.compile(r"[A-Za-z0-9._-]+|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*")  # or an IPv6 address
_CLUSTER = re.compile(
    r"(?P<scheme>dask|tcp|tls)://(?P<address>(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.%]+\]):(?P<port>\d{1,5}))"
)
_MAX_PORT = 65_535


def is_host(text: str) -> bool:
    """Tell whether a text is a host name or an IP address, without scheme, port and brackets."""
    return bool(_HOST.fullmatch(text))


def parse_bind(bind: str) -> tuple[str, int]:
    """Return host and port of HOST:PORT, where an IPv6 address is in brackets. Raises InvalidOption."""
    match = re.fullmatch(r"(?:\[([0-9A-Fa-f:.%]+)]|([A-Za-z0-9.-]+)):(\d{1,5})", bind)
    if not match or int(match[3]) > _MAX_PORT:
        raise InvalidOption(
            "bind", "must be HOST:PORT, such as 127.0.0.1:8000 or [::1]:8000, not {value!r}", value=printable(bind)
        )
    return match[1] or match[2], int(match[3])


def split_url(url: str) -> SplitResult | None:
    """Return the parts of a URL, or None if it is not one."""
    try:
        parts = urlsplit(url)
        return parts if url.isprintable() and url.isascii() and (parts.port or 0) >= 0 else None
    except ValueError:
        return None


def parse_cluster(engine: str) -> str | None:
    """Return the address of a Dask scheduler, as its library reads it; None if --engine names none.

    `dask://HOST:PORT` is in the scheme that the configuration of Dask says, usually tcp. A scheduler prints the others.
    """
    match = _CLUSTER.fullmatch(engine)
    if not match or not 0 < int(match["port"]) <= _MAX_PORT:
        return None
    return match["address"] if match["scheme"] == "dask" else engine
