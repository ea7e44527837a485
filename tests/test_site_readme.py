"""READMEs: what is rendered, within which bounds, and what is shown instead."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import html5lib
import pytest

from mkindex.cache import Cache
from mkindex.model.files import Artifact, Facts, File, Fingerprint
from mkindex.site import readmes
from mkindex.site.limited import command
from mkindex.site.readme import Request, render_readme
from mkindex.site.readmes import Readmes
from support.site_wheels import ATTACKS, MARKDOWN
from support.wheels import metadata, write_wheel

if TYPE_CHECKING:
    from pathlib import Path


def rendered(text: str, kind: str = "text/markdown", *, images: bool = False) -> str:
    return render_readme(
        Request(metadata("demo", "1.0", headers=[f"Description-Content-Type: {kind}"], body=text), images)
    )


def test_markdown_is_rendered_below_the_heading_of_its_section() -> None:
    assert rendered("# One\n\n#### Deep\n\n## Two\n") == (
        '<h3 id="user-content-one">One</h3>\n<h4 id="user-content-deep">Deep</h4>\n<h4 id="user-content-two">Two</h4>\n'
    )


@pytest.mark.parametrize(
    ("kind", "start"),
    [
        ("text/markdown", "<p>* a <em>b</em>"),
        ("text/markdown; variant=CommonMark", "<p>* a <em>b</em>"),
        ("", '<pre class="plain">'),
        ("text/plain", '<pre class="plain">'),
        ("application/pdf", '<pre class="plain">'),
        ("text/x-rst", '<pre class="plain">'),
    ],
)
def test_the_type_decides_and_what_cannot_be_rendered_is_text(kind: str, start: str) -> None:
    assert rendered("\\* a *b* `unfinished\n", kind).startswith(start)


def test_images_are_replaced_by_their_texts_unless_they_are_allowed() -> None:
    text = '![one "quoted"](https://img.example/1.png) ![two](http://img.example/2.png) <img src="data:image/png,x">'
    assert rendered(text) == "<p>one &quot;quoted&quot; two </p>\n".replace("&quot;", '"')
    shown = rendered(text, images=True)
    assert shown.count("<img") == 3
    assert [part.partition('"')[0] for part in shown.split('src="')[1:]] == ["https://img.example/1.png"]
    assert 'referrerpolicy="no-referrer"' in shown


@pytest.mark.parametrize("images", [False, True])
@pytest.mark.parametrize("kind", ["text/markdown", "text/x-rst", "text/plain", ""])
def test_nothing_in_a_readme_acts(kind: str, images: bool) -> None:
    page = html5lib.parseFragment(rendered(ATTACKS, kind, images=images), namespaceHTMLElements=False)
    active = ("script", "style", "iframe", "form", "base", "meta", "svg", "input", "button")
    assert [one.tag for one in page.iter() if one.tag in active] == []
    names = {(one.tag, name) for one in page.iter() for name in one.attrib}
    assert names <= {
        *(("a", "href"), ("a", "rel"), ("a", "title"), ("h3", "id"), ("pre", "class"), ("span", "class")),
        *(("img", "loading"), ("img", "referrerpolicy")),
    }
    links = [one.attrib.get("href", "https:") for one in page.iter("a")]
    assert [link for link in links if not link.startswith("https:")] == []


def test_a_readme_that_is_too_long_is_text() -> None:
    shown = rendered("# Title\n" + "x" * 1_000_001)
    assert shown.startswith('<pre class="plain"># Title\nxxx')
    assert len(shown) < 250_000


# --- several, in processes ------------------------------------------------------------------------------------------


@pytest.fixture
def file(tmp_path: Path) -> File:
    path = write_wheel(tmp_path, "demo", "1.0", headers=["Description-Content-Type: text/markdown"], body=MARKDOWN)
    artifact = Artifact(str(tmp_path), path.name, Fingerprint.of(path.stat()))
    return File(artifact, Facts("demo", "1.0", sha256=hashlib.sha256(path.read_bytes()).hexdigest()), path.name)


def test_a_readme_is_remembered_by_the_hash_of_its_metadata(file: File, tmp_path: Path) -> None:
    with Cache(tmp_path / "cache") as cache:
        first = Readmes(cache, images=False, processes=2)
        first.prepare([file])
        assert "Rich text</h3>" in first.html(file)
    (tmp_path / file.filename).unlink()
    with Cache(tmp_path / "cache") as cache:
        again = Readmes(cache, images=False, processes=2)
        again.prepare([file])
        assert again.html(file) == first.html(file)
        other = Readmes(cache, images=True, processes=2)  # rendered in another way
        other.prepare([file])
        assert other.html(file) == ""


def loop() -> None:
    """Answer no request, as a process does that renders a README which takes for ever."""
    from mkindex.site.limited import answer_requests

    def answer(request: object) -> bytes:
        del request
        while True:
            pass

    answer_requests(lambda _: answer)


@pytest.mark.parametrize("function", ["test_site_readme.loop", "os.abort"])
def test_a_readme_that_takes_too_much_is_text(
    function: str, file: File, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.syspath_prepend(str(__file__).rpartition("/")[0])
    monkeypatch.setattr("mkindex.site.readme.COMMAND", command(function))
    monkeypatch.setattr("mkindex.site.readme.SECONDS", 1)
    with Cache(None) as cache:
        shown = Readmes(cache, images=False, processes=1)
        shown.prepare([file, file])
        assert shown.html(file).startswith('<pre class="plain"># Rich text\n')


def test_without_the_renderer_a_readme_is_text(file: File, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mkindex.site.readme.PACKAGES", ("nothing-of-this-name",))
    with Cache(None) as cache:
        shown = readmes.Readmes(cache, images=False, processes=1)
        assert shown.versions == ""
        assert shown.html(file).startswith('<pre class="plain"># Rich text\n')
