"""Addresses of buckets: s3://BUCKET/PREFIX, gs://BUCKET/PREFIX and az://CONTAINER/PREFIX."""

import re
from typing import NamedTuple

_BUCKET = re.compile(r"(s3|gs|az)://([^/]*)/*(.*)", re.IGNORECASE | re.DOTALL)
_NAME = re.compile(r"[A-Za-z0-9$][A-Za-z0-9._-]{1,221}")  # $web and $root are containers of Azure


class BucketAddress(NamedTuple):
    """The objects of a bucket whose keys begin with a prefix."""

    scheme: str  # s3, gs or az
    bucket: str
    prefix: str  # "", or it ends with a slash

    def __str__(self) -> str:
        return f"{self.scheme}://{self.bucket}/{self.prefix}".rstrip("/")


def is_bucket(location: str) -> bool:
    """Tell whether a SOURCE or DEST is meant as the address of a bucket."""
    return _BUCKET.fullmatch(location) is not None


def parse_bucket(location: str) -> BucketAddress:
    """Return the address of a bucket. Raises ValueError with the reason if it is not valid."""
    found = _BUCKET.fullmatch(location)
    if not found:
        raise ValueError("is not the address of a bucket")
    scheme, bucket, path = found[1].lower(), found[2], found[3].rstrip("/")
    if not _NAME.fullmatch(bucket):
        raise ValueError(f"names no bucket. Give {scheme}://BUCKET/PREFIX")
    parts = path.split("/") if path else []
    if any(part in ("", ".", "..") for part in parts):
        raise ValueError("has a prefix with an empty part, . or .. in it")
    if not path.isprintable() or re.search(r"[?#\\]", path):
        raise ValueError("has a prefix with characters that addresses of files cannot contain")
    return BucketAddress(scheme, bucket, f"{path}/" if path else "")
