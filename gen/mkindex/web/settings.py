"""What a client of another process needs to read the same files. Credentials are no part of it."""

from typing import NamedTuple


class WebSettings(NamedTuple):
    """The settings of a client. The other process finds credentials in its own environment, as this one does."""

    timeout: float  # seconds
    named: frozenset[str]  # hosts that may get credentials
    local_hosts: frozenset[str]  # hosts that may be in private networks
    variables: tuple[tuple[str, str], ...]  # addresses of APIs, each with the variable that has the token for it
