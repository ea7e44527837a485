"""What the files of an index require and it does not list. Only names count, so that every build can afford it."""

from typing import NamedTuple

from mkindex.model.index import Index, Project, UnreadProject
from mkindex.text import and_more


class Unlisted(NamedTuple):
    """The projects that require what an index does not list, and what that is. Both are empty if it lists everything.

    Clients that use only this index cannot install these projects, or not all of their versions.
    """

    dependents: tuple[str, ...] = ()  # in the order of the index
    names: tuple[str, ...] = ()  # normalized, sorted

    def __str__(self) -> str:
        """Return that as a sentence without an end, "" if nothing is missing."""
        if not self.names:
            return ""
        verb = "requires" if len(self.dependents) == 1 else "require"
        return f"{and_more(self.dependents, 1)} {verb} {and_more(self.names, 3)}"


def unlisted(index: Index) -> Unlisted:
    """Return what the files of an index require, as far as they were read, and it does not list."""
    listed, required = set[str](), dict[str, set[str]]()
    for project in index.projects:  # once: they may be on disk
        if not project.is_reserved:
            listed.add(project.name)
        if names := required_names(project):
            required[project.name] = names
    missing = {name: names - listed for name, names in required.items() if names - listed}
    return Unlisted(tuple(missing), tuple(sorted(set().union(*missing.values()))))


def required_names(project: Project) -> set[str]:
    """Return the names of what the files of a project require; an sdist does not count beside a wheel."""
    if isinstance(project, UnreadProject):
        return set(project.outline.requires)
    # By name, since unpacking a named tuple of this length takes longer.
    wheels = [file.facts for file in project.files if file.filename.endswith(".whl")]
    texts = {facts.requires for facts in wheels}
    if len(wheels) < len(project.files):
        built = {facts.version for facts in wheels}
        texts |= {facts.requires for _, facts, _, _ in project.files if facts.version not in built}
    return set(" ".join(texts).split())
