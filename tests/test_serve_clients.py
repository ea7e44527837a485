"""The server: its log, what it says of itself, and many, slow and gone clients."""

from __future__ import annotations

import os
import re
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

import pytest

from mkindex.serve import connections
from support.served_trees import PIP, Tree, serving, tree
from support.watch_process import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["tree"]


DATE = r"\[\d\d/(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)/\d{4}:\d\d:\d\d:\d\d \+0000\]"


def logged(tree: Tree) -> list[tuple[str, int]]:
    """Return the lines of the log without their dates, and the statuses, and clear it."""
    lines = [(re.sub(DATE, "[DATE]", line, count=1), status) for line, status in tree.log]
    tree.log.clear()
    return lines


def test_each_request_is_a_line_of_the_combined_log_format(tree: Tree) -> None:
    size = (tree.root / "simple/demo/index.html").stat().st_size
    tree.log.clear()
    tree.get("/simple/demo/", User_Agent="pip/26.3", Referer="http://here/")
    tree.get("/simple/demo/", method="HEAD")
    tree.get("/simple/demo/", If_None_Match="*")
    tree.say(b"GET\r\n\r\n")
    assert logged(tree) == [
        (f'127.0.0.1 - - [DATE] "GET /simple/demo/ HTTP/1.1" 200 {size} "http://here/" "pip/26.3"', 200),
        ('127.0.0.1 - - [DATE] "HEAD /simple/demo/ HTTP/1.1" 200 - "-" "-"', 200),
        ('127.0.0.1 - - [DATE] "GET /simple/demo/ HTTP/1.1" 304 - "-" "-"', 304),
        ('127.0.0.1 - - [DATE] "GET" 400 16 "-" "-"', 400),
    ]


def test_the_log_cannot_be_forged(tree: Tree) -> None:
    tree.log.clear()
    request = 'GET /\x1b[31m\u202e" HTTP/1.1\r\nHost: x\r\nUser-Agent: a" b\r\n\r\n'
    tree.say(request.encode("latin-1", "backslashreplace"))
    size = (tree.root / "404.html").stat().st_size
    line = rf'127.0.0.1 - - [DATE] "GET /\x1b[31m\u202e\" HTTP/1.1" 404 {size} "-" "a\" b"'
    assert logged(tree) == [(line, 404)]


# --- what a server says of itself -----------------------------------------------------------------------------------


def test_a_server_is_healthy_while_there_is_an_index(tree: Tree, tmp_path: Path) -> None:
    assert tree.get("/-/health?x")[::2] == (200, b"ok\n")
    with serving(tmp_path) as other:
        answer = other.get("/-/health")
    assert answer[::2] == (503, b"there is no index to serve\n")


def test_metrics_are_served_only_if_they_are_wanted(tree: Tree) -> None:
    assert tree.get("/-/metrics").status == 404
    with serving(tree.root, metrics=True) as other:
        sent = len(other.get("/simple/").body) + len(other.get("/gone").body)
        other.get("/simple/", method="HEAD")
        *lines, connections = [
            line for line in other.get("/-/metrics").body.decode().splitlines() if not line.startswith("#")
        ]
    assert lines == [
        'mkindex_requests_total{status="200"} 2',
        'mkindex_requests_total{status="404"} 1',
        f"mkindex_sent_bytes_total {sent}",
    ]
    assert connections.startswith("mkindex_connections ")


# --- many, slow and gone clients ------------------------------------------------------------------------------------


@pytest.mark.slow
def test_two_hundred_clients_at_once_are_served(tree: Tree) -> None:
    path, whole = f"/{tree.wheel}", (tree.root / tree.wheel).read_bytes()
    begin = threading.Barrier(200)

    def client(_: int) -> list[int | bytes]:
        begin.wait(20)
        return [tree.get("/simple/demo/", Accept=PIP).status, tree.get(path).body]

    with ThreadPoolExecutor(200) as pool:
        assert list(pool.map(client, range(200))) == [[200, whole]] * 200


def test_silent_clients_do_not_block_others(tree: Tree) -> None:
    silent = [socket.create_connection(("127.0.0.1", tree.port)) for _ in range(50)]
    try:
        for connection in silent[::2]:
            connection.sendall(b"GET /simple/ HT")
        assert tree.get("/simple/").status == 200
    finally:
        for connection in silent:
            connection.close()


