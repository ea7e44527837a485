"""Open a bucket by its address. The libraries are imported only then."""

import os
from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from mkindex.errors import ConfigError
from mkindex.hosts.buckets import BucketAddress, parse_bucket
from mkindex.stores.endpoints import public_endpoint
from mkindex.stores.objects import ObjectStore, StoreError
from mkindex.text import printable

if TYPE_CHECKING:
    from obstore.store import ClientConfig, RetryConfig

_LONGEST = timedelta(hours=6)  # of one request, which may be slow as long as it makes progress
_TRIES = 4


def open_bucket(location: str, options: Sequence[str], *, timeout: float) -> ObjectStore:
    """Return the objects below an address such as s3://BUCKET/PREFIX. `options` are KEY=VALUE.

    Nothing is requested yet. Raises ConfigError without the libraries, and for an option that the store does not have.
    """
    address = parse_bucket(location)
    values = dict(one.partition("=")[::2] for one in options)
    try:
        import obstore
    except ImportError as error:
        raise ConfigError(
            f"{printable(location)} is a bucket, which needs more packages: pip install 'mkindex[store]'"
        ) from error
    client: ClientConfig = {
        "connect_timeout": timedelta(seconds=timeout),
        "read_timeout": timedelta(seconds=timeout),
        "timeout": _LONGEST,
    }
    retries: RetryConfig = {"max_retries": _TRIES, "retry_timeout": timedelta(seconds=max(4 * timeout, 60))}
    try:
        if address.scheme == "s3":
            from mkindex.stores.s3 import S3Session

            return S3Session(values, timeout=timeout).open(address, client, retries)
        return _open_other(address, values, client, retries)
    except ImportError as error:
        raise ConfigError(
            f"{printable(location)} is a bucket, which needs more packages: pip install 'mkindex[store]'"
        ) from error
    except StoreError as error:
        raise ConfigError(f"{printable(location)}: {error}") from error
    except (obstore.exceptions.BaseError, ValueError) as error:
        raise ConfigError(f"{printable(location)}: {printable(str(error).partition(chr(10))[0])}") from error


def _open_other(
    address: BucketAddress, values: dict[str, str], client: "ClientConfig", retries: "RetryConfig"
) -> ObjectStore:
    """Return the objects of a bucket of Google Cloud Storage or Azure, whose settings obstore finds itself."""
    from obstore.store import AzureStore, GCSStore

    from mkindex.stores.obstore_objects import ObstoreObjects

    config: Any = values  # obstore checks the keys
    if address.scheme == "gs":
        google = GCSStore(address.bucket, config=config, client_options=client, retry_config=retries)
        return ObstoreObjects(google, address, f"https://storage.googleapis.com/{address.bucket}")
    endpoint = public_endpoint(values.get("endpoint") or os.environ.get("AZURE_STORAGE_ENDPOINT", ""))
    if endpoint.startswith("http://"):
        client = {**client, "allow_http": True}
    azure = AzureStore(address.bucket, config=config, client_options=client, retry_config=retries)
    account = azure.config.get("account_name")
    base = endpoint or (account and f"https://{account}.blob.core.windows.net")
    return ObstoreObjects(azure, address, f"{base}/{address.bucket}" if base else None)
