"""The pages of a build for people, and for programs that want to know more than clients do."""

import os

from mkindex.build.workspace import Workspace, processes
from mkindex.examine.core_metadata import CoreMetadataReader
from mkindex.examine.details import DetailsReader
from mkindex.model.index import Index
from mkindex.site.legacy_json import LegacyJson
from mkindex.site.library import Library
from mkindex.site.people import People
from mkindex.site.readmes import Readmes
from mkindex.site.render import Site
from mkindex.site.settings import read_settings


def make_people(index: Index, site: Site, work: Workspace) -> People:
    """Return the pages for people of an index. Raises ConfigError if the logo cannot be used."""
    settings = read_settings(work.config)
    metadata = CoreMetadataReader(work.cache, work.web)
    library = Library(
        index,
        work.cache,
        _details_reader(work, metadata),
        Readmes(work.cache, images=settings.readme_images, processes=processes(work.config), read=metadata.read),
        place=os.path.realpath(work.config.destination),
    )
    return People(index, site, settings, library)


def make_legacy_json(index: Index, site: Site, work: Workspace) -> LegacyJson:
    """Return the legacy JSON of an index."""
    return LegacyJson(index.projects, site, _details_reader(work, CoreMetadataReader(work.cache, work.web)))


def _details_reader(work: Workspace, metadata: CoreMetadataReader) -> DetailsReader:
    return DetailsReader(work.cache, metadata, processes=processes(work.config), connections=work.connections)
