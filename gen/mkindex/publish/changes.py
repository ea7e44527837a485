"""The changes to a manifest that a plan makes, in the order of a manifest."""

from collections.abc import Iterable, Iterator
from heapq import merge
from itertools import groupby
from operator import itemgetter

from mkindex.publish.plan import Plan
from mkindex.tree.manifest import Change, Entry, Position


def manifest_changes(plan: Plan, new: Iterable[tuple[Position, Entry]]) -> Iterator[Change]:
    """Yield the changes. `new`: the entries of the puts, in this order."""
    updates = sorted((entry.position, entry) for entry in plan.updates)
    removals = sorted(entry.position for entry in (*plan.deletes, *plan.transfers, *plan.edited))
    # If there are two for a position, the first one counts.
    changes = merge(new, updates, ((position, None) for position in removals), key=itemgetter(0))
    for _, same in groupby(changes, key=itemgetter(0)):
        yield next(same)
