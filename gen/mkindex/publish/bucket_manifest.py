"""The next manifest of a bucket: what a plan changes in that which was read. A long one is divided into parts."""

import json
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from io import BytesIO
from itertools import groupby
from types import MappingProxyType
from typing import NamedTuple

from mkindex.closure.unlisted import required_names
from mkindex.errors import ConfigError
from mkindex.model.index import Outline, Project
from mkindex.model.variants import Variants
from mkindex.policy.reader import parse_variants
from mkindex.publish import divided
from mkindex.publish.bucket_state import BucketState
from mkindex.publish.changes import manifest_changes
from mkindex.publish.divided import Part, PartList
from mkindex.publish.plan import Plan
from mkindex.sources import recorded
from mkindex.tree import manifest
from mkindex.tree.manifest import ROOT_SECTION, TERMS, VARIANTS, Change, Entry, Extent, Position, Stage
from mkindex.tree.names import INDEX_JSON
from mkindex.tree.parts import part_digest, part_path

MOST_WHOLE = 1 << 20  # bytes: a longer manifest is divided. This is about two thousand files
KEPT_FOR = 3600  # seconds that a replaced part stays, for writers that have read the list which names it
_RUN = b"run\t"


class NextManifest(NamedTuple):
    """What is written: new parts by their path, then the manifest. Then what no manifest names any more is deleted."""

    data: bytes
    parts: Mapping[str, bytes] = MappingProxyType({})
    outdated: Sequence[str] = ()  # paths
    kept: frozenset[str] = frozenset()  # paths of all other parts


def next_manifest(state: BucketState, plan: Plan, new: Iterable[tuple[Position, Entry]], root: str) -> NextManifest:
    """Return the manifest of the tree at the address `root` after a plan."""
    changes = manifest_changes(plan, new)
    run = uuid.uuid4().hex  # so that no two manifests are the same, even if one undoes the other
    root_lines = plan.lines(ROOT_SECTION) or state.root_lines
    outline = _Outlines(root, variants_in(root_lines)).of
    if state.parts is None:

        def lines(name: str) -> Sequence[bytes]:
            return plan.lines(name) if name != ROOT_SECTION else _with_run(root_lines, run)

        before = BytesIO(state.data) if state.sections else None
        recorded = {*plan.recorded, ROOT_SECTION}
        data = b"".join(manifest.encode(changes, before, state.extents, lines, recorded))
        if len(data) <= MOST_WHOLE:
            return NextManifest(data)
        return _list_of({name: _new_part(part, outline) for name, part in _divided(data)}, PartList(run, {}))
    changed = dict(_changed(state, changes, plan))
    if _terms(root_lines) != _terms(state.root_lines):  # what all outlines say may have another meaning
        changed = {name: section.open()[0].getvalue() for name, section in state.sections.items()} | changed
    parts = {name: _new_part(data, outline) if data else None for name, data in changed.items()}
    return _list_of(parts, replace(state.parts, run=run))


def _with_run(lines: Sequence[bytes], run: str) -> list[bytes]:
    """Return the optional lines of the root section with one that has never been there."""
    return sorted([*(line for line in lines if not line.startswith(_RUN)), _RUN + f"{run}\n".encode()])


def _terms(lines: Sequence[bytes]) -> list[bytes]:
    return [line for line in lines if line.startswith((TERMS, VARIANTS))]


def _divided(data: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield the parts of a whole manifest by the name of their section."""
    for extent, _ in manifest.sections(BytesIO(data)):
        yield extent.name, b"".join(manifest.encode((), BytesIO(data), [extent]))


def _changed(state: BucketState, changes: Iterable[Change], plan: Plan) -> Iterator[tuple[str, bytes]]:
    """Yield the parts that change by the name of their section; b"" for a section that has no entry any more."""
    by_section = {name: list(edits) for name, edits in groupby(changes, key=lambda change: change[0][0])}
    for name in sorted({*by_section, *plan.recorded}):
        before, extents = None, list[Extent]()
        if section := state.sections.get(name):
            before, extent = section.open()
            extents.append(extent)
        data = b"".join(manifest.encode(by_section.get(name, ()), before, extents, plan.lines, {name}))
        yield name, data if any(manifest.sections(BytesIO(data))) else b""


def _new_part(data: bytes, outline: Callable[[str, Sequence[bytes], Sequence[bytes]], Outline]) -> tuple[Part, bytes]:
    ((extent, lines),) = manifest.sections(BytesIO(data))
    of_project = outline(extent.name, lines, manifest.read_optional(BytesIO(data), extent))
    return Part(part_digest(data), manifest.key(extent.name, lines), len(lines), of_project), data


def _list_of(changed: Mapping[str, tuple[Part, bytes] | None], before: PartList) -> NextManifest:
    """Return the list of parts after some of them changed; None: removed."""
    now, parts = int(time.time()), dict(before.parts)
    replaced = dict(before.replaced) | {parts[name].sha256: now for name in changed if name in parts}
    written = {}
    for name, new in changed.items():
        old = parts.pop(name, None)
        if new:
            parts[name], data = new
            if old is None or old.sha256 != new[0].sha256:
                written[new[0].path] = data
    current = {part.sha256 for part in parts.values()}
    outdated = sorted(one for one, since in replaced.items() if one not in current and since + KEPT_FOR <= now)
    replaced = {one: since for one, since in replaced.items() if one not in current and one not in outdated}
    return NextManifest(
        divided.encode(PartList(before.run, parts, replaced)),
        written,
        tuple(map(part_path, outdated)),
        frozenset(map(part_path, {*current, *replaced})),
    )


@dataclass(frozen=True)
class _Outlines:
    """What pages of the whole index say about projects, from what the manifest records about their files."""

    root: str  # the address of the tree
    variants: Variants | None

    def of(self, name: str, lines: Sequence[bytes], optional: Sequence[bytes]) -> Outline:
        """Return the outline of a section with these lines."""
        end = f"{name}/{INDEX_JSON}"
        entries = (entry for entry in manifest.decode(name, lines) if entry.stage == Stage.PROJECT)
        keys = {entry.path.removesuffix(end): entry.key for entry in entries if entry.path.endswith(end)}
        record = recorded.decode(name, optional, self.root) or recorded.Record([], None)
        project = Project(name=name, files=tuple(record.files), status=record.status)
        in_variants = bool(self.variants and self.variants.split(project))
        listed = self.variants.main(project) if self.variants and in_variants else project
        return Outline(
            keys=keys,
            newest=listed.newest(),
            listed=len(listed.files),
            file_count=len(project.files),
            size=sum(file.size or 0 for file in project.files),
            requires=tuple(sorted(required_names(project))),
            status=project.status,
            in_variants=in_variants,
        )


def variants_in(lines: Iterable[bytes]) -> Variants | None:
    """Return the variants that are recorded in the optional lines of the root section; None if there are none."""
    line = next((line for line in lines if line.startswith(VARIANTS)), None)
    with suppress(ConfigError, ValueError, RecursionError):
        return parse_variants(json.loads(line[len(VARIANTS) :]), "manifest") if line else None
    return None
