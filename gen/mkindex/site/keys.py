"""The keys of the pages of projects: digests of everything that these pages are made from."""

from collections.abc import Mapping

from mkindex.model.files import Link
from mkindex.model.index import Project, UnreadProject
from mkindex.site.layout import Site
from mkindex.spool import in_order, with_digests
from mkindex.tree.manifest import digest


def project_keys(projects: Mapping[str, Project], site: Site) -> Mapping[str, str]:
    """Return the key of the pages of each project, by its name."""
    return with_digests(projects, (_project_key(project, site) for project in in_order(projects)))


def _project_key(project: Project, site: Site) -> str:
    if isinstance(project, UnreadProject):
        return project.page_key
    texts = [site.key, str(project.status)]
    is_placed = site.files_url is None
    for file in project.files:
        artifact, facts, filename, attested = file
        link = artifact if isinstance(artifact, Link) else artifact.link
        yanked, provenance = (link.yanked, link.provenance or None) if link else (None, None)
        if attested:
            provenance = site.provenance(file) or None
            texts.append(f"provenance {attested.sha256}")
        _, version, sha256, _, python, metadata, _, time, _, name, _, _, variant = facts
        if link is artifact:
            address: str | None = artifact.url
        elif is_placed:
            address = None
        else:  # as of a Link to the same place, which `add` makes of it
            address, metadata = site.href(file, depth=0), site.core_metadata(file)
        # Unknown values are None, as in the keys of trees that earlier versions published.
        texts.append(
            f"{filename} {version} {sha256} {artifact.size} {metadata or None} {time or None} {python or None} "
            f"{yanked!r} {provenance} {name or None} {address}"
        )
        if variant:
            texts.append(variant)
    return digest(*texts)
