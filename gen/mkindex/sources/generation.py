"""The generation of a site that is grown where each deployment replaces all: its number, and what it lists."""

import hashlib
import re
from collections.abc import Iterable
from typing import NamedTuple, Self

from mkindex.model.index import Index

MOST = 200  # bytes of its text
_TEXT = re.compile(rb"([0-9]{1,15}) ([0-9a-f]{64})\n")


class Generation(NamedTuple):
    """The number of a deployment, and a digest of what it lists; "" while that is not known."""

    number: int
    listing: str = ""

    def __str__(self) -> str:
        return f"{self.number} {self.listing}\n"

    @classmethod
    def parse(cls, data: bytes) -> Self | None:
        """Return the generation that a text of mkindex says; None for any other text."""
        match = _TEXT.fullmatch(data)
        return cls(int(match[1]), match[2].decode()) if match else None

    def listing_index(self, index: Index) -> Self:
        """Return the generation as that of a site with this index. The pages of quarantined projects list nothing."""
        files = (file for project in index.projects if not project.is_quarantined for file in project.files)
        return self._replace(listing=digest_of((file.filename, file.sha256, file.yanked) for file in files))


def digest_of(entries: Iterable[tuple[str, str, str | None]]) -> str:
    """Return a digest of the files that pages list: filename, sha256, and why it is yanked."""
    lines = sorted(f"{filename} {sha256} {yanked!r}" for filename, sha256, yanked in entries)
    return hashlib.sha256("\n".join(lines).encode("utf-8", "surrogatepass")).hexdigest()
