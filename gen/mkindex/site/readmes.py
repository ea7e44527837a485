"""The READMEs of many releases: rendered by several processes, and remembered by the hash of their metadata."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from itertools import repeat
from queue import SimpleQueue

from mkindex.cache import Cache
from mkindex.examine.core_metadata import metadata_key, read_core_metadata
from mkindex.model.files import File, Link
from mkindex.site.limited import LimitedProcess, Limits, ProcessEnded


class Readmes:
    """Renders READMEs. Those that are prepared are rendered at the same time, the others when they are needed."""

    def __init__(
        self,
        cache: Cache,
        *,
        images: bool,
        processes: int,
        read: Callable[[File], bytes | None] = read_core_metadata,
    ) -> None:
        self._cache = cache
        self._read = read
        self._images = images
        self._processes = processes
        self._prepared: dict[File, str] = {}

    @cached_property
    def versions(self) -> str:
        """The versions of what renders READMEs, on which the result depends; "" if it is not installed."""
        from importlib.metadata import PackageNotFoundError, version

        from mkindex.site.readme import PACKAGES

        try:
            return " ".join(f"{name} {version(name)}" for name in PACKAGES)
        except PackageNotFoundError:
            return ""

    def prepare(self, files: Iterable[File]) -> None:
        """Render the READMEs of these files, unless the cache has them."""
        wanted = [file for file in files if file not in self._prepared]
        texts = self._cache.recall_each(list(map(self._key, wanted)), self.versions)
        known = dict(zip(wanted, texts, strict=True))
        unknown = [file for file, text in known.items() if text is None]
        idle: SimpleQueue[LimitedProcess] = SimpleQueue()
        workers = min(self._processes, len(unknown)) if self.versions else 1
        for _ in range(workers):
            idle.put(self._new_process())
        with ThreadPoolExecutor(max(workers, 1)) as threads:
            for file, text in zip(unknown, threads.map(self._rendered, unknown, repeat(idle)), strict=True):
                known[file] = text
                if text is not None:
                    self._cache.remember(self._key(file), self.versions, text)
        self._prepared |= {file: text or "" for file, text in known.items()}

    def html(self, file: File) -> str:
        """Return the README of a file as HTML, which contains nothing active; "" if there is none."""
        if file not in self._prepared:
            idle: SimpleQueue[LimitedProcess] = SimpleQueue()
            idle.put(self._new_process())
            self._prepared[file] = self._rendered(file, idle) or ""
        return self._prepared[file]

    def _key(self, file: File) -> str:
        is_elsewhere = isinstance(file.artifact, Link)
        key = metadata_key(file) if is_elsewhere or not file.core_metadata else file.core_metadata
        return f"readme{' with images' if self._images else ''} {key}"

    @staticmethod
    def _new_process() -> LimitedProcess:
        from mkindex.site.readme import COMMAND, SECONDS

        return LimitedProcess(COMMAND, None, Limits(seconds=SECONDS))

    def _rendered(self, file: File, idle: "SimpleQueue[LimitedProcess]") -> str | None:
        """Return a README as HTML: plain text if it takes too much time or memory. None: it cannot be read now."""
        from mkindex.distributions.core_metadata import read_readme
        from mkindex.site.readme import Request, plain_readme

        try:
            raw = self._read(file)
        except OSError:
            return None
        if raw is None:
            return ""
        if self.versions:
            process = idle.get()
            try:
                return process.ask(Request(raw, self._images)).decode()
            except ProcessEnded:
                pass
            finally:
                idle.put(process)
        return plain_readme(read_readme(raw).text)
