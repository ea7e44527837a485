"""The health of a server, its counters for Prometheus, and the line of each request in its log."""

import os
import threading
from collections import Counter
from datetime import UTC, datetime
from email.message import Message
from http.server import BaseHTTPRequestHandler

from mkindex.text import printable
from mkindex.tree.names import INDEX_HTML, INDEX_JSON, SIMPLE_DIRECTORY, STATE_DIRECTORY

# No path of a tree begins with "-".
HEALTH_PATH, METRICS_PATH = "/-/health", "/-/metrics"
METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def has_index(root: str) -> bool:
    """Tell whether a directory has an index, or a record of mkindex."""
    pages = (f"{parent}{name}" for parent in ("", f"{SIMPLE_DIRECTORY}/") for name in (INDEX_HTML, INDEX_JSON))
    return any(os.path.exists(os.path.join(root, path)) for path in (STATE_DIRECTORY, *pages))


def access_line(handler: BaseHTTPRequestHandler, status: int, size: str, now: datetime) -> str:
    """Return the line of a request in the combined log format of Apache and nginx. `size` is in bytes, or "-"."""
    sent = handler.headers if hasattr(handler, "headers") else Message()  # a malformed request has no headers
    texts = (handler.requestline, sent.get("Referer", "-"), sent.get("User-Agent", "-"))
    request, referer, agent = (printable(text).replace('"', '\\"') for text in texts)
    # The names of months do not depend on the locale.
    date = f"{now:%d}/{handler.monthname[now.month]}/{now:%Y:%H:%M:%S} +0000"
    return f'{handler.client_address[0]} - - [{date}] "{request}" {status} {size} "{referer}" "{agent}"'


def utc_now() -> datetime:
    """Return the time of a line."""
    return datetime.now(UTC)


class Metrics:
    """Counters of requests. Several threads may use it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._requests = Counter[int]()
        self._sent = 0

    def count(self, status: int, size: int) -> None:
        """Count an answer of `size` bytes."""
        with self._lock:
            self._requests[status] += 1
            self._sent += size

    def as_text(self, connections: int) -> str:
        """Return all counters in the text format of Prometheus."""
        with self._lock:
            requests, sent = sorted(self._requests.items()), self._sent
        return "\n".join(
            (
                "# HELP mkindex_requests_total Requests that were answered, by status.",
                "# TYPE mkindex_requests_total counter",
                *(f'mkindex_requests_total{{status="{status}"}} {number}' for status, number in requests),
                "# HELP mkindex_sent_bytes_total Bytes of the bodies of these answers.",
                "# TYPE mkindex_sent_bytes_total counter",
                f"mkindex_sent_bytes_total {sent}",
                "# HELP mkindex_connections Open connections.",
                "# TYPE mkindex_connections gauge",
                f"mkindex_connections {connections}",
                "",
            )
        )
