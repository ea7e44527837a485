"""A real browser, Chromium, driven by Playwright."""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from support.clients import CLIENTS
from support.requirements import skip_or_fail

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page

# The sandbox is not available to root, and not needed for our own pages. No request goes to another machine.
_OPTIONS = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-background-networking", "--proxy-server=127.0.0.1:9"]
_AXE = CLIENTS / "axe-core/node_modules/axe-core/axe.min.js"


@contextmanager
def run_browser() -> Iterator[Browser]:
    """Run Chromium without a window."""
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        skip_or_fail("chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright, playwright.chromium.launch(executable_path=program, args=_OPTIONS) as browser:
        yield browser


class Visit:
    """A page in a browser that notes what must not happen: messages on its console, and requests to other hosts."""

    def __init__(self, browser: Browser, **options: Any) -> None:  # noqa: ANN401 (those of a context of Playwright)
        self._context = browser.new_context(**options)
        self.page: Page = self._context.new_page()
        self.problems: list[str] = []
        self._host = ""
        self.page.on("console", lambda message: self.problems.append(f"console: {message.text}"))
        self.page.on("pageerror", lambda error: self.problems.append(f"error: {error}"))
        self.page.on("request", lambda request: self._note_request(request.url))

    def open(self, url: str) -> Page:
        """Go to an address, whose host is the only one that may be asked."""
        self._host = urlsplit(url).netloc
        self.page.goto(url)
        return self.page

    def close(self) -> None:
        self._context.close()

    def _note_request(self, url: str) -> None:
        if urlsplit(url).netloc != self._host:
            self.problems.append(f"request: {url}")

    @property
    def is_too_wide(self) -> bool:
        """Whether the page scrolls sideways."""
        return bool(self.page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"))

    def violations(self) -> list[str]:
        """Return what axe-core finds in the page as it is now."""
        if not _AXE.exists():
            skip_or_fail("axe-core: make clients, with npm")
        if not self.page.evaluate("'axe' in window"):
            self.page.evaluate(_AXE.read_text("utf-8"))  # in the page's own world, whatever its policy allows
        found = self.page.evaluate("axe.run({preload: false}).then((result) => result.violations)")
        return [f"{one['id']}: {one['help']}: {node['html'][:200]}" for one in found for node in one["nodes"]]
