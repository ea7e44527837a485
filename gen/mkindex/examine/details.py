"""Details of files, for people: read from their core metadata, unless the cache has them."""

from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from functools import cached_property

from mkindex.cache import Cache
from mkindex.examine.core_metadata import (
    CoreMetadataReader,
    is_here,
    metadata_key,
    read_core_metadata,
)
from mkindex.model.details import Details, decode_details, encode_details
from mkindex.model.files import File
from mkindex.parallel import map_chunks

_PARSERS = ("pkginfo", "packaging")


class DetailsReader:
    """Reads the details of files. Damaged ones have none, nor have those whose server does not send their metadata."""

    def __init__(self, cache: Cache, metadata: CoreMetadataReader, *, processes: int, connections: Executor) -> None:
        self._cache = cache
        self._metadata = metadata
        self._processes = processes
        self._connections = connections  # threads that wait for servers

    @cached_property
    def versions(self) -> str:
        """The versions of the parsers: others may read a file differently."""
        from importlib.metadata import version

        return " ".join(f"{name} {version(name)}" for name in _PARSERS)

    def read(self, files: Sequence[File]) -> dict[File, Details | None]:
        """Return the details of each file but those that cannot be read now. They are remembered."""
        keys = list(map(_key, files))
        found = dict(zip(files, self._cache.recall_each(keys, self.versions), strict=True))
        unknown = [file for file, text in found.items() if text is None]
        local = [file for file in unknown if is_here(file)]
        links = [file for file in unknown if not is_here(file)]
        read = [
            *zip(local, map_chunks(_read_each, local, processes=self._processes), strict=True),
            *zip(links, self._connections.map(self._read_link, links), strict=True),
        ]
        for file, text in read:
            found[file] = text
            if text is not None and file.sha256:
                self._cache.remember(_key(file), self.versions, text)
        return {file: decode_details(text) for file, text in found.items() if text is not None}

    def _read_link(self, file: File) -> str | None:
        return _text(self._metadata.read, file)


def _key(file: File) -> str:
    return f"details {metadata_key(file)}"


def _read_each(files: Sequence[File]) -> list[str | None]:
    return [_text(read_core_metadata, file) for file in files]


def _text(read: Callable[[File], bytes | None], file: File) -> str | None:
    """Return the details of a file as text; None if it cannot be read now."""
    from mkindex.distributions.core_metadata import read_details

    try:
        raw = read(file)
    except OSError:
        return None
    try:
        return encode_details(None if raw is None else read_details(raw))
    except Exception:  # no error of a parser may stop the other files; the page says that nothing is known
        return encode_details(None)
