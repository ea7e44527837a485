"""A host like GitHub Pages: each deployment replaces the whole site, and a proxy in front of it may be late."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING
from urllib.parse import unquote

from support.trees import read_tree

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType
    from typing import Self


class PagesHost:
    """The site at `url`, and the paths that were requested. /moved/ redirects to it."""

    def __init__(self) -> None:
        self.content: dict[str, bytes] = {}
        self.cached: dict[str, bytes] | None = None  # the pages that the proxy has of an older deployment
        self.ignores_queries = False  # whether it sends that, too, for an address with a query that it has not seen
        self.requests: list[str] = []
        host = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                host.requests.append(self.path)
                if self.path.startswith("/moved/"):
                    self._redirect()
                    return
                path, _, query = unquote(self.path).removeprefix("/wheels/").partition("?")
                is_old = not path.startswith("files/") and (host.ignores_queries or not query)
                content = host.cached if is_old and host.cached is not None else host.content
                body = content.get(f"{path}index.html" if path == "" or path.endswith("/") else path)
                self.send_response(200 if body is not None else 404)
                is_file = path.endswith((".whl", ".gz", ".zip", ".metadata"))
                self.send_header("Content-Type", "application/octet-stream" if is_file else "text/html")
                self.send_header("Content-Length", str(len(body or b"")))
                self.end_headers()
                if self.command == "GET":
                    self.wfile.write(body or b"")

            def _redirect(self) -> None:
                self.send_response(301)
                self.send_header("Location", self.path.replace("/moved/", "/wheels/", 1))
                self.send_header("Content-Length", "0")
                self.end_headers()

            do_HEAD = do_GET  # noqa: N815 (as http.server calls it)

            def log_message(self, *_: object) -> None: ...

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}/wheels/"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    def deploy(self, tree: Path) -> None:
        """Replace the site by a tree, without mkindex's own directory."""
        self.content = read_tree(tree)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
