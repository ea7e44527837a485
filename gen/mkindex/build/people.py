"""The pages of a build for people, and the legacy JSON, which need more metadata than the pages for clients."""

import os
from dataclasses import replace

from mkindex.build.growing import Growth
from mkindex.build.workspace import Workspace, processes
from mkindex.examine.contents import ContentsReader
from mkindex.examine.core_metadata import CoreMetadataReader
from mkindex.examine.details import DetailsReader
from mkindex.model.index import Index
from mkindex.site.layout import Site
from mkindex.site.legacy_json import LegacyJson
from mkindex.site.library import Library
from mkindex.site.people import People
from mkindex.site.readmes import Readmes
from mkindex.site.settings import LOGO_PATHS, MAX_LOGO, Settings, read_settings
from mkindex.tree.manifest import ROOT_SECTION


def make_people(index: Index, site: Site, work: Workspace, growth: Growth | None) -> People:
    """Return the pages for people of an index. Raises ConfigError if the logo cannot be used."""
    settings = _settings(work, growth)
    metadata = CoreMetadataReader(work.cache, work.web, read=work.destination.read)
    library = Library(
        index,
        work.cache,
        _details_reader(work, metadata),
        Readmes(work.cache, images=settings.readme_images, processes=processes(work.config), read=metadata.read),
        place=os.path.realpath(work.config.destination),
    )
    contents = ContentsReader(work.web, work.connections, work.destination.read)
    return People(index, site, settings, library, contents)


def make_legacy_json(index: Index, site: Site, work: Workspace) -> LegacyJson:
    """Return the legacy JSON of an index."""
    metadata = CoreMetadataReader(work.cache, work.web, read=work.destination.read)
    return LegacyJson(index.projects, site, _details_reader(work, metadata))


def _details_reader(work: Workspace, metadata: CoreMetadataReader) -> DetailsReader:
    return DetailsReader(work.cache, metadata, processes=processes(work.config), connections=work.connections)


def _settings(work: Workspace, growth: Growth | None) -> Settings:
    """Return what the user decides about the site. An index that grows keeps its logo, which is in the tree."""
    settings = read_settings(work.config)
    if growth is None or "site_logo" in growth.given:
        return settings
    root = next((one for one in work.destination.projects() if one.name == ROOT_SECTION), None)
    entries = root.entries() if root else ()
    kept = next((entry.path for entry, is_intact in entries if is_intact and entry.path in LOGO_PATHS), None)
    content = work.destination.read(kept, MAX_LOGO) if kept else b""
    return replace(settings, logo=(kept, content) if kept and content else None)  # somebody may have deleted it
