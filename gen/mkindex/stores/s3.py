"""What obstore cannot do with S3: keys that end with a slash, unfinished uploads, checksums, profiles.

boto3 does this. It also finds the credentials for both libraries, in all places where AWS tools look for them.
"""

import os
import time
from base64 import b64decode
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import cached_property
from threading import Lock
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config as ClientConfig
from botocore.exceptions import BotoCoreError, ClientError
from obstore.exceptions import PreconditionError
from obstore.store import S3Store

from mkindex.hosts.buckets import BucketAddress
from mkindex.stores.objects import ChangedObject, Condition, Headers, MissingObject, Original, StoreError
from mkindex.stores.obstore_objects import ObstoreObjects
from mkindex.stores.reasons import describe
from mkindex.stores.settings import endpoint_of, require_region

if TYPE_CHECKING:
    from obstore.store import ClientConfig as TransportConfig
    from obstore.store import RetryConfig

_COPIED_AT_ONCE = 512 << 20  # bytes that one request copies, well within its timeout; S3 allows 5 GB
_DEFAULT_REGION = "us-east-1"  # for stores that have no regions


class S3Objects(ObstoreObjects):
    """The objects of an S3 bucket below a prefix."""

    def __init__(self, store: S3Store, session: "S3Session", address: BucketAddress) -> None:
        super().__init__(store, address, session.url_of(address.bucket))
        self._bucket = address.bucket
        self._session = session
        self._has_quotes = True  # around the ETag of a condition, as the standard says

    def directory_key(self, directory: str) -> str | None:
        return directory if directory or self._prefix else None

    def put(self, key: str, data: bytes, headers: Headers, *, condition: Condition | None = None) -> str:
        if key and not key.endswith("/"):
            return super().put(key, data, headers, condition=condition)
        with _boto_errors():
            done = self._session.client.put_object(
                Bucket=self._bucket,
                Key=self._prefix + key,
                Body=data,
                ContentType=headers.content_type,
                CacheControl=headers.cache_control,
            )
            return str(done["ETag"])

    def _put(self, key: str, data: bytes, headers: Headers, condition: Condition | None) -> str:
        if not isinstance(condition, str):
            return super()._put(key, data, headers, condition)
        has_quotes = self._has_quotes
        try:
            return super()._put(key, data, headers, condition if has_quotes else condition.strip('"'))
        except PreconditionError:
            # Ceph compares the condition with an ETag that has no quotes (seen with radosgw 16).
            there = self.head(key) if has_quotes else None
            if there is None or there.etag != condition:
                raise
        etag = super()._put(key, data, headers, condition.strip('"'))
        self._has_quotes = False
        return etag

    def delete(self, keys: Sequence[str]) -> None:
        super().delete([key for key in keys if key and not key.endswith("/")])
        with _boto_errors():
            for key in keys:
                if not key or key.endswith("/"):
                    self._session.client.delete_object(Bucket=self._bucket, Key=self._prefix + key)

    def copies_from(self, address: str) -> bool:
        return address.startswith("s3://")  # all of one command have the same endpoint and credentials

    def copy(self, key: str, original: Original, headers: Headers) -> None:
        assert isinstance(original.store, S3Objects)
        source = {"Bucket": original.store._bucket, "Key": original.store._prefix + original.key}
        arguments = {
            **({"CopySourceIfMatch": original.etag} if original.etag else {}),
            "MetadataDirective": "REPLACE",
            "ContentType": headers.content_type,
            "CacheControl": headers.cache_control,
            "Metadata": {"sha256": original.sha256},
        }
        target = {"Bucket": self._bucket, "Key": self._prefix + key, "CopySource": source}
        with _boto_errors(), _original_errors(original.key):
            if original.size <= _COPIED_AT_ONCE:
                self._session.client.copy_object(**target, **arguments)
                return
            from boto3.s3.transfer import TransferConfig

            parts = TransferConfig(multipart_threshold=_COPIED_AT_ONCE, multipart_chunksize=_COPIED_AT_ONCE)
            self._session.client.copy(**target, ExtraArgs=arguments, Config=parts)

    def checksum(self, key: str) -> str:
        with _boto_errors():
            head = self._session.client.head_object(Bucket=self._bucket, Key=self._prefix + key, ChecksumMode="ENABLED")
        digest = head.get("ChecksumSHA256", "")
        if head.get("ChecksumType", "FULL_OBJECT") != "FULL_OBJECT" or "-" in digest:
            return ""  # a digest of the digests of parts
        return b64decode(digest).hex()

    def abort_uploads(self, prefix: str, *, silent_for: float) -> None:
        client, since = self._session.client, time.time() - silent_for
        with _boto_errors():
            pages = client.get_paginator("list_multipart_uploads")
            for page in pages.paginate(Bucket=self._bucket, Prefix=self._prefix + prefix):
                for upload in page.get("Uploads", ()):
                    names = {"Bucket": self._bucket, "Key": upload["Key"], "UploadId": upload["UploadId"]}
                    with suppress(client.exceptions.NoSuchUpload):  # it ended just now
                        if upload["Initiated"].timestamp() < since and self._last_part(names) < since:
                            client.abort_multipart_upload(**names)

    def _last_part(self, upload: Mapping[str, str]) -> float:
        """Return when the last part of an upload arrived, in seconds since the epoch; 0 if none has."""
        pages = self._session.client.get_paginator("list_parts").paginate(**upload)
        return max((part["LastModified"].timestamp() for page in pages for part in page.get("Parts", ())), default=0.0)


