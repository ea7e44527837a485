"""The landing page in a browser: with scripts it shows its own address, and without them it still explains itself."""

from __future__ import annotations

import re
import shutil
import subprocess
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import html5lib
import pytest

from support.requirements import skip_or_fail

if TYPE_CHECKING:
    from pathlib import Path
    from xml.etree.ElementTree import Element

OPTIONS = [
    "--headless",
    "--no-sandbox",  # the sandbox is not available to root, and not needed for our own page
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--proxy-server=http://127.0.0.1:9",  # no requests to other machines
]


def parsed(page: str) -> Element:
    return html5lib.parse(page, namespaceHTMLElements=False)


def visible(element: Element) -> str:
    """Return the text of an element as a reader sees it, but in one line."""
    if element.tag in ("script", "style", "head") or "hidden" in element.attrib:
        return element.tail or ""
    return (element.text or "") + "".join(visible(child) for child in element) + (element.tail or "")


def line(text: str) -> str:
    return " ".join(text.split())


def shown(url: str, profile: Path) -> Element:
    """Return the page at `url` as it is after its scripts ran."""
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if browser is None:
        skip_or_fail("chromium")
    command = [browser, *OPTIONS, f"--user-data-dir={profile}", "--dump-dom", url]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return parsed(done.stdout)


@pytest.mark.parametrize("base", ["root", "sub-path", "file"], indirect=True)
@pytest.mark.parametrize("page", ["", "index.html", "?a=b/c#d/e"], ids=["directory", "file", "query and fragment"])
def test_the_landing_page_shows_its_own_address_wherever_it_is(base: str, page: str, tmp_path: Path) -> None:
    if urlsplit(base).scheme == "file" and not page.startswith("index.html"):
        page = f"index.html{page}"
    found = shown(f"{base}{page}", tmp_path)
    text = line("".join(visible(element) for element in found))
    assert f"The index is at {base}simple/." in text
    assert [line("".join(pre.itertext())) for pre in found.iter("pre")] == [
        (
            f'[[tool.uv.index]] name = "private" url = "{base}simple/" explicit = true '
            '[tool.uv.sources] demo = { index = "private" }'
        ),
        f"pip install --index-url {base}simple/ demo",
        f"uv pip install --default-index {base}simple/ demo",
    ]
    assert "ADDRESS" not in text
    assert all(link.attrib["href"].startswith("simple/") for link in found.iter("a"))


def test_the_landing_page_reads_well_without_script(tree: Path) -> None:
    found = parsed((tree / "index.html").read_text(encoding="ascii"))
    text = line("".join(visible(element) for element in found))
    assert "In these commands, replace ADDRESS by the address of this page." in text
    assert "pip install --index-url ADDRESS/simple/ demo" in text
    rows = [[line("".join(cell.itertext())) for cell in row] for row in found.iter("tr")]
    assert rows == [
        ["Project", "Newest version", "Files"],
        ["demo", "2.0", "3"],
        ["demo-app", "1.0", "1"],
        ["demo-build", "1.0", "2"],
        ["demo-colors", "1.0", "1"],
        ["demo-cuda", "1.0+cu128", "2"],
        ["demo-epoch", "1!2.0", "1"],
        ["demo-names", "1.0", "1"],
        ["demo-native", "1.0", "3"],
        ["demo-source", "1.0", "1"],
        ["demo-zip", "1.0", "1"],
    ]


def test_every_link_on_the_landing_page_leads_to_a_page(tree: Path) -> None:
    links = re.findall(r'href="([^"]*)"', (tree / "index.html").read_text(encoding="ascii"))
    assert len(links) == 11
    assert [link for link in links if not (tree / link / "index.html").is_file()] == []
