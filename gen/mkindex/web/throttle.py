"""How many requests a host gets at a time: a few at first, more if its answers take time, half if it is overloaded."""

import threading
from types import TracebackType

AT_FIRST, MOST = 8, 50  # requests at the same time; uv sends as many
OVERLOADED = (429, 503)  # these statuses say so
QUICK = 0.005  # seconds: of a host that answers within this time, a few requests at a time use all of a processor
_CHECK = 0.5  # seconds, after which a thread that waits looks whether everything was stopped


class Throttle:
    """The limit for one host: a block `with` it waits for a place, and has it until it ends. Several threads use it."""

    def __init__(self, stopped: threading.Event) -> None:
        self.limit = AT_FIRST
        self._stopped = stopped
        self._busy = 0
        self._ignored = 0  # responses to come that were requested before the limit was halved
        self._changed = threading.Condition()

    def __enter__(self) -> None:
        with self._changed:
            while self._busy >= self.limit and not self._stopped.is_set():
                self._changed.wait(_CHECK)
            self._busy += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with self._changed:
            self._busy -= 1
            # The place that just became free is for the next request of this thread, as a rule. To wake another
            # thread, which would find it taken, costs as much as a request.
            if self._busy < max(1, self.limit - 1):
                self._changed.notify()

    def report(self, *, is_overloaded: bool, is_persistent: bool = True, seconds: float = QUICK) -> None:
        """Take note of how the host answered, and after how many seconds.

        If it closes each connection, more at a time would fill its queue.
        """
        with self._changed:
            if is_overloaded and not self._ignored:
                self.limit = max(1, self.limit // 2)
                self._ignored = max(0, self._busy - 1)
            elif self._ignored:
                self._ignored -= 1
            elif is_persistent and not is_overloaded and seconds >= QUICK and self.limit < MOST:
                self.limit += 1
                self._changed.notify()
