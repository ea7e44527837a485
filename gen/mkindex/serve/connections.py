"""The open connections of a server: how many there may be, and how long a client may take."""

import socket
import threading
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass

MOST = 500  # each has a thread
MOST_OF_ADDRESS = 250  # a proxy has one address for many clients
_CROWDED = 100  # with more connections than this, each is closed after its answer
_REQUEST = 30.0  # seconds for a whole request, from the end of the one before
_PROGRESS = 60.0  # seconds for each step of an answer
_MOST_REFUSED = 100  # that are still open
_REFUSAL = 1.0  # seconds: a connection that is closed with its request unread may lose the answer
_BUSY = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


@dataclass(slots=True)
class _Connection:
    """A connection, and the time of the monotonic clock at which it is closed."""

    address: str
    deadline: float
    is_idle: bool = True  # no request has been read


class Connections:
    """The open connections. Several threads may use it; a connection that is closed here ends its thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: dict[socket.socket, _Connection] = {}
        self._refused = deque[tuple[float, socket.socket]]()  # when each is closed

    @property
    def count(self) -> int:
        return len(self._open)

    @property
    def are_crowded(self) -> bool:
        """Whether connections are too many to be kept for another request."""
        return self.count > _CROWDED

    def admit(self, connection: socket.socket, address: str) -> bool:
        """Take a new connection; if there are too many, in place of the one that has been idle for longest.

        Returns False if all of them are in use: then the new one gets an answer that says so, and is closed here.
        """
        with self._lock:
            rivals = [one for one, state in self._open.items() if state.address == address]
            if len(rivals) < MOST_OF_ADDRESS:
                rivals = list(self._open) if len(self._open) >= MOST else []
            if rivals:
                idle = [one for one in rivals if self._open[one].is_idle]
                if not idle:
                    self._refuse(connection)
                    return False
                self._close(min(idle, key=lambda one: self._open[one].deadline))
            self._open[connection] = _Connection(address, time.monotonic() + _REQUEST)
        return True

    def expect_request(self, connection: socket.socket) -> None:
        """Close a connection that has not sent a whole request in time."""
        self._set(connection, _REQUEST, is_idle=True)

    def expect_progress(self, connection: socket.socket) -> None:
        """Close a connection that has not taken the next part of its answer in time."""
        self._set(connection, _PROGRESS, is_idle=False)

    def close_overdue(self) -> None:
        """Close the connections whose time is over."""
        now = time.monotonic()
        with self._lock:
            for connection in [one for one, state in self._open.items() if state.deadline < now]:
                self._close(connection)
            while self._refused and (self._refused[0][0] < now or len(self._refused) > _MOST_REFUSED):
                self._refused.popleft()[1].close()

    def close_refused(self) -> None:
        """Close the connections that were refused."""
        while self._refused:
            self._refused.popleft()[1].close()

    def forget(self, connection: socket.socket) -> None:
        """Forget a connection that has ended."""
        with self._lock:
            self._open.pop(connection, None)

    def _set(self, connection: socket.socket, seconds: float, *, is_idle: bool) -> None:
        with self._lock:
            if state := self._open.get(connection):
                state.deadline, state.is_idle = time.monotonic() + seconds, is_idle

    def _refuse(self, connection: socket.socket) -> None:
        self._refused.append((time.monotonic() + _REFUSAL, connection))
        with suppress(OSError):  # its client has left
            connection.setblocking(False)
            connection.sendall(_BUSY)
            connection.shutdown(socket.SHUT_WR)

    def _close(self, connection: socket.socket) -> None:
        del self._open[connection]
        with suppress(OSError):  # its client has left
            connection.shutdown(socket.SHUT_RDWR)
