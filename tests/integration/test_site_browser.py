"""The site for people in a real browser: at a server, below a path, and as files."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from support.browser import Visit, run_browser
from support.builds import publish
from support.clients import CLIENTS
from support.http_servers import serve_directory
from support.requirements import skip_or_fail
from support.site_wheels import write_examples, write_hostile
from support.wheels import write_wheel

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser

PLACES = ("http", "below a path", "file")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with run_browser() as browser:
        yield browser


@pytest.fixture(scope="module")
def top(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a directory with a tree in sub/."""
    directory = tmp_path_factory.mktemp("browser")
    write_examples(directory / "wheels")
    write_hostile(directory / "wheels")
    publish(directory / "wheels", directory / "top/sub", site=True, jobs=1)
    return directory / "top"


@pytest.fixture(scope="module", params=PLACES)
def base(request: pytest.FixtureRequest, top: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Return the address of the tree, with a slash at its end."""
    if request.param == "file":
        yield f"{(top / 'sub').as_uri()}/"
        return
    root, path = (top, "sub/") if request.param == "below a path" else (top / "sub", "")
    with serve_directory(root, tmp_path_factory.mktemp("server") / "log") as server:
        yield f"{server.url}{path}"


@pytest.fixture
def visit(browser: Browser) -> Iterator[Visit]:
    """Visit pages; nothing may be reported, and nothing else may be loaded."""
    visit = Visit(browser, permissions=["clipboard-read", "clipboard-write"])
    yield visit
    problems = visit.problems
    visit.close()
    assert problems == []


def test_the_search_answers_while_one_types_and_leads_to_a_project_by_keyboard_alone(base: str, visit: Visit) -> None:
    page = visit.open(f"{base}index.html")
    page.keyboard.press("/")
    for typed, found in (("base-m", ["base"]), ("beta", ["base"]), ("base_mod", ["base"]), ("stand on", ["base"])):
        page.keyboard.type(typed)
        expect(page.locator("#found")).to_have_text("1 project matches")
        assert page.locator("#results .name").all_text_contents()[: len(found)] == found, typed
        page.keyboard.press("Escape")
        assert (page.locator("#results").is_visible(), page.locator("#all").is_visible()) == (False, True)
    page.keyboard.type("no such project")
    expect(page.locator("#found")).to_have_text("No project matches")
    page.keyboard.press("Escape")
    page.keyboard.type("native")
    expect(page.locator("#found")).to_have_text("1 project matches")
    page.keyboard.press("Enter")
    page.wait_for_url(f"{base}project/native/index.html")
    page.keyboard.press("/")
    page.wait_for_url(f"{base}index.html#search")
    assert page.evaluate("document.activeElement.id") == "search"


def test_files_can_be_filtered_by_python_platform_and_kind(base: str, visit: Visit) -> None:
    page = visit.open(f"{base}project/native/index.html")

    def shown() -> list[str]:
        return page.locator(".files tbody tr:visible td:first-child > a").all_text_contents()

    linux, windows, sdist = (
        "native-1.0rc1-cp312-cp312-manylinux_2_28_x86_64.whl",
        "native-1.0rc1-cp313-cp313-win_amd64.whl",
        "native-1.0rc1.tar.gz",
    )
    assert shown() == [linux, windows, sdist]
    page.get_by_label("Python").select_option("CPython 3.12")
    assert shown() == [linux, sdist]
    page.get_by_label("Kind").select_option("Wheel")
    assert shown() == [linux]
    page.get_by_label("Platform").select_option("Windows x86-64")
    assert (shown(), page.locator(".filterable [role=status]").text_content()) == ([], "No file matches.")


def test_what_is_copied_names_this_address(base: str, visit: Visit) -> None:
    page = visit.open(f"{base}project/base/index.html")
    page.get_by_role("button", name="Copy").first.click()
    page.get_by_role("button", name="Copied").wait_for()
    assert page.evaluate("navigator.clipboard.readText()") == f"uv pip install --index {base}simple/ base"
    page.get_by_text("PDM", exact=True).click()
    page.locator("#configuration-pdm").wait_for()
    assert f'url = "{base}simple/"' in str(page.locator("#configuration-pdm").text_content())
    visit.open(f"{base}project/app/index.html")
    assert page.locator("#configuration-pdm").is_visible()  # the client that was chosen last


def test_without_script_every_page_can_be_read(base: str, browser: Browser) -> None:
    visit = Visit(browser, java_script_enabled=False)
    page = visit.open(f"{base}index.html")
    assert page.locator("#all .name").all_text_contents()[:2] == ["app", "attack-0"]
    assert (page.get_by_role("searchbox").is_visible(), page.get_by_role("button").count()) == (False, 0)
    page.get_by_role("link", name="app", exact=True).first.click()
    assert page.locator("h1").text_content() == "app 1!1.0+local.1"
    assert "ADDRESS/simple/" in str(page.locator("#command-uv").text_content())
    page.get_by_text("PDM", exact=True).click()
    assert page.locator("#configuration-pdm").is_visible()
    assert visit.problems == []
    visit.close()


@pytest.mark.parametrize("look", ["light", "dark", "narrow"])
def test_axe_finds_nothing_on_any_page_and_none_scrolls_sideways(look: str, top: Path, browser: Browser) -> None:
    width = 320 if look == "narrow" else 1280
    scheme = "dark" if look == "dark" else "light"
    visit = Visit(browser, viewport={"width": width, "height": 800}, color_scheme=scheme)
    pages = ["index.html", "licenses.html", *(f"project/app/{name}.html" for name in ("index", "releases", "contents"))]
    pages += [f"project/{name}/index.html" for name in ("base", "native", "attack-0", "attack-1", "fields", "latin")]
    for path in pages:
        page = visit.open((top / "sub" / path).as_uri())
        page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true })")
        assert (visit.violations(), visit.is_too_wide) == ([], False), path
    assert visit.problems == []
    visit.close()


def test_pages_of_real_projects_are_accessible(browser: Browser, tmp_path: Path) -> None:
    wheels = CLIENTS / "real-wheels"
    if not (wheels / ".ready").exists():
        skip_or_fail("real wheels: make clients")
    publish(wheels, tmp_path / "public", site=True, include=("rich", "attrs", "pyjwt", "httpcore"))
    visit = Visit(browser)
    for path in sorted((tmp_path / "public/project").glob("*/index.html")):
        page = visit.open(path.as_uri())
        page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true })")
        assert (visit.violations(), visit.is_too_wide) == ([], False), path
    assert visit.problems == []
    visit.close()


def test_ten_thousand_projects_can_be_searched(browser: Browser, tmp_path: Path) -> None:
    write_wheel(_made(tmp_path / "wheels"), "demo", "1.0", summary="An example")
    publish(tmp_path / "wheels", tmp_path / "public", site=True)
    rows = ",".join(
        f'["project-{n}","project-{n}","1.{n}","2026-01-01","A project with the number {n} and some words","a b c"]'
        for n in range(10_000)
    )
    (tmp_path / "public/assets/search-0.js").write_text(f"mkindexProjects([{rows}]);\n")
    visit = Visit(browser)
    page = visit.open(f"{(tmp_path / 'public').as_uri()}/index.html")
    page.get_by_role("searchbox").fill("number 777")
    expect(page.locator("#found")).not_to_be_empty()
    assert re.fullmatch(r"\d+ projects match|1 project matches", str(page.locator("#found").text_content()))
    assert visit.problems == []
    visit.close()


def test_a_divided_search_finds_every_project(
    browser: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mkindex.site.search._SHARD", 1)
    write_examples(tmp_path / "wheels")
    publish(tmp_path / "wheels", tmp_path / "public", site=True, jobs=1)
    visit = Visit(browser)
    page = visit.open(f"{(tmp_path / 'public').as_uri()}/index.html")
    for name in ("app", "base", "native"):
        page.get_by_role("searchbox").fill(name)
        expect(page.locator("#results .name").first).to_have_text(name)
    assert visit.problems == []
    visit.close()


def _made(directory: Path) -> Path:
    directory.mkdir(parents=True)
    return directory
