"""Which requests are sent again, how often, and after which pauses."""

import threading
from collections.abc import Callable
from typing import TypeVar

from mkindex.web.responses import RequestFailed
from mkindex.web.transport import TransferBroken

T = TypeVar("T")

# For requests without a response, or with one of these statuses. A transport repeats them.
RETRIED_STATUSES = (429, 500, 502, 503, 504)
MAX_RETRIES, MAX_CONNECT_RETRIES = 4, 2
BACKOFF, JITTER = 0.5, 0.2  # seconds: the first pause, doubled each time, and the maximum of its random part
MAX_RETRY_AFTER = 60  # seconds: a longer Retry-After is shortened to this

MAX_BREAKS = 5  # how often in a row a transfer may break without progress
PAUSE_AFTER_BREAK = 0.5  # seconds, multiplied by the number of breaks


def repeat_broken(url: str, ask: Callable[[], T], stopped: threading.Event) -> T:
    """Return what `ask` returns, and call it again if it raises TransferBroken. Raises RequestFailed."""
    for attempt in range(1, MAX_BREAKS + 1):
        try:
            return ask()
        except TransferBroken as error:
            if attempt == MAX_BREAKS or stopped.is_set():
                raise RequestFailed(url, f"incomplete response ({error}). Try again later") from error
            stopped.wait(PAUSE_AFTER_BREAK * attempt)
    raise AssertionError
