"""Resources of a small source, for tests of destinations."""

from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path

from mkindex.publish.plan import Destination, Plan, plan
from mkindex.site.layout import Site
from mkindex.site.resources import FileResource, ProvenanceResource, Resource, SiblingResource, VariantsResource
from mkindex.site.templates import Templates
from mkindex.tree.manifest import Entry
from support.builds import publish
from support.index_values import group_sections, render_resources
from support.wheels import write_wheel

MTIME = 1_700_000_000
SITE = Site(templates=Templates())


def list_resources(source: Path, site: Site = SITE) -> list[Resource]:
    return render_resources(publish(source, source.parent / "nowhere", dry_run=True).index, site)


def change_source(source: Path) -> None:
    """Add a wheel, change the bytes of another, and remove the sdist."""
    write_wheel(source, "added", "1.0", mtime=MTIME)
    (source / "demo-1.0-py3-none-any.whl").unlink()  # so that a hard link of it is not changed
    write_wheel(source, "demo", "1.0", mtime=MTIME, summary="other bytes")
    (source / "other-1.0.tar.gz").unlink()


def read_file(resource: FileResource | SiblingResource) -> bytes:
    path = Path(resource.file.local.path)
    if isinstance(resource, FileResource):
        return path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        return archive.read(next(name for name in archive.namelist() if name.endswith("/METADATA")))


def read_resource(resource: Resource) -> bytes:
    if isinstance(resource, VariantsResource | ProvenanceResource):
        return resource.content()
    return read_file(resource) if isinstance(resource, FileResource | SiblingResource) else resource.render()


def make_plan(wanted: list[Resource], destination: Destination, *, now: int = 0, grace: int = 0) -> Plan:
    return plan(group_sections(wanted), destination, now=now, grace=grace)


def held_entries(destination: Destination) -> list[tuple[Entry, bool]]:
    found = (held for section in destination.sections() for held in section.entries())
    return [(held.entry._replace(fingerprint=""), held.intact) for held in found]


def expected_entries(wanted: list[Resource]) -> list[tuple[Entry, bool]]:
    hashes = [hashlib.sha256(read_resource(each)).hexdigest() for each in wanted]
    return sorted((Entry.of(each, sha), True) for each, sha in zip(wanted, hashes, strict=True))


def flip_bit(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]
