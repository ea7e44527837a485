"""A server of pages, and helpers for the items that sources find on them."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest

from mkindex.errors import SourceError
from mkindex.sources.selection import Selection
from support.sources import open_with_defaults

if TYPE_CHECKING:
    from mkindex.sources.source import SourceItem

FILE = "demo-1.0-py3-none-any.whl"
OTHER = "other-2.0.tar.gz"
A, B = "a1" * 32, "b2" * 32
TEXT = "text/html"


class PageServer:
    """A web server on this machine: the pages that it has, and the paths that were requested."""

    def __init__(self) -> None:
        self.pages: dict[str, tuple[str, str]] = {}  # by path and query: media type and text
        self.redirects: dict[str, str] = {}
        self.received: list[str] = []
        self.status = 404  # of everything else
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = 1 << 16  # a response is sent in one piece

            def do_GET(self) -> None:
                outer.received.append(self.path)
                found = outer.pages.get(self.path)
                self.send_response(301 if self.path in outer.redirects else 200 if found else outer.status)
                if self.path in outer.redirects:
                    self.send_header("Location", outer.redirects[self.path])
                kind, text = found or (TEXT, "<title>404</title>")
                body = text.encode()
                if kind:
                    self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None: ...

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.root = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def find_files(spec: str, *include: str, **chosen: Any) -> list[SourceItem]:  # noqa: ANN401 (fields of SourceOptions)
    return list(open_with_defaults(spec, **({"selection": Selection(include=include)} | chosen)).artifacts())


def error_text(spec: str, *include: str, **chosen: Any) -> str:  # noqa: ANN401 (fields of SourceOptions)
    with pytest.raises(SourceError) as error:
        find_files(spec, *include, **chosen)
    return str(error.value)


def html_page(*hrefs: str, head: str = "") -> str:
    anchors = "".join(f'<a href="{href}">{href.strip("/")}</a><br>\n' for href in hrefs)
    return f"<!DOCTYPE html>\n<html><head>{head}</head><body>\n{anchors}</body></html>\n"


def json_page(*names: str, **rest: Any) -> str:  # noqa: ANN401 (keys of a JSON page)
    entries = [{"filename": name, "url": f"../../files/{name}", "hashes": {"sha256": A}} for name in names]
    return json.dumps({"meta": {"api-version": "1.4"}, "name": names[0].split("-")[0], "files": entries} | rest)


def json_root(*names: str) -> str:
    return json.dumps({"meta": {"api-version": "1.4"}, "projects": [{"name": name} for name in names]})


REPOSITORY = '<meta name="pypi:repository-version" content="1.0">'
NO_FILES = "no links to wheels or sdists (.whl, .tar.gz, .zip)"
