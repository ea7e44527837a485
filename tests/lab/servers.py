"""Builds from servers that send wrong, broken, slow and endless answers."""

from __future__ import annotations

import hashlib
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from lab.fuzzing import mutate
from lab.part import Part, Result
from mkindex.build.pipeline import build
from mkindex.config import Config
from mkindex.errors import MkindexError
from support import raw_server
from support.builds import scratch_directory
from support.crash_scenes import build_quickly
from support.scripted_server import (
    Reply,
    Route,
    ScriptedServer,
    cut_after,
    endless_body,
    file_route,
    isolate_client,
    page_reply,
    redirect_reply,
    reply_sequence,
    run_server,
    status_reply,
)
from support.trees import find_broken_links, own_files, read_tree
from support.wheels import wheel, wheel_filename

if TYPE_CHECKING:
    import random

    from lab.part import Attempts

NAMES = ("a", "b", "c")
FILES = {wheel_filename(name, "1.0"): wheel(name, "1.0", requires_python=">=3.8") for name in NAMES}
TIMEOUT = 0.3  # seconds
LARGEST = 1 << 20  # bytes of a page, and of all downloads


def wrong_route(content: bytes, chance: random.Random) -> Route:
    """Return an answer that is not, or not quite, the one that it should be."""
    at = chance.randrange(len(content) + 1)
    right = file_route(
        content, ranges=chance.random() < 0.5, length=chance.random() < 0.5, head=chance.choice([200, 405])
    )
    routes: list[Route] = [
        cut_after(right, at),
        mutate(content, chance, [*FILES.values()]),
        chance.choice([*FILES.values()]),
        status_reply(chance.choice([204, 400, 401, 403, 404, 410, 416, 429, 500, 503])),
        redirect_reply(chance.choice(["/gone", "/p", "//", "file:///etc/passwd", "http://[::1", "/redirects"])),
        Reply(content, length=chance.choice([at, len(content) + 9])),
        Reply(content).with_headers(content_encoding=chance.choice(["gzip", "br", "zstd", "x"])),
        Reply(content, status=206).with_headers(content_range=f"bytes {at}-{len(content)}/{len(content)}"),
        Reply(endless_body()),
        page_reply("<p>sign in"),
    ]
    wrong = chance.choice(routes)
    return reply_sequence(wrong, right) if chance.random() < 0.3 else wrong


def prepare(server: ScriptedServer, chance: random.Random, stack: ExitStack) -> None:
    """Let the server lie about some of the files, or about its page."""
    links = []
    for filename, content in FILES.items():
        server.routes[f"/{filename}"] = file_route(content) if chance.random() < 0.4 else wrong_route(content, chance)
        host = server.url
        if chance.random() < 0.15:  # not even HTTP
            scripts = raw_server.HEADS | raw_server.BODIES | raw_server.SLOW
            host = stack.enter_context(raw_server.serve_forever(scripts[chance.choice([*scripts])]))
        links.append(f'<a href="{host}{filename}#sha256={hashlib.sha256(content).hexdigest()}">x</a>')
    page = f"<!DOCTYPE html><html>{''.join(links)}</html>"
    right = page_reply(page)
    wrong = wrong_route(page.encode(), chance)
    server.routes |= {"/p": right if chance.random() < 0.8 else wrong, "/redirects": redirect_reply("/redirects")}


def attempts(chance: random.Random) -> Attempts:
    """Build from such a server: what is published has the right bytes, or nothing has changed."""
    with pytest.MonkeyPatch.context() as patch, scratch_directory() as path, run_server() as server:
        build_quickly(patch)
        isolate_client(patch, Path(path))
        patch.setattr("mkindex.web.client.MAX_PAGE", LARGEST)
        public, number = Path(path, "public"), 0
        while True:
            number += 1
            with ExitStack() as stack:
                prepare(server, chance, stack)
                before = read_tree(public)
                options: dict[str, Any] = {
                    "remote": chance.choice(["mirror", "reference"]),
                    "keep_going": chance.random() < 0.5,
                    "cache_dir": str(Path(path, "cache")) if chance.random() < 0.5 else None,
                }
                config = Config(
                    sources=(f"{server.url}p",), destination=str(public), timeout=TIMEOUT, grace=0, prune=True,
                    allow_empty=True, max_download=LARGEST, trust_host=("127.0.0.1",), **options,
                )  # fmt: skip
                try:
                    build(config)
                    is_done = True
                except MkindexError:
                    is_done = False
                wrong = faults(read_tree(public), server.url)
                if not is_done and read_tree(public) != before:
                    wrong.append("a build that failed changed the tree")
                if own_files(public) - {"manifest", "downloads"}:
                    wrong.append(f"left: {own_files(public)}")
                yield Result(1, tuple(wrong))


def faults(content: dict[str, bytes], url: str) -> list[str]:
    """Return the files that are not right, and links that lead nowhere."""
    wrong = [
        f"{path} is wrong"
        for path, data in content.items()
        if path.endswith(".whl") and data != FILES[path.rpartition("/")[2]]
    ]
    return wrong + [one for one in find_broken_links(content) if url not in one and "http:" not in one]


PART = Part(name="servers", what="builds from servers that lie, break off or never end", attempts=attempts, short=25)
