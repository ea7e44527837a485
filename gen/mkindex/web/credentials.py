"""Credentials by host: those of addresses that the user gave, and those of the user's keyring.

A transport adds those of ~/.netrc if there are none here.
"""

import threading
from contextlib import suppress
from urllib.parse import unquote, urlsplit, urlunsplit

from mkindex.text import redact


class CredentialStore:
    """User and password by origin. Several threads may use it."""

    def __init__(self) -> None:
        self._by_origin: dict[tuple[str, str], tuple[str, str]] = {}
        self._lock = threading.Lock()

    def take_from(self, url: str) -> str:
        """Return an address without user and password, and keep these for requests to its origin."""
        parts = urlsplit(url)
        if parts.username is None and parts.password is None:
            return url
        bare = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
        self._by_origin[origin(bare)] = unquote(parts.username or ""), unquote(parts.password or "")
        return bare

    def get(self, url: str) -> tuple[str, str] | None:
        """Return user and password for an address, None if there are none."""
        return self._by_origin.get(origin(url))

    def look_up_in_keyring(self, url: str) -> bool:
        """Look for credentials in the user's keyring, if it is installed; tell whether there are new ones."""
        host = origin(url)
        if host in self._by_origin:
            return False
        with suppress(Exception), self._lock:  # the keyring may be locked, missing or broken
            import keyring  # type: ignore[import-not-found,unused-ignore] # the extra `keyring`

            for service in (redact(url).rpartition("/")[0], "://".join(host), host[1]):
                if found := keyring.get_credential(service, None):
                    self._by_origin[host] = found.username, found.password
                    return True
        return False


def origin(url: str) -> tuple[str, str]:
    """Return scheme and host with port of an address, by which credentials and range support are stored."""
    parts = urlsplit(url)
    return parts.scheme, parts.netloc.rpartition("@")[2].lower()
