"""The other projects of an index that its variants require.

uv takes a project from an index only if it is a direct dependency, so its configuration has to name them.
"""

from collections import defaultdict, deque
from collections.abc import Collection, Iterator
from functools import cache

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from mkindex.check.candidates import age_key
from mkindex.check.fetch import Fetcher
from mkindex.check.identify import fetch_forms
from mkindex.check.wheels import requirements
from mkindex.clients.served import RequiredProject
from mkindex.distributions.zips import MAX_METADATA
from mkindex.simple.links import client_project_url
from mkindex.tree.names import METADATA_SUFFIX

_MOST = 20  # projects that are read for one index; each takes two requests

_Condition = frozenset[str]  # markers that all hold


class RequirementReader:
    """Reads what the newest wheel of a project requires, of a limited number of projects."""

    def __init__(self, fetcher: Fetcher, projects: Collection[str]) -> None:
        self._fetcher = fetcher
        self._projects = frozenset(projects)
        self._left = _MOST
        self._of = cache(self._read)

    def beside(self, root: str, own: Collection[str], main: str) -> tuple[RequiredProject, ...]:
        """Return the projects that those of a variant require, also through others, without `own`.

        `root`: the index of the variant; `main`: that of projects without variants.
        """
        found = defaultdict[str, set[_Condition]](set)
        waiting = deque((name, _Condition()) for name in own)
        while waiting:
            project, condition = waiting.popleft()
            for name, marker in self._of(root if project in own else main, project):
                under = condition | {marker} if marker else condition
                if name in own or any(known <= under for known in found[name]):
                    continue
                found[name] = {known for known in found[name] if not under <= known} | {under}
                waiting.append((name, under))
        return tuple(RequiredProject(name, _any_of(found[name])) for name in sorted(found))

    def _read(self, root: str, project: str) -> tuple[tuple[str, str], ...]:
        if not self._left:
            return ()
        self._left -= 1
        pages = fetch_forms(self._fetcher, client_project_url(root, project), "project", project)
        wheels = [one for page in pages for one in page.entries if one.metadata is not None and one.yanked is None]
        if not wheels:
            return ()
        newest = max(wheels, key=lambda entry: age_key(entry, project))
        reply = self._fetcher.get_small(f"{newest.url}{METADATA_SUFFIX}", MAX_METADATA)
        metadata = requirements(reply.body) if reply.status == 200 and not reply.broken else None
        return tuple(self._required(metadata.requires_dist)) if metadata else ()

    def _required(self, requires_dist: Collection[str]) -> Iterator[tuple[str, str]]:
        """Yield projects of the index with their markers, without those that only an extra requires."""
        for text in requires_dist:
            try:
                requirement = Requirement(text)
            except InvalidRequirement:
                continue
            name, marker = canonicalize_name(requirement.name), str(requirement.marker or "")
            if name in self._projects and "extra" not in marker:
                yield name, marker


def _any_of(conditions: Collection[_Condition]) -> str:
    """Return a marker that holds if one of the conditions does; "": always."""
    if _Condition() in conditions:
        return ""
    return _joined("or", [_joined("and", condition) for condition in conditions])


def _joined(word: str, texts: Collection[str]) -> str:
    return f" {word} ".join(f"({text})" if len(texts) > 1 else text for text in sorted(texts))
