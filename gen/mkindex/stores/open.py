"""Open a bucket by its address. The libraries are imported only then."""

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from mkindex.errors import ConfigError
from mkindex.hosts.buckets import BucketAddress, parse_bucket
from mkindex.stores.objects import ObjectStore, StoreError
from mkindex.stores.settings import endpoint_of, refuse_white_space
from mkindex.text import printable

if TYPE_CHECKING:
    from obstore.store import ClientConfig, RetryConfig

_LONGEST = timedelta(hours=6)  # of one request, which may be slow as long as it makes progress
_TRIES = 4
_ANY_TIMEOUT = 30.0  # seconds; nothing is requested


def open_bucket(location: str, options: Sequence[str], *, timeout: float) -> ObjectStore:
    """Return the objects below an address such as s3://BUCKET/PREFIX. `options` are KEY=VALUE.

    Nothing is requested yet. Raises ConfigError without the libraries, and for an option that the store does not have.
    """
    address = parse_bucket(location)
    values = dict(one.partition("=")[::2] for one in options)
    client: ClientConfig = {
        "connect_timeout": timedelta(seconds=timeout),
        "read_timeout": timedelta(seconds=timeout),
        "timeout": _LONGEST,
    }
    retries: RetryConfig = {"max_retries": _TRIES, "retry_timeout": timedelta(seconds=max(4 * timeout, 60))}
    try:
        import obstore

        if address.scheme == "s3":
            from mkindex.stores.s3 import S3Session

            refuse_white_space("s3", values)
            return S3Session(values, timeout=timeout).open(address, client, retries)
        return _open_other(address, values, client, retries)
    except ImportError as error:
        raise ConfigError(
            f"{printable(location)} is a bucket, which requires more packages: install mkindex with its extra `store`"
        ) from error
    except StoreError as error:
        raise ConfigError(f"{printable(location)}: {error}") from error
    except (obstore.exceptions.BaseError, ValueError) as error:
        raise ConfigError(f"{printable(location)}: {printable(str(error).partition(chr(10))[0])}") from error


def public_url(location: str) -> str | None:
    """Return the http address of the objects of a bucket, with a slash at its end; None if it is not known.

    Needs no credentials.
    """
    try:
        return open_bucket(location, ("skip_signature=true",), timeout=_ANY_TIMEOUT).url
    except (ConfigError, ValueError):
        return None


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
    refuse_white_space("az", values)
    option = next(filter(None, map(values.get, ("endpoint", "azure_endpoint", "azure_storage_endpoint"))), None)
    endpoint = endpoint_of(option, "AZURE_STORAGE_ENDPOINT", "AZURE_ENDPOINT")
    if endpoint.startswith("http://"):
        client = {**client, "allow_http": True}
    azure = AzureStore(address.bucket, config=config, client_options=client, retry_config=retries)
    account = azure.config.get("account_name")
    base = endpoint or (account and f"https://{account}.blob.core.windows.net")
    return ObstoreObjects(azure, address, f"{base}/{address.bucket}" if base else None)
