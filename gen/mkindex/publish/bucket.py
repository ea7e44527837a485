"""A bucket as destination. Its manifest says what is there, so that adding a file costs what that file costs.

Files are uploaded first: several writers can do that at the same time, since the key of a file contains its hash. Only
the writer that has the claim changes pages and the manifest, and deletes.
"""

import hashlib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, wait
from contextlib import ExitStack, contextmanager, suppress
from functools import cached_property, partial
from io import BytesIO, FileIO
from itertools import groupby
from operator import attrgetter
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import TYPE_CHECKING, Self

from mkindex.errors import DestinationError, Note, nothing
from mkindex.model.files import CHUNK, Artifact, Fingerprint, Link
from mkindex.model.index import UnreadProject
from mkindex.progress import Advance, Progress, counted, no_progress
from mkindex.publish.bucket_manifest import next_manifest
from mkindex.publish.bucket_state import BucketState, KnownSection, Parts, held_entries, read_state
from mkindex.publish.claim import HEADERS, Claim, ClaimTimes
from mkindex.publish.downloads import Downloads
from mkindex.publish.filesystem import Filesystem
from mkindex.publish.object_headers import FILE_HEADERS, page_headers
from mkindex.publish.object_keys import ObjectKeys
from mkindex.publish.origins import Origins
from mkindex.publish.plan import Applied, HeldEntry, Plan, PublishedSection, Put, Superseded
from mkindex.publish.refusals import refuse_damaged
from mkindex.publish.rendered import RenderedPage, intended_entries, new_entries, render_pages
from mkindex.publish.staging import made_bytes
from mkindex.site.resources import FileResource, Page, ProvenanceResource, SiblingResource, VariantsResource
from mkindex.stores.objects import ABSENT, Conflict, LargeObject, MissingObject, ObjectStore, StoreError
from mkindex.text import printable
from mkindex.tree import manifest
from mkindex.tree.manifest import ROOT_SECTION, Entry, Position
from mkindex.tree.names import FILES_DIRECTORY, INDEX_HTML, INTENT, MANIFEST, PARTS_DIRECTORY
from mkindex.tree.parts import is_part

if TYPE_CHECKING:
    from mkindex.sources.published import PublishedProject


