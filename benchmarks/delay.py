"""Forward connections with a delay, as over a long line: `python -m benchmarks.delay PORT MILLISECONDS`.

Each way takes half of the delay. Prints the port that it listens on.
"""

import asyncio
import sys


class Line(asyncio.Protocol):
    """One end of a connection, whose bytes arrive at the other end after a delay."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self.other: asyncio.Transport | None = None
        self._before: list[bytes] = []  # arrived before there was another end
        self.own: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.own = transport

    def data_received(self, data: bytes) -> None:
        asyncio.get_running_loop().call_later(self._seconds, self._pass_on, data)

    def connection_lost(self, _: Exception | None) -> None:
        asyncio.get_running_loop().call_later(self._seconds, self._end)

    def join(self, other: asyncio.Transport) -> None:
        self.other = other
        other.write(b"".join(self._before))

    def _pass_on(self, data: bytes) -> None:
        if self.other and not self.other.is_closing():
            self.other.write(data)
        elif not self.other:
            self._before.append(data)

    def _end(self) -> None:
        if self.other:
            self.other.close()


async def forward(port: int, seconds: float) -> None:
    """Listen until the process ends."""
    loop = asyncio.get_running_loop()
    tasks = set[asyncio.Task[None]]()

    def accept() -> Line:
        near = Line(seconds)

        async def connect() -> None:
            _, far = await loop.create_connection(lambda: Line(seconds), "127.0.0.1", port)
            assert near.own
            assert far.own
            far.join(near.own)
            near.join(far.own)

        task = loop.create_task(connect())
        tasks.add(task)
        task.add_done_callback(tasks.discard)
        return near

    server = await loop.create_server(accept, "127.0.0.1", 0, backlog=1000)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(forward(int(sys.argv[1]), float(sys.argv[2]) / 2000))
