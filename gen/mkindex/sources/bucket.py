"""A bucket as source: its wheels and sdists stay where they are, unless they are mirrored."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote

from mkindex.distributions.attestations import attested_filename
from mkindex.distributions.filenames import FILENAME, STRANGE_NAME, SUFFIXES, has_version, why_unsupported
from mkindex.errors import Note, Rejected, SourceError
from mkindex.model.files import Link
from mkindex.simple.links import with_attestations
from mkindex.sources.selection import Selection
from mkindex.sources.source import SourceItem
from mkindex.stores.objects import StoredObject, StoreError
from mkindex.text import printable
from mkindex.tree.names import FILES_DIRECTORY, MANIFEST, METADATA_SUFFIX

if TYPE_CHECKING:
    from mkindex.web.client import WebClient


@dataclass(frozen=True, kw_only=True)
class BucketSource:
    """The wheels and sdists below an address such as s3://BUCKET/PREFIX."""

    location: str
    settings: tuple[str, ...]  # of the store: KEY=VALUE
    timeout: float  # seconds
    web: "WebClient"
    selection: Selection
    recursive: bool = False
    files_url: str | None = None  # where readers find the objects, if not at the address of the store

    def artifacts(self) -> Iterator[SourceItem]:
        """Yield the objects as links, ordered by key. Raises SourceError if they cannot be listed, and ConfigError."""
        from mkindex.stores.reader import BucketReader, Opening

        opening = Opening(self.location, self.settings, self.timeout)
        store = opening.open()
        address = f"{self.files_url.rstrip('/')}/" if self.files_url else store.url
        if address is None:
            raise SourceError(f"{printable(store.address)}: the address of its files is not known. Give --files-url")
        try:
            objects = {one.key: one for one in sorted(store.list(recursive=self.recursive))}
        except StoreError as error:
            raise SourceError(f"{printable(store.address)}: {error}") from error
        self.web.mount(store.address, BucketReader(store, address, objects, opening))
        trees = _trees_of_indexes(objects)
        for tree in filter(None, trees):
            yield Note(location=f"{store.address}/{tree}", text="skipped: an index made by mkindex", detail=True)
        attestations: dict[str, list[str]] = {}
        for key in objects:
            name = key.rpartition("/")[2]
            if subject := attested_filename(name):
                attestations.setdefault(f"{key.removesuffix(name)}{subject}", []).append(f"{address}{quote(key)}")
        own = tuple(tree or f"{FILES_DIRECTORY}/" for tree in trees)
        for key, found in objects.items():
            if not key.startswith(own) and (item := self._item(found, objects, address, store.address)):
                yield with_attestations(item, attestations.get(key, ())) if isinstance(item, Link) else item

    def _item(
        self, found: StoredObject, objects: Mapping[str, StoredObject], address: str, bucket: str
    ) -> "SourceItem | None":
        """Return what to make of an object; None if it is not selected."""
        key, name = found.key, found.key.rpartition("/")[2]
        location = f"{bucket}/{key}"
        if not name or name.startswith("."):
            return None
        if not name.endswith(SUFFIXES):
            if (subject := attested_filename(name)) and f"{key.removesuffix(name)}{subject}" in objects:
                return None
            if not name.endswith(METADATA_SUFFIX) and (reason := why_unsupported(name)):
                return Rejected(location=location, reason=reason)
            return Note(location=location, text="skipped: not a wheel or sdist", detail=True)
        if not self.selection.includes_file(name):
            return None
        if not FILENAME.fullmatch(name):
            return Rejected(location=location, reason=STRANGE_NAME)
        if not (name.endswith(".whl") or has_version(name)):
            return Note(location=location, text="skipped: not an sdist, since its name has no version", detail=True)
        has_sibling = f"{key}{METADATA_SUFFIX}" in objects
        url = f"{address}{quote(key)}"
        return Link(url=url, filename=name, size=found.size, core_metadata="" if has_sibling else None)


def _trees_of_indexes(objects: Mapping[str, StoredObject]) -> list[str]:
    """Return the prefixes of the indexes that mkindex published in the bucket itself, "" for one at its address."""
    return [key.removesuffix(MANIFEST) for key in objects if key == MANIFEST or key.endswith(f"/{MANIFEST}")]
