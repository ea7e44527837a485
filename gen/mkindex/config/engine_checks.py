"""The check of --engine, which must not send credentials to other machines."""

import re
from collections.abc import Iterable

from mkindex.hosts.addresses import parse_cluster, split_url
from mkindex.options import InvalidOption
from mkindex.text import redact

LOCAL_ENGINES = ("processes", "threads")
# Settings of stores that are no secrets, with or without the name of the store. All others stay on this machine.
_PUBLIC_SETTING = re.compile(
    r"(?:(?:aws|google|azure)_)?(?:(?:storage_)?endpoint(?:_url)?|(?:default_)?region|profile|skip_signature"
    r"|virtual_hosted_style_request|(?:storage_)?account_name|allow_http)=.*",
    re.IGNORECASE,
)


def check_engine(engine: str, locations: Iterable[str], settings: Iterable[str]) -> None:
    """Raise InvalidOption for something else than an engine, or for credentials that the workers of one would need."""
    if engine in LOCAL_ENGINES:
        return
    if parse_cluster(engine) is None:
        raise InvalidOption(
            "engine",
            "must be {local}, or the address of a Dask scheduler such as dask://10.0.0.1:8786, not {value!r}",
            local=", ".join(LOCAL_ENGINES),
            value=redact(engine),
        )
    for location in locations:
        url = split_url(location)
        if url and url.scheme in ("http", "https") and "@" in url.netloc:
            raise InvalidOption(
                "engine",
                "sends no credentials to workers, and {location} has some. Put them into ~/.netrc, here and where the "
                "workers are",
                location=redact(location),
            )
    for setting in settings:
        if not _PUBLIC_SETTING.fullmatch(setting):
            raise InvalidOption(
                "engine",
                "sends no credentials to workers, and {store_option} {key} may be one. Set it in the environment, "
                "here and of the workers",
                key=setting.partition("=")[0],
            )
