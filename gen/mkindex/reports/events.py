"""What a watch says: a line for each build and for what goes wrong, for a person or as JSON for a machine."""

import time
from collections.abc import Iterator
from json import dumps
from typing import Any

from mkindex.errors import MkindexError
from mkindex.text import printable
from mkindex.watch.loop import BuildEvent, Event

_SHOWN = 3  # names in a line for a person


def as_text(event: Event) -> str:
    """Return the line for an event, with the time of this place."""
    if isinstance(event, BuildEvent):
        text = "; ".join(_done(event))
    else:
        text = f"error: {event}" if isinstance(event, MkindexError) else event
    return f"{time.strftime('%Y-%m-%d %H:%M:%S')} {text}"


def _done(built: BuildEvent) -> Iterator[str]:
    if built.recovered:
        yield "works again"
    for verb, names in ("added", built.added), ("replaced", built.replaced), ("removed", built.removed):
        if names:
            more = f" and {len(names) - _SHOWN:,} more" if len(names) > _SHOWN else ""
            yield f"{verb} {', '.join(map(printable, names[:_SHOWN]))}{more}"
    if rejected := len(built.report.rejected):
        yield f"{rejected:,} rejected"
    if built.held:
        yield f"{len(built.held):,} held back until whole"
    if deleted := len(built.report.plan.deletes):
        yield f"{deleted:,} old paths deleted"
    files = sum(len(project.files) for project in built.report.index.projects)
    yield f"{files:,} file{'' if files == 1 else 's'} in {built.report.seconds:.2f} s"


def as_json_line(event: Event) -> str:
    """Return the line for an event as JSON, with the time in UTC."""
    now = {"version": 1, "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}
    if isinstance(event, BuildEvent):
        return dumps(now | {"event": "build"} | _as_json(event))
    return dumps(now | {"event": "error" if isinstance(event, MkindexError) else "note", "text": str(event)})


def _as_json(built: BuildEvent) -> dict[str, Any]:
    report = built.report
    return {
        "added": built.added,
        "replaced": built.replaced,
        "removed": built.removed,
        "rejected": [{"location": one.location, "reason": one.reason} for one in report.rejected],
        "held": built.held,
        "projects": len(report.index.projects),
        "files": sum(len(project.files) for project in report.index.projects),
        "written": report.written,
        "deleted": len(report.plan.deletes),
        "seconds": round(report.seconds, 3),
    }
