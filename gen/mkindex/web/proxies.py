"""The proxy for an address: that of the environment (HTTPS_PROXY, HTTP_PROXY, ALL_PROXY) or of the system."""

import ipaddress
import os
import sys
from contextlib import suppress
from urllib.parse import urlsplit


class Proxies:
    """The proxies as they are set when this is created."""

    def __init__(self) -> None:
        self._by_scheme = _read_proxies()

    def get(self, url: str) -> str:
        """Return the address of the proxy for an address, with its user and password; "" if there is none."""
        if not self._by_scheme:
            return ""
        from urllib.request import proxy_bypass

        parts = urlsplit(url)
        proxy = self._by_scheme.get(parts.scheme) or self._by_scheme.get("all", "")
        if not proxy or _is_excepted(parts.hostname or "") or proxy_bypass(parts.netloc.rpartition("@")[2]):
            return ""
        return proxy if "://" in proxy else f"http://{proxy}"


def _read_proxies() -> dict[str, str]:
    # urllib.request imports a tenth of what a build over HTTP imports. Only two systems have proxies of their own.
    if sys.platform not in ("darwin", "win32") and not any(name.lower().endswith("_proxy") for name in os.environ):
        return {}
    from urllib.request import getproxies

    return getproxies()


def _is_excepted(host: str) -> bool:
    """Tell whether NO_PROXY lists a network that an IP address is in, which proxy_bypass() does not look for."""
    with suppress(ValueError):
        address = ipaddress.ip_address(host)
        for network in (os.environ.get("no_proxy") or os.environ.get("NO_PROXY") or "").split(","):
            with suppress(ValueError):
                if address in ipaddress.ip_network(network.strip(), strict=False):
                    return True
    return False
