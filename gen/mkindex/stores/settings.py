"""Settings that the libraries do not check: obstore ends the process at the first request (a panic in Rust)."""

import os
import re
from collections.abc import Mapping
from urllib.parse import urlsplit

from mkindex.stores.objects import StoreError
from mkindex.text import printable, redact

_HOST = r"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])"
_ENDPOINT = re.compile(rf"https?://{_HOST}(?::([0-9]{{1,5}}))?(?:/[A-Za-z0-9._~%!$&'()*+,;=:@/-]*)?")
_MAX_PORT = 65_535
_VARIABLES = {
    "s3": re.compile(
        "AWS_(?:ACCESS_KEY_ID|SECRET_ACCESS_KEY|SESSION_TOKEN|REGION|DEFAULT_REGION|ENDPOINT_URL(?:_S3)?)"
    ),
    "az": re.compile("AZURE_(?!.*_FILE$).*"),
}


def refuse_white_space(scheme: str, options: Mapping[str, str]) -> None:
    """Raise StoreError for an option, or a variable of the environment, that has white space at its start or end.

    A secret that was read from a file often ends with a line feed.
    """
    variables = {name: value for name, value in os.environ.items() if _VARIABLES[scheme].fullmatch(name)}
    given = {f"--store-option {name}": value for name, value in options.items()} | variables
    for name, value in given.items():
        if value != value.strip():
            raise StoreError(f"{printable(name)} has white space at its start or end. Set it again without it")


def require_region(region: str) -> None:
    """Raise StoreError for a region that cannot be a part of the name of a host."""
    if not re.fullmatch("[A-Za-z0-9_-]+", region):
        raise StoreError(f"{printable(region)!r} is not a region. Set AWS_REGION, or --store-option region=…")


def endpoint_of(option: str | None, *variables: str) -> str:
    """Return the endpoint that an option sets, or else the first of these variables; "" if none does.

    Raises StoreError for one that is not the address of a server.
    """
    candidates = {"--store-option endpoint": option, **{name: os.environ.get(name) for name in variables}}
    name, endpoint = next(((name, value) for name, value in candidates.items() if value), ("", ""))
    _refuse_secrets(endpoint)
    match = _ENDPOINT.fullmatch(endpoint)
    if endpoint and not (match and int(match[1] or 0) <= _MAX_PORT):
        raise StoreError(
            f"the endpoint must begin with https:// and a host, but {name} is {redact(endpoint)!r}. Give it as "
            "https://HOST, or as http://HOST:PORT for a server without TLS"
        )
    return endpoint.rstrip("/")


def _refuse_secrets(endpoint: str) -> None:
    """Raise StoreError for an endpoint with what pages must not publish: they name files below it."""
    try:
        parts = urlsplit(endpoint)
    except ValueError as error:
        raise StoreError("the endpoint is no address. Give one such as https://store.example.com") from error
    if "@" in parts.netloc or "?" in endpoint or "#" in endpoint:
        raise StoreError(
            "the endpoint has a user name, a query or a fragment, which pages would publish. Give its address only, "
            "and credentials in environment variables"
        )