class BucketDestination:
    """The index in a bucket. As a context manager it gives up its claim at the end.

    `executor` has threads that wait for the store, `readers` those that read large files.
    """

    def __init__(
        self,
        store: ObjectStore,
        *,
        executor: Executor,
        readers: Executor,
        origins: Origins,
        waiting: ClaimTimes | None = None,
        progress: Progress = no_progress,
    ) -> None:
        self._store = store
        self._executor = executor
        self._readers = readers
        self._origins = origins
        self._waiting = waiting or ClaimTimes()
        self._progress = progress
        self._claim = Claim(store, self._waiting)
        self._object_keys = ObjectKeys(store)
        self._state: BucketState | None = None
        self._parts = Parts(store)
        self._intended: Sequence[Entry] = ()  # of a writer that died
        self._is_overtaken = False  # whether the plan was made while another writer published
        self._stopped = False
        self._entered = ExitStack()
        self.notes: tuple[Note, ...] = ()
        self.copies = None  # files are uploaded by this process

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopped = True
        with suppress(StoreError, DestinationError):
            self._give_up()
        self._entered.close()

    @property
    def root(self) -> str:
        return self._store.address

    @property
    def url(self) -> str | None:
        """The http address of the tree, with a slash at its end; None if it is not known."""
        return self._store.url

    @property
    def takes_objects(self) -> bool:
        """Whether objects of other buckets get into the tree without a copy on this machine."""
        return True

    def copies_from(self, bucket: str) -> bool:
        """Tell whether the store of the tree copies the objects of a bucket itself."""
        return self._store.copies_from(bucket)

    @cached_property
    def downloads(self) -> Downloads:
        """Files from servers that are not published yet, on this machine."""
        return Downloads(Filesystem(self._entered.enter_context(TemporaryDirectory(prefix="mkindex-"))))

    # --- what is there ------------------------------------------------------------------------------------------------

    def sections(self) -> Iterator[PublishedSection]:
        """Yield the sections that mkindex wrote, ordered by name, including those of a writer that died."""
        sections = self._read_state().sections
        intended = {name: list(some) for name, some in groupby(sorted(self._intended), key=attrgetter("section"))}
        for name in sorted(sections.keys() | intended.keys()):
            unsure, known = intended.get(name, []), sections.get(name)
            if known is None:
                yield PublishedSection(name, "", len(unsure), partial(held_entries, (), unsure))
                continue
            key, count = "" if self._intended else known.key, known.entry_count + len(unsure)
            file_count = known.outline.file_count if known.outline else None
            yield PublishedSection(name, key, count, partial(known.held, unsure), known.optional, file_count)

    def projects(self, without: Collection[str] = ()) -> "Iterator[PublishedProject]":
        """Yield what the manifest records about projects, by name, except these.

        Raises DestinationError at the end of a manifest that does not say all that the tree lists.
        """
        from mkindex.sources.published import PublishedProject  # here, since most builds keep nothing

        state = self._read_state()
        sections = [one for name, one in state.sections.items() if name not in without]
        for section, record in zip(sections, self._executor.map(KnownSection.optional, sections), strict=True):
            yield PublishedProject(section.name, record, lambda: True, section.held)
        if state.data and not state.parts:
            refuse_damaged(BytesIO(state.data), state.extents, f"{self.root}/{MANIFEST}")

    def outlines(self) -> Mapping[str, UnreadProject]:
        """Return the projects that need not be read, by name, as far as the manifest has their outlines.

        Not one of which a file is retired, and may be due, and none after a writer died.
        """
        state = self._read_state()
        if state.parts is None or self._intended:
            return {}
        return {
            name: UnreadProject(
                name=name,
                files=(),
                status=part.outline.status,
                section_key=part.key,
                outline=part.outline,
                page_key=next(iter(part.outline.keys.values()), ""),
            )
            for name, part in state.parts.parts.items()
            if name != ROOT_SECTION and part.key
        }

    def root_lines(self) -> Sequence[bytes]:
        """Return what the manifest records about the whole tree."""
        return self._read_state().root_lines

    def read(self, path: str, most: int, start: int = 0) -> bytes:
        """Return a file of the tree that is not larger than this, or a part of one; b"" if there is none.

        Raises DestinationError.
        """
        with self._errors(), suppress(LargeObject, MissingObject):
            if start:
                return self._store.read(path, start, most, etag="")
            found = self._store.get(path, most=most)
            return found.data if found else b""
        return b""

    def holds(self, path: str) -> bool:
        """Tell whether the file at `path` is ours: nobody else has files at paths with their hash."""
        return path in self._read_state().files_at({path})

    def confirm(self, files: Sequence[tuple[str, int]]) -> Iterator[bool]:
        """Tell of each path and size whether pages name this file now, and an object of the size is there."""
        self._state = None  # another writer may have published since it was read
        found = self._read_state().files_at({path for path, _ in files})
        listed = {path for path, entry in found.items() if entry.retired is None}
        return self._executor.map(lambda file: file[0] in listed and self._has_size(*file), files)

    def _has_size(self, path: str, size: int) -> bool:
        with self._errors():
            found = self._store.head(path)
        return found is not None and found.size == size

    def find(self, path: str, link: Link) -> Artifact | None:
        """Return the file at a path of the tree, as that which a link means; None if it is not published."""
        if link.size is None or not self.holds(path):
            return None
        return Artifact(self.root, path, Fingerprint(0, link.size, 0, 0), link)

    def digest(self, path: str) -> str | None:
        """Return the sha256 of the object at `path`, "" if it was not read, and None if there is nothing."""
        if any(entry.path == path for entry in self._intended):
            return ""
        with self._errors():
            if not self._object_keys.has(path):
                return None
            if path.startswith(f"{FILES_DIRECTORY}/") and not path.endswith(".metadata"):
                return "".join(path.split("/")[1:3])  # of a file that was uploaded, but not published
            if self._find_overtaking():
                return None
            return hashlib.sha256(self.read(path, manifest.LARGEST)).hexdigest()

    def are_ours(self, pages: Sequence[HeldEntry]) -> Iterator[bool]:
        """Tell of each page whether what is at its path is as mkindex wrote it, or is missing. Reads all of them."""
        return self._executor.map(lambda page: self._is_ours(page.entry), pages)

    def _is_ours(self, entry: Entry) -> bool:
        with self._errors():
            found = self._store.get(entry.path, most=manifest.LARGEST)
        hashes = {entry.sha256, *(one.sha256 for one in self._intended if one.path == entry.path)} - {""}
        return found is None or hashlib.sha256(found.data).hexdigest() in hashes

    def take(self, artifact: Artifact, source: FileIO) -> str:
        """Return the sha256 of a large file."""
        del artifact
        return hashlib.file_digest(source, "sha256").hexdigest()

    def _read_state(self) -> BucketState:
        if self._state is None:
            with self._errors():
                found = self._store.get(MANIFEST, most=manifest.LARGEST)
                # A writer that has the claim now may be about to delete objects that this manifest does not name.
                self._is_overtaken = not self._claim.is_held and self._store.head(INTENT) is not None
            try:
                self._state = read_state(found, self._parts)
            except manifest.NewerManifest as error:
                where = f"{printable(self.root)}/{MANIFEST}"
                raise DestinationError(f"{where} {error}: upgrade mkindex, or publish elsewhere") from error
        return self._state

    # --- changes ------------------------------------------------------------------------------------------------------

    def apply(self, plan: Plan, before_commit: Callable[[], object] = nothing) -> Applied:
        """Carry out a plan: files, claim, project pages, root pages, manifest, deletes.

        `before_commit` is called with the claim, before the first page. If it raises, readers see no change. Raises
        Superseded if another writer published since `sections()` was called; the claim is kept for the next plan.
        """
        with self._errors():
            if not (plan.has_changes or self._claim.is_held or self._is_overtaken):
                before_commit()
                return Applied()
            files = [put for put in plan.puts if not isinstance(put.resource, Page)]
            with suppress(StoreError):  # it may not be permitted
                self._store.abort_uploads(f"{FILES_DIRECTORY}/", silent_for=self._waiting.patience)  # of dead writers
            with self._progress("uploading", sum(map(_size, files))) as advance:
                self._upload(files, advance)
            pages = render_pages(plan.puts[len(files) :])
            theirs = self._claim.acquire([*intended_entries(plan, pages), *self._intended])
            if not self._claim.is_exclusive:
                self._note_without_conditions()
            self._require_same_state(theirs)
            before_commit()
            try:
                written = self._publish(plan, files, pages)
            except BaseException:
                self._claim.leave()
                raise
        return Applied(written=len(files) + written)

    def _publish(self, plan: Plan, files: Sequence[Put], pages: Sequence[RenderedPage]) -> int:
        changed = [page for page in pages if not page.is_published]
        for _, stage in groupby(changed, key=lambda page: page.put.resource.stage):
            self._claim.check()
            list(self._executor.map(self._put_page, stage))
        self._claim.check()
        outdated = self._put_manifest(plan, new_entries(files, pages)) if plan.has_changes else ()
        for _, entries in groupby(plan.deletes, key=attrgetter("stage")):
            self._claim.check()
            self._store.delete([key for entry in entries for key in self._keys(entry.path)])
        if outdated:
            self._claim.check()
            self._store.delete(outdated)
        self._claim.release()
        self._intended = ()
        self._object_keys = ObjectKeys(self._store)
        return len(changed)

    def _require_same_state(self, theirs: Sequence[Entry]) -> None:
        """Raise Superseded if the plan was made from another state than that of now."""
        if theirs or self._is_overtaken or self._is_replaced():
            self._is_overtaken = False
            self._intended, self._state, self._object_keys = theirs or self._intended, None, ObjectKeys(self._store)
            raise Superseded(f"{printable(self.root)}: another mkindex process published meanwhile. Run again")

    def _find_overtaking(self) -> bool:
        """Tell whether a page that is not in the manifest may be that of a writer which publishes just now."""
        if not (self._is_overtaken or self._claim.is_held):
            is_claimed = self._store.head(INTENT) is not None
            self._is_overtaken = is_claimed or self._is_replaced()
        return self._is_overtaken

    def _is_replaced(self) -> bool:
        """Tell whether the manifest was written again: no two have the same bytes."""
        there = self._store.head(MANIFEST)
        return (there.etag if there else "") != self._read_state().etag

    def _put_manifest(self, plan: Plan, new: Iterable[tuple[Position, Entry]]) -> Sequence[str]:
        """Write the manifest, after its new parts. Return the paths of parts that no reader needs any more."""
        state = self._read_state()
        after = next_manifest(state, plan, new, self.root)
        list(self._executor.map(lambda path: self._store.put(path, after.parts[path], HEADERS), after.parts))
        self._claim.check()
        try:
            self._store.put(MANIFEST, after.data, HEADERS, condition=state.etag or ABSENT)
        except Conflict as error:
            raise DestinationError(
                f"{printable(self.root)}: another mkindex process published at the same time. Run again"
            ) from error
        self._state = None
        if not after.kept or not (self._claim.is_inherited or state.parts is None):
            return after.outdated
        # Those of the writer that died, too, and of a list that somebody deleted.
        found = (one.key for one in self._store.list(f"{PARTS_DIRECTORY}/"))
        return [path for path in found if is_part(path) and path not in after.kept]

    def _upload(self, puts: Sequence[Put], advance: Advance) -> None:
        """Upload files and then siblings, which no reader can find yet."""
        self._stopped = False
        for _, some in groupby(puts, key=lambda put: put.resource.stage):
            futures = [
                (self._readers if _size(put) > CHUNK else self._executor).submit(self._put_file, put, advance)
                for put in some
            ]
            try:
                for future in futures:
                    future.result()
            except BaseException:
                self._stopped = True
                for future in futures:
                    future.cancel()
                wait(futures)
                raise

    def _put_file(self, put: Put, advance: Advance) -> None:
        resource = put.resource
        if isinstance(resource, SiblingResource):
            self._store.put(resource.path, self._origins.metadata(resource.file), FILE_HEADERS)
        elif isinstance(resource, VariantsResource | ProvenanceResource):
            self._store.put(resource.path, made_bytes(resource), FILE_HEADERS)
        elif isinstance(resource, FileResource):
            file = resource.file
            original = self._origins.original(file)
            if original and self._store.copies_from(original.store.address):
                with self._origins.errors(file):
                    self._store.copy(resource.path, original, FILE_HEADERS)
                advance(file.local.size)
                return
            parts = counted(self._origins.parts(file, is_stopped=lambda: self._stopped), advance)
            self._store.upload(resource.path, parts, FILE_HEADERS, size=file.local.size, sha256=resource.key)

    def _put_page(self, page: RenderedPage) -> None:
        path = page.put.resource.path
        for key in self._keys(path):
            self._store.put(key, page.data, page_headers(path, page.data))

    def _keys(self, path: str) -> list[str]:
        """Return the keys of a path: stores have no index documents, so the page of a directory has its key, too."""
        directory, name = path[: path.rfind("/") + 1], path.rpartition("/")[2]
        key = self._store.directory_key(directory) if name == INDEX_HTML else None
        return [path] if key is None else [path, key]

    def _note_without_conditions(self) -> None:
        text = (
            "this store has no conditional writes, so another mkindex that publishes at the same moment can undo this. "
            "Let one process at a time write"
        )
        self.notes = (Note(location=self.root, text=text),)

    def _give_up(self) -> None:
        if self._claim.is_held:
            if self._intended:
                self._claim.leave()
            else:
                self._claim.release()

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except StoreError as error:
            raise DestinationError(f"{printable(self.root)}: {error}") from error


def _size(put: Put) -> int:
    """Return the size of a file, and 0 for anything else."""
    return put.resource.file.local.size if isinstance(put.resource, FileResource) else 0
