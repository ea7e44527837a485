"""The events of a watch, one line each, as text for people or as JSON for programs."""

import time
from collections.abc import Iterator
from json import dumps
from typing import Any

from mkindex.errors import MkindexError
from mkindex.reports.text import first_names
from mkindex.text import plural
from mkindex.watch.loop import BuildEvent, Event


def as_text(event: Event) -> str:
    """Return the line for an event, with the local time."""
    if isinstance(event, BuildEvent):
        text = "; ".join(_changes(event))
    else:
        text = f"error: {event}" if isinstance(event, MkindexError) else event
    return f"{time.strftime('%Y-%m-%d %H:%M:%S')} {text}"


def _changes(event: BuildEvent) -> Iterator[str]:
    if event.recovered:
        yield "builds succeed again"
    for verb, names in ("added", event.added), ("replaced", event.replaced), ("removed", event.removed):
        if names:
            yield f"{verb} {first_names(names)}"
    if event.report.consumed:
        yield f"{len(event.report.consumed):,} consumed"
    if rejected := len(event.report.rejected):
        yield f"{rejected:,} rejected"
    if event.held:
        yield f"{len(event.held):,} held back until complete"
    if deleted := len(event.report.plan.deletes):
        yield f"{deleted:,} old paths deleted"
    yield f"{plural(event.report.totals.files, 'file')} in {event.report.seconds:.2f} s"


def as_json_line(event: Event) -> str:
    """Return the line for an event as JSON, with the time in UTC."""
    now = {"version": 1, "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}
    if isinstance(event, BuildEvent):
        return dumps(now | {"event": "build"} | _as_json(event))
    return dumps(now | {"event": "error" if isinstance(event, MkindexError) else "note", "text": str(event)})


def _as_json(event: BuildEvent) -> dict[str, Any]:
    report = event.report
    return {
        "added": event.added,
        "replaced": event.replaced,
        "removed": event.removed,
        "rejected": [{"location": one.location, "reason": one.reason} for one in report.rejected],
        "held": event.held,
        **({} if report.consumed is None else {"consumed": report.consumed}),
        "projects": len(report.index.projects),
        "files": report.totals.files,
        "written": report.written,
        "deleted": len(report.plan.deletes),
        "seconds": round(report.seconds, 3),
    }
