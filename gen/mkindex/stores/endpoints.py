"""Addresses of stores that a user gives: pages name files below them."""

from urllib.parse import urlsplit

from mkindex.stores.objects import StoreError


def public_endpoint(endpoint: str) -> str:
    """Return an endpoint without a slash at its end. Raises StoreError for one with what pages must not publish."""
    try:
        parts = urlsplit(endpoint)
    except ValueError as error:
        raise StoreError("the endpoint is no address. Give one such as https://store.example.com") from error
    if "@" in parts.netloc or "?" in endpoint or "#" in endpoint:
        raise StoreError(
            "the endpoint has a user name, a query or a fragment, which pages would publish. Give its address only, "
            "and credentials in environment variables"
        )
    return endpoint.rstrip("/")
