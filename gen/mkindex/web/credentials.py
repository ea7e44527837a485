"""Credentials by host: those of addresses that the user gave, of ~/.netrc, and of the user's keyring.

They are sent only to hosts that the user named. Otherwise, a page could link to private files of another host, and they
would be published.
"""

import os
import threading
from collections.abc import Iterable
from contextlib import suppress
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit, urlunsplit

from mkindex.text import redact

if TYPE_CHECKING:
    from netrc import netrc


class CredentialStore:
    """User and password by origin. Several threads may use it.

    `named`: hosts that the user named, without port; `anonymous`: there are no credentials.
    """

    def __init__(self, named: Iterable[str] = (), *, anonymous: bool = False) -> None:
        self._named = {host.lower() for host in named}
        self._anonymous = anonymous
        self._by_origin: dict[tuple[str, str], tuple[str, str]] = {}
        self._tokens: dict[str, str] = {}  # by the beginning of an address
        self.variables: dict[str, str] = {}  # of the environment, where a token comes from, by the same
        self._lock = threading.Lock()

    def take_from(self, url: str) -> str:
        """Return an address that the user named, without user and password; keep these for requests to its origin."""
        parts = urlsplit(url)
        self._named.add(parts.hostname or "")
        if parts.username is None and parts.password is None:
            return url
        bare = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
        self._by_origin[origin(bare)] = unquote(parts.username or ""), unquote(parts.password or "")
        return bare

    def add_token(self, url: str, token: str, variable: str) -> None:
        """Keep a token for an address that the user named, and for those below it."""
        self._named.add(host_name(url))
        self._tokens[url] = token
        self.variables[url] = variable

    def token_for(self, url: str) -> str:
        """Return the token for an address, "" if there is none."""
        if not self._tokens:
            return ""
        below = (start for start in self._tokens if url.startswith(start) and url[len(start) : len(start) + 1] in "/?")
        return next(map(self._tokens.__getitem__, below), "")

    @property
    def named(self) -> frozenset[str]:
        """The hosts that the user named."""
        return frozenset(self._named)

    def is_named(self, url: str) -> bool:
        """Tell whether the user named the host of an address."""
        return host_name(url) in self._named

    def headers(self, url: str) -> dict[str, str]:
        """Return the header field that a request to an address needs, {} if there are no credentials for it."""
        start = start_of(url)
        host = _host_name(start)
        if self._anonymous or host not in self._named:
            return {}
        if token := self.token_for(url):
            return {"Authorization": f"Bearer {token}"}
        found = self._by_origin.get(_origin(start)) or self._of_netrc(host)
        if not found:
            return {}
        import base64

        return {"Authorization": f"Basic {base64.b64encode(':'.join(found).encode()).decode('ascii')}"}

    @cached_property
    def _netrc(self) -> "netrc | None":
        return _read_netrc()

    def _of_netrc(self, host: str) -> tuple[str, str] | None:
        found = self._netrc.authenticators(host) if self._netrc else None
        return (found[0] or found[1] or "", found[2] or "") if found else None

    def look_up_in_keyring(self, url: str) -> bool:
        """Look for credentials in the user's keyring, if it is installed; tell whether there are new ones."""
        host = origin(url)
        if self._anonymous or host in self._by_origin or not self.is_named(url):
            return False
        with suppress(Exception), self._lock:  # the keyring may be locked, missing or broken
            import keyring  # type: ignore[import-not-found,unused-ignore] # the extra `keyring`

            for service in (redact(url).rpartition("/")[0], "://".join(host), host[1]):
                if found := keyring.get_credential(service, None):
                    self._by_origin[host] = found.username, found.password
                    return True
        return False


def _read_netrc() -> "netrc | None":
    """Return the entries of the file that NETRC names, or else of ~/.netrc; None if there is no valid one."""
    from netrc import NetrcParseError, netrc

    places = [os.environ["NETRC"]] if "NETRC" in os.environ else ["~/.netrc", "~/_netrc"]
    for place in map(os.path.expanduser, places):
        if os.path.isfile(place):
            with suppress(NetrcParseError, OSError, ValueError):
                return netrc(place)
            return None
    return None


def start_of(url: str) -> str:
    """Return the part of an address that tells its host and port, which all files of a host share, or all of it."""
    end = url.find("/", len("https://")) + 1
    # urlsplit() removes white space before a scheme, so that a host could begin after that slash.
    return url[:end] if url.startswith(("http://", "https://")) and end else url


def host_name(url: str) -> str:
    """Return the host of an address in lower case, without port."""
    return _host_name(start_of(url))


def origin(url: str) -> tuple[str, str]:
    """Return scheme and host with port of an address, by which credentials and range support are stored."""
    return _origin(start_of(url))


@lru_cache
def _host_name(url: str) -> str:
    return urlsplit(url).hostname or ""


@lru_cache
def _origin(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.scheme, parts.netloc.rpartition("@")[2].lower()