def test_a_client_that_drips_its_request_is_disconnected(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "_REQUEST", 0.3)
    with socket.create_connection(("127.0.0.1", tree.port)) as connection:
        connection.sendall(b"GET /simple/ HTTP/1.1\r\nA: ")

        def is_disconnected() -> bool:
            try:
                connection.sendall(b"a")
            except ConnectionError:
                return True
            return False

        wait_until(is_disconnected, "a disconnection")
    assert tree.get("/simple/").status == 200


def test_a_client_that_does_not_read_its_answer_is_disconnected(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "_PROGRESS", 0.3)
    (tmp_path / "large").write_bytes(bytes(50_000_000))
    with serving(tmp_path) as tree:
        with ask_without_reading(tree, "/large") as connection:
            tree.wait_for_connections(0)
            received = sum(map(len, iter(lambda: connection.recv(1 << 20), b"")))
        assert received < 50_000_000


@contextmanager
def ask_without_reading(tree: Tree, path: str) -> Iterator[socket.socket]:
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)
        connection.settimeout(20)
        connection.connect(("127.0.0.1", tree.port))
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        assert connection.recv(9) == b"HTTP/1.1 "
        yield connection


@pytest.mark.parametrize("limit", ["MOST", "MOST_OF_ADDRESS"])
def test_a_new_client_takes_the_place_of_the_one_that_has_been_idle_for_longest(
    tree: Tree, monkeypatch: pytest.MonkeyPatch, limit: str
) -> None:
    monkeypatch.setattr(connections, limit, 5)
    tree.wait_for_connections(0)
    with ExitStack() as stack:
        idle = []
        for number in range(5):
            idle.append(stack.enter_context(socket.create_connection(("127.0.0.1", tree.port), timeout=20)))
            tree.wait_for_connections(number + 1)
        assert tree.get("/simple/").status == 200
        assert idle[0].recv(1) == b""
        idle[1].sendall(b"GET /simple/ HTTP/1.1\r\nHost: x\r\n\r\n")
        assert idle[1].recv(12) == b"HTTP/1.1 200"


def test_a_client_is_refused_while_all_connections_are_in_use(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "MOST", 3)
    (tmp_path / "large").write_bytes(bytes(50_000_000))
    with serving(tmp_path) as tree:
        with ExitStack() as stack:
            for _ in range(3):
                stack.enter_context(ask_without_reading(tree, "/large"))
            answer = tree.get("/large")
        assert (answer.status, answer.headers["Retry-After"]) == (503, "1")
        tree.wait_for_connections(0)
        assert tree.get("/large", method="HEAD").status == 200


def test_a_client_that_hangs_up_does_no_harm(tree: Tree, capfd: pytest.CaptureFixture[str]) -> None:
    for _ in range(20):
        with socket.create_connection(("127.0.0.1", tree.port)) as connection:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            connection.sendall(f"GET /{tree.wheel} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            connection.recv(100)
    assert tree.get("/simple/").status == 200
    assert capfd.readouterr() == ("", "")


@pytest.mark.slow
def test_an_answer_comes_from_one_file_while_the_tree_changes(tmp_path: Path) -> None:
    pages = [b"a" * 100_000, b"b" * 250_000, b"c" * 10]

    def change(stop: threading.Event) -> None:
        number = 0
        while not stop.is_set():
            (tmp_path / "new").write_bytes(pages[number % 3])
            os.replace(tmp_path / "new", tmp_path / "page.html")
            number += 1

    (tmp_path / "page.html").write_bytes(pages[0])
    stop = threading.Event()
    with serving(tmp_path) as tree:
        writer = threading.Thread(target=change, args=(stop,))
        writer.start()
        try:
            answers = [tree.get("/page.html") for _ in range(300)]
        finally:
            stop.set()
            writer.join()
        assert {answer.body in pages for answer in answers} == {True}
        assert len({answer.body for answer in answers}) > 1
        assert all(answer.headers["ETag"].split("-")[1] == f"{len(answer.body):x}" for answer in answers)


def test_a_symlink_to_the_tree_may_change(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "index.html").write_text(name)
    (tmp_path / "public").symlink_to("one")
    with serving(tmp_path / "public") as tree:
        assert tree.get("/").body == b"one"
        (tmp_path / "new").symlink_to("two")
        (tmp_path / "new").rename(tmp_path / "public")
        assert tree.get("/").body == b"two"
