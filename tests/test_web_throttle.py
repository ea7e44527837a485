"""How many requests a host gets at a time."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from mkindex.web import throttle
from mkindex.web.throttle import AT_FIRST, MOST, QUICK, Throttle
from support.scripted_server import Reply, Request, reply_sequence, status_reply
from support.web_requests import make_client

if TYPE_CHECKING:
    from support.scripted_server import ScriptedServer

pytestmark = pytest.mark.usefixtures("isolated")


def test_the_limit_grows_with_each_response_up_to_the_most() -> None:
    throttle = Throttle(threading.Event())
    limits = [throttle.limit]
    for _ in range(2 * MOST):
        throttle.report(is_overloaded=False)
        limits.append(throttle.limit)
    assert limits == [min(AT_FIRST + number, MOST) for number in range(2 * MOST + 1)]


def test_the_limit_does_not_grow_for_a_server_that_closes_each_connection() -> None:
    """The queue of `python -m http.server` has five places, and a connection that finds none waits for a second."""
    throttle = Throttle(threading.Event())
    throttle.report(is_overloaded=False, is_persistent=False)
    assert throttle.limit == AT_FIRST


def test_the_limit_does_not_grow_for_a_host_that_answers_at_once() -> None:
    """More requests at a time would only wait for the processor."""
    throttle = Throttle(threading.Event())
    throttle.report(is_overloaded=False, seconds=QUICK / 2)
    assert throttle.limit == AT_FIRST


def test_the_limit_is_halved_once_for_all_requests_that_were_on_their_way() -> None:
    throttle = Throttle(threading.Event())
    with throttle, throttle, throttle:
        limits = []
        for _ in range(5):
            throttle.report(is_overloaded=True)
            limits.append(throttle.limit)
    assert limits == [4, 4, 4, 2, 2]
    for _ in range(20):
        throttle.report(is_overloaded=True)
    assert throttle.limit == 1


@pytest.mark.timeout(60)
def test_a_host_gets_no_more_requests_at_a_time_than_the_limit(server: ScriptedServer) -> None:
    client = make_client()
    lock, everybody = threading.Lock(), threading.Event()
    now, most = 0, 0

    def route(request: Request) -> Reply:
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
            if now == AT_FIRST:
                everybody.set()
        everybody.wait(30)
        with lock:
            now -= 1
        return Reply(b"x")

    server.routes["/f"] = route
    threads = [threading.Thread(target=client.head, args=(f"{server.url}f",)) for _ in range(AT_FIRST)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (most, everybody.is_set()) == (AT_FIRST, True)


def test_an_overloaded_host_gets_fewer_requests_at_a_time(
    server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(throttle, "QUICK", 0)
    client = make_client()
    server.routes["/f"] = reply_sequence(status_reply(503), status_reply(429), Reply(b"x"))
    client.head(f"{server.url}f")
    assert client._sender().throttle(server.url).limit == AT_FIRST // 4 + 1


@pytest.mark.timeout(60)
def test_a_thread_that_waits_for_its_turn_ends_when_the_client_is_closed() -> None:
    stopped = threading.Event()
    throttle = Throttle(stopped)
    throttle.limit = 1

    def wait() -> None:
        with throttle:
            pass

    with throttle:
        thread = threading.Thread(target=wait, daemon=True)
        thread.start()
        stopped.set()
        thread.join(30)
    assert not thread.is_alive()
