"""Which requests are sent again, how often, and after which pauses."""

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

from mkindex.web.responses import RequestFailed
from mkindex.web.transport import NoResponse, Response, Stage, TransferBroken

T = TypeVar("T")

# For requests with one of these statuses, or without a response.
RETRIED_STATUSES = (429, 500, 502, 503, 504)
MAX_RETRIES = 4
_RETRIES: dict[Stage, int] = {"response": MAX_RETRIES, "connection": 2, "proxy": 2}
BACKOFF, JITTER = 0.5, 0.2  # seconds: half of the second pause, doubled each time, and the maximum of its random part
MAX_RETRY_AFTER = 60  # seconds: a longer Retry-After is shortened to this, so all pauses together take 4 minutes

MAX_BREAKS = 5  # how often in a row a transfer may break without progress
PAUSE_AFTER_BREAK = 0.5  # seconds, multiplied by the number of breaks


def repeat_failed(send: Callable[[], Response], stopped: threading.Event) -> Response:
    """Return the response that `send` returns, and call it again after a failure that may pass. Raises NoResponse."""
    failures = 0
    while True:
        pause = None
        try:
            response = send()
            if not _may_pass(response) or failures == MAX_RETRIES:
                return response
            pause = _retry_after(response.headers.get("retry-after", ""))
            response.discard()
        except NoResponse as error:
            if failures >= _RETRIES.get(error.stage, 0) or stopped.is_set():
                raise
        failures += 1
        stopped.wait(_backoff(failures) if pause is None else pause)


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


def _may_pass(response: Response) -> bool:
    """Tell whether a failure may pass. GitHub answers 403 with Retry-After to too many requests at once."""
    return response.status in RETRIED_STATUSES or (response.status == 403 and "retry-after" in response.headers)


def _backoff(failures: int) -> float:
    import random  # here, as the one below, since most builds need neither

    # The first failure is often that of a connection which the server closed while it was idle.
    return 0.0 if failures == 1 else BACKOFF * 2 ** (failures - 1) + random.random() * JITTER  # noqa: S311


def _retry_after(value: str) -> float | None:
    """Return the seconds of a Retry-After header, None if it is missing or invalid."""
    if value.isascii() and value.isdecimal():
        return float(min(int(value[:9]), MAX_RETRY_AFTER))

    # Here, since builds without remote files do not need it.
    from email.utils import parsedate_to_datetime

    with suppress(ValueError, OverflowError):
        return min(max(parsedate_to_datetime(value).timestamp() - time.time(), 0.0), MAX_RETRY_AFTER)
    return None