class S3Session:
    """Endpoint, region and credentials of S3, for both libraries."""

    def __init__(self, options: Mapping[str, str], *, timeout: float) -> None:
        given = {key.lower().removeprefix("aws_"): value for key, value in options.items()}
        self._timeout = timeout
        self._creating = Lock()
        with _boto_errors():
            self._session = boto3.Session(
                aws_access_key_id=given.pop("access_key_id", None),
                aws_secret_access_key=given.pop("secret_access_key", None),
                aws_session_token=given.pop("session_token", None) or given.pop("token", None),
                profile_name=given.pop("profile", None),
            )
        environment = os.environ
        option = given.pop("endpoint", None) or given.pop("endpoint_url", None)
        self.endpoint = endpoint_of(option, "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")
        region = given.pop("region", None) or environment.get("AWS_REGION") or self._session.region_name
        self.region = region or _DEFAULT_REGION
        require_region(self.region)
        unsigned = given.pop("skip_signature", None) or environment.get("AWS_SKIP_SIGNATURE", "")
        self.is_anonymous = unsigned.lower() in ("true", "1", "yes")
        self._others = given

    def open(self, address: BucketAddress, client: "TransportConfig", retries: "RetryConfig") -> S3Objects:
        """Return the objects at an address. Raises StoreError without credentials."""
        config: Any = {**self._others, "region": self.region}  # obstore checks the keys
        if self.endpoint:
            config["endpoint"] = self.endpoint
            client = {**client, "allow_http": self.endpoint.startswith("http://")}
        if self.is_anonymous:
            config["skip_signature"] = True
            store = S3Store(address.bucket, config=config, client_options=client, retry_config=retries)
            return S3Objects(store, self, address)
        from obstore.auth.boto3 import Boto3CredentialProvider

        with _boto_errors():
            if self._session.get_credentials() is None:
                raise StoreError(
                    "no credentials found. Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE; to read a "
                    "public bucket: --store-option skip_signature=true"
                )
            store = S3Store(
                address.bucket,
                config=config,
                client_options=client,
                retry_config=retries,
                credential_provider=Boto3CredentialProvider(self._session),
            )
        return S3Objects(store, self, address)

    def url_of(self, bucket: str) -> str:
        """Return the http address of a bucket, as readers without credentials use it."""
        if self.endpoint:
            return f"{self.endpoint}/{bucket}"
        if "." in bucket:  # a certificate for *.s3… does not match
            return f"https://s3.{self.region}.amazonaws.com/{bucket}"
        return f"https://{bucket}.s3.{self.region}.amazonaws.com"

    @property
    def client(self) -> Any:  # noqa: ANN401 (boto3 creates its classes at run time)
        """A client of boto3, which several threads may use."""
        with self._creating:
            return self._client

    @cached_property
    def _client(self) -> Any:  # noqa: ANN401
        from botocore import UNSIGNED

        unsigned = {"signature_version": UNSIGNED} if self.is_anonymous else {}
        config = ClientConfig(
            connect_timeout=self._timeout,
            read_timeout=self._timeout,
            retries={"max_attempts": 4, "mode": "standard"},
            max_pool_connections=32,
            s3={"addressing_style": "path" if self.endpoint else "auto"},
            **unsigned,
        )
        return self._session.client("s3", endpoint_url=self.endpoint or None, region_name=self.region, config=config)


@contextmanager
def _original_errors(key: str) -> Iterator[None]:
    """Raise the errors of `copy` for an object that is not there any more, or has changed."""
    try:
        yield
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "")
        if code in ("NoSuchKey", "404"):
            raise MissingObject(f"{key} does not exist") from error
        if code in ("PreconditionFailed", "412"):
            raise ChangedObject from error
        raise


@contextmanager
def _boto_errors() -> Iterator[None]:
    """Raise StoreError for the errors of boto3."""
    try:
        yield
    except (BotoCoreError, ClientError) as error:
        raise StoreError(describe(str(error))) from error
