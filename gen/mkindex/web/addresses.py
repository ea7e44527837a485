"""Which addresses may be connected to: a page of the internet must not make mkindex talk to a private network.

A host that the user named may be anywhere. One that a file of this machine names may be in a private network. Any other
host, which a page or a redirect named, must be in a public network, or in one that a host of the user is in, too. Names
are resolved here, once, and the connection is made to an address that was judged, so that a name server cannot give
another one later.
"""

import ipaddress
import re
import socket
from collections.abc import Set as AbstractSet
from functools import cache, lru_cache
from typing import Literal
from urllib.parse import urlsplit, urlunsplit

from mkindex.web.credentials import host_name, start_of
from mkindex.web.redirects import INVALID
from mkindex.web.transport import NoResponse

Network = Literal["this machine", "a private network", "a link-local network", "cloud metadata", "a public network"]
_Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_LOCAL: frozenset[Network] = frozenset({"this machine", "a private network"})
_METADATA = frozenset(map(ipaddress.ip_address, ("169.254.169.254", "100.100.100.200", "192.0.0.192", "fd00:ec2::254")))
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
# Of other texts, URL parsers understand different hosts.
_NETLOC = re.compile(r"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+(?:%25[A-Za-z0-9]+)?\])(?::\d*)?")


class Networks:
    """The networks that mkindex may talk to, from what the user named. Several threads may use it."""

    def __init__(self, local_hosts: AbstractSet[str]) -> None:
        """`local_hosts`: those that a file of this machine names; the set may grow."""
        self._local_hosts = local_hosts
        self._allowed: set[Network] = {"a public network"}
        self._resolve = cache(_resolve)
        self._named: set[str] = set()  # hosts whose network is allowed

    def allow_network_of(self, url: str) -> None:
        """Allow the network of a host that the user named; for this machine, private networks, too."""
        host = host_name(url)
        if host in self._named:
            return
        found = {network_of(address) for address in self._resolve(host)}
        self._named.add(host)
        self._allowed |= found
        if "this machine" in found:
            self._allowed |= _LOCAL

    def addresses(self, url: str, *, through_proxy: bool) -> list[str]:
        """Return the allowed addresses of a host that the user did not name. Raises NoResponse without any.

        A proxy resolves names itself, so for one, only addresses and `localhost` in the URL are judged.
        """
        host = host_name(url)
        if through_proxy and not _is_address(host) and host.rstrip(".").rpartition(".")[2] != "localhost":
            return []
        found = self._resolve(host)
        if not found:
            raise NoResponse("cannot be reached: its name cannot be resolved", "connection")
        networks = self._allowed | _LOCAL if host in self._local_hosts else self._allowed
        allowed = [str(address) for address in found if network_of(address) in networks]
        if not allowed:
            raise NoResponse(
                f"in {network_of(found[0])} ({found[0]}), which a page or redirect of another network may not name. "
                f"If it is right, use --trust-host {host}",
                "refused",
            )
        return [] if through_proxy or _is_address(host) else allowed


def ascii_url(url: str) -> str:
    """Return an address whose host is in ASCII, so that all parsers see the same one. Raises NoResponse."""
    start = start_of(url)
    return _ascii_start(start) + url[len(start) :]


@lru_cache
def _ascii_start(url: str) -> str:
    try:
        parts = urlsplit(url)
        if not parts.netloc.isascii():
            parts = parts._replace(netloc=parts.netloc.encode("idna").decode("ascii"))
            url = urlunsplit(parts)
        is_valid = bool(_NETLOC.fullmatch(parts.netloc)) and (parts.port or 0) >= 0
    except ValueError:
        is_valid = False
    if not is_valid:
        raise NoResponse(INVALID, "address")
    return url


@lru_cache(1000)
def network_of(address: _Address) -> Network:
    """Return the network that an address is in. IPv6 addresses that stand for one of IPv4 are judged as that one."""
    if isinstance(address, ipaddress.IPv6Address):
        embedded = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF) if address in _NAT64 else None
        short = address.ipv4_mapped or address.sixtofour or embedded
        if short:
            return network_of(short)
    if address in _METADATA:
        return "cloud metadata"
    if address.is_loopback or address.is_unspecified:
        return "this machine"
    if address.is_link_local:
        return "a link-local network"
    return "a public network" if address.is_global and not address.is_multicast else "a private network"


@lru_cache
def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _resolve(host: str) -> list[_Address]:
    """Return the addresses of a host in the order to try them, [] if it has none."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
        return list(dict.fromkeys(ipaddress.ip_address(one[4][0]) for one in found))
    except (OSError, ValueError):
        return []
