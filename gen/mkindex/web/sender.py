"""Requests with everything that a user expects of them, over a transport that sends just one at a time.

That is: credentials, the choice of an address, proxies, redirects, and a second attempt after a failure that may pass.
"""

import threading
import time
from collections.abc import Mapping
from itertools import cycle
from typing import NamedTuple

from mkindex.web.addresses import Networks, ascii_url
from mkindex.web.credentials import CredentialStore, origin, start_of
from mkindex.web.proxies import Proxies
from mkindex.web.redirects import MAX_REDIRECTS, TOO_MANY, BadRedirect, redirect_location, redirect_target
from mkindex.web.responses import Refused, RequestFailed, Unreachable
from mkindex.web.retries import repeat_failed
from mkindex.web.throttle import OVERLOADED, Throttle
from mkindex.web.transport import NoResponse, Request, Response, Transport


class _Host(NamedTuple):
    """What all addresses with the same start share."""

    start: str  # in ASCII
    proxy: str  # its address, "" if there is none
    throttle: Throttle


class Sender:
    """Sends the requests of a client. Several threads may use it. All methods raise RequestFailed."""

    def __init__(
        self, transport: Transport, credentials: CredentialStore, networks: Networks, stopped: threading.Event
    ) -> None:
        self._transport = transport
        self._credentials = credentials
        self._networks = networks
        self._proxies = Proxies()
        self._stopped = stopped
        self._throttles: dict[tuple[str, str], Throttle] = {}  # by origin
        self._hosts: dict[str, _Host] = {}  # by the start of an address

    def close(self) -> None:
        """Close all connections."""
        self._transport.close()

    def throttle(self, url: str) -> Throttle:
        """Return the limit for the host of an address."""
        host = origin(url)
        return self._throttles.get(host) or self._throttles.setdefault(host, Throttle(self._stopped))

    def send(self, method: str, url: str, headers: Mapping[str, str], *, follow_redirects: bool = True) -> Response:
        """Return the response, after redirects; its body is unread."""
        at = url
        for _ in range(MAX_REDIRECTS + 1):
            try:
                response = self._send_authorized(method, at, headers)
                location = redirect_location(response.status, response.headers)
                if not location or not follow_redirects:
                    return response
                response.discard()
                # Each hop is a request of its own, with the credentials of its own host only.
                at = redirect_target(at, location)
            except BadRedirect as error:
                raise RequestFailed(url, str(error)) from error
            except NoResponse as error:
                if self._stopped.is_set():
                    raise RequestFailed(url, "stopped") from error
                kind = Unreachable if error.is_unreachable else Refused if error.stage == "refused" else RequestFailed
                raise kind(url, error.reason) from error
        raise RequestFailed(url, TOO_MANY)

    def _send_authorized(self, method: str, url: str, headers: Mapping[str, str]) -> Response:
        """Return the response to a request with credentials, if need be those of the keyring. Raises NoResponse."""
        response = self._send(method, url, headers)
        if response.status == 401 and self._credentials.look_up_in_keyring(url):
            response.discard()
            response = self._send(method, url, headers)
        return response

    def _send(self, method: str, url: str, headers: Mapping[str, str]) -> Response:
        before = start_of(url)
        start, proxy, throttle = self._hosts.get(before) or self._add_host(before)
        url = start + url[len(before) :]
        addresses: list[str] = []
        if not self._credentials.is_named(url):
            addresses = self._networks.addresses(url, through_proxy=bool(proxy))
        elif not proxy:
            self._networks.allow_network_of(url)
        fields = {**headers, **self._credentials.headers(url)}
        each = cycle([Request(method, url, fields, proxy, address) for address in addresses or [""]])

        def attempt() -> Response:
            began = time.monotonic()
            try:
                response = self._transport.send(next(each))
            except NoResponse as error:
                throttle.report(is_overloaded=error.is_unreachable)
                raise
            throttle.report(
                is_overloaded=response.status in OVERLOADED,
                is_persistent=response.is_persistent,
                seconds=time.monotonic() - began,
            )
            return response

        return repeat_failed(attempt, self._stopped)

    def _add_host(self, start: str) -> _Host:
        url = ascii_url(start)
        host = self._hosts[start] = _Host(url, self._proxies.get(url), self.throttle(url))
        return host
