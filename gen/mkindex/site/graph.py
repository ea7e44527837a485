"""Which projects of an index require each other, by the metadata of their newest releases."""

import json
import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from functools import lru_cache
from typing import NamedTuple

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from mkindex.model.details import Details
from mkindex.site.views import Edge, Required

_EXTRA = re.compile(r"""\(?\s*\bextra\s*==\s*(["'])([^"']*)\1\s*\)?""")
_JOINED = re.compile(r"^\s*and\b|\band\s*$")


class Graph(NamedTuple):
    """The requirements between the projects of an index."""

    requires: Mapping[str, tuple[Edge, ...]]
    dependents: Mapping[str, tuple[Edge, ...]]


@lru_cache(maxsize=4096)
def parse_requirement(text: str) -> Required:
    """Return a Requires-Dist for people; one that cannot be parsed as it is."""
    try:
        found = Requirement(text)
    except (InvalidRequirement, RecursionError):
        return Required("", text)
    marker = str(found.marker or "")
    extra = _EXTRA.search(marker)
    rest = _JOINED.sub("", _EXTRA.sub("", marker).strip()).strip() if extra and " or " not in marker else marker
    extras = f"[{','.join(sorted(found.extras))}]" if found.extras else ""
    address = f" @ {found.url}" if found.url else ""
    return Required(
        canonicalize_name(found.name),
        f"{found.name}{extras}{found.specifier}{address}",
        rest,
        canonicalize_name(extra[2]) if extra else "",
    )


def requirements_between(details: Mapping[str, Details | None], listed: Collection[str]) -> dict[str, list[Edge]]:
    """Return for each project the others of the index that its newest release requires."""
    found = {}
    for project, known in details.items():
        required = map(parse_requirement, known.requires) if known else ()
        edges = {Edge(one.name, one.extra) for one in required if one.name in listed and one.name != project}
        if edges:
            found[project] = sorted(edges)
    return found


def make_graph(edges: Mapping[str, Iterable[Edge]]) -> Graph:
    """Return the graph with these edges, in both directions."""
    dependents: defaultdict[str, list[Edge]] = defaultdict(list)
    for project, others in edges.items():
        for other, extra in others:
            dependents[other].append(Edge(project, extra))
    return Graph(
        {project: tuple(others) for project, others in edges.items()},
        {project: tuple(sorted(others)) for project, others in dependents.items()},
    )


def encode_edges(edges: Mapping[str, Iterable[Edge]]) -> str:
    """Return edges as text."""
    return json.dumps({project: list(others) for project, others in edges.items()}, separators=(",", ":"))


def decode_edges(text: str) -> dict[str, list[Edge]]:
    """Read what `encode_edges` wrote."""
    return {project: [Edge(*edge) for edge in others] for project, others in json.loads(text).items()}
