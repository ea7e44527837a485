"""The site for people in a real browser, in short. tests/integration has the long form."""

from __future__ import annotations

from typing import TYPE_CHECKING

from playwright.sync_api import expect

from support.browser import Visit, run_browser
from support.builds import publish
from support.http_servers import serve_directory

if TYPE_CHECKING:
    from pathlib import Path


def test_a_visitor_searches_and_reads_how_to_install(wheels: Path, tmp_path: Path) -> None:
    publish(wheels, tmp_path / "public", site=True, jobs=1)
    with serve_directory(tmp_path / "public", tmp_path / "log") as server, run_browser() as browser:
        visit = Visit(browser)
        page = visit.open(f"{server.url}index.html")
        page.get_by_role("searchbox").fill("platform wheels")
        expect(page.locator("#results .name")).to_have_text("demo-native")
        page.keyboard.press("Enter")
        expect(page.locator("#command-uv")).to_have_text(f"uv pip install --index {server.url}simple/ demo-native")
        assert visit.problems == []
        visit.close()
