"""The pages for people: whole, valid, linked, a function of the input, and as small a change as the input's."""

from __future__ import annotations

import json
import re
from posixpath import dirname, join, normpath
from typing import TYPE_CHECKING
from urllib.parse import unquote, urldefrag, urlsplit
from xml.etree import ElementTree

import html5lib
import pytest

from mkindex import cli
from mkindex.errors import ConfigError, MkindexError
from mkindex.site.templates import Templates
from support import atom, site_docs
from support.builds import cold_build, publish, write_files
from support.site_wheels import JANUARY, write_examples, write_hostile
from support.trees import file_identities, read_tree
from support.wheels import write_wheel

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

URL = "https://packages.example/below/"
ATOM = "{http://www.w3.org/2005/Atom}"


@pytest.fixture
def wheels(tmp_path: Path) -> Path:
    write_examples(tmp_path / "wheels")
    return tmp_path / "wheels"


@pytest.fixture(scope="module", params=[write_examples, write_hostile], ids=["examples", "hostile"])
def any_tree(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Return a tree with its site: one of examples, and one of files whose texts mean harm."""
    directory = tmp_path_factory.mktemp("wheels")
    request.param(directory)
    return cold_build(directory, site=True, jobs=1)


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Return the tree of the examples, whose address is known."""
    directory = tmp_path_factory.mktemp("wheels")
    write_examples(directory)
    return cold_build(directory, site=True, url=URL, jobs=1)


def for_people(tree: dict[str, bytes]) -> dict[str, bytes]:
    """Return the pages for people."""
    names = ("project/", "assets/", "index.html", "licenses.html", "feed.xml")
    return {path: content for path, content in tree.items() if path.startswith(names)}


def parsed(page: bytes) -> ElementTree.Element:
    """Return a page. Raises ParseError for any error that the HTML standard defines."""
    tree: ElementTree.Element = html5lib.HTMLParser(strict=True, namespaceHTMLElements=False).parse(page)
    return tree


def text_of(page: bytes) -> str:
    return " ".join(" ".join(parsed(page).itertext()).split())


# --- what is written ------------------------------------------------------------------------------------------------


def test_the_site_has_these_pages_and_the_pages_for_clients_are_as_without_it(
    wheels: Path, tree: dict[str, bytes]
) -> None:
    plain = cold_build(wheels)
    pages = ("badge.svg", "contents.html", "feed.xml", "index.html", "releases.html")
    assert for_people(tree).keys() == {
        *("index.html", "licenses.html", "feed.xml"),
        *("assets/icon.svg", "assets/site.css", "assets/site.js", "assets/search-0.js"),
        *(f"project/{name}/{page}" for name in ("app", "base", "native") for page in pages),
    }
    others = {path: content for path, content in tree.items() if path not in for_people(tree)}
    assert others == {path: content for path, content in plain.items() if path != "index.html"}


def test_every_page_is_valid_and_its_links_lead_to_what_is_there(any_tree: dict[str, bytes]) -> None:
    pages = {path: parsed(content) for path, content in for_people(any_tree).items() if path.endswith(".html")}
    for path, page in pages.items():
        ids = [element.attrib["id"] for element in page.iter() if "id" in element.attrib]
        assert len(ids) == len(set(ids)), path
        for element in page.iter():
            for name in ("href", "src"):
                address = element.attrib.get(name, "")
                parts = urlsplit(address)
                if not address or parts.scheme in ("https", "mailto"):
                    continue
                assert parts.scheme == "", (path, address)
                target = normpath(join(dirname(path), unquote(parts.path))) if parts.path else path
                assert target in any_tree, (path, address)
                fragment = unquote(urldefrag(address).fragment)
                if fragment and target in pages:
                    assert fragment in {one.attrib.get("id") for one in pages[target].iter()}, (path, address)


def test_no_page_loads_anything_from_elsewhere_and_each_forbids_it(any_tree: dict[str, bytes]) -> None:
    sources = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'"
    for path, content in for_people(any_tree).items():
        if path.endswith(".html"):
            page = parsed(content)
            policies = [meta.attrib["content"] for meta in page.iter("meta") if "http-equiv" in meta.attrib]
            assert policies == [f"{sources}; base-uri 'none'; form-action 'none'"], path
            loaded = [element.attrib["src"] for element in page.iter() if "src" in element.attrib]
            loaded += [link.attrib["href"] for link in page.iter("link") if link.attrib["rel"] == "stylesheet"]
            assert [address for address in loaded if urlsplit(address).scheme] == [], path


def test_nothing_in_a_readme_or_in_metadata_acts(any_tree: dict[str, bytes]) -> None:
    for path, content in for_people(any_tree).items():
        if path.endswith(".html"):
            page = parsed(content)
            (script,) = page.iter("script")
            assert urlsplit(script.attrib["src"]).path == f"{'../../' if '/' in path else ''}assets/site.js"
            assert [one.tag for one in page.iter() if one.tag in ("style", "iframe", "form", "base", "svg")] == [], path
            names = {name for one in page.iter() for name in one.attrib}
            assert [name for name in names if name.startswith("on") or name == "style"] == [], path
            others = [one for one in page.iter() if one.tag not in ("a", "meta")]  # a link is only followed
            assert [one.attrib for one in others if "evil.example" in str(one.attrib)] == [], path
            assert len(list(page.iter("main"))) == 1, path
            text = "".join(page.itertext())
            assert not re.search("[\u202a-\u202e\u2066-\u2069\u200e\u200f]", text), path
            assert " 49" not in text, path


def test_the_page_of_a_project_shows_all_of_its_metadata(tree: dict[str, bytes]) -> None:
    text = text_of(tree["project/base/index.html"])
    shown = [
        *("base 2.0", "What others stand on", "2026-01-02", "MIT", ">=3.9", "Ada", "bob@example.com", "alpha", "beta"),
        *("Topic", "Software Development", "Docs", "Odd javascript:alert(1)", "base_module", "Platform any"),
        *("Rich text", "a picture", "print", "app", "native", "py3-none-any", "Python 3"),
    ]
    assert [one for one in shown if one not in text] == []
    links = [link.attrib.get("href") for link in parsed(tree["project/base/index.html"]).iter("a")]
    assert "javascript:alert(1)" not in links


def test_files_are_described_in_words(tree: dict[str, bytes]) -> None:
    cells = [
        " ".join("".join(row.findall("td")[1].itertext()).split())
        for row in parsed(tree["project/native/index.html"]).iter("tr")
        if row.findall("td")
    ]
    assert cells == [
        "CPython 3.12, Linux x86-64, glibc ≥ 2.28",
        "CPython 3.13, Windows x86-64",
        "Source: built when it is installed",
    ]


def test_dependencies_and_dependents_are_linked_also_those_for_an_extra(tree: dict[str, bytes]) -> None:

    def linked(project: str, heading: str) -> list[str]:
        section = next(
            one for one in parsed(tree[f"project/{project}/index.html"]).iter("section")
            if one.attrib["aria-labelledby"] == heading
        )  # fmt: skip
        return [link.attrib["href"] for link in section.iter("a")]

    assert linked("app", "requirements") == ["../../project/base/index.html", "../../project/native/index.html"]
    assert linked("base", "dependents") == ["../../project/app/index.html", "../../project/native/index.html"]
    assert linked("native", "dependents") == ["../../project/app/index.html"]


def test_a_yanked_release_and_a_status_are_shown_with_their_reasons(tmp_path: Path) -> None:
    write_wheel(_made(tmp_path / "files"), "demo", "1.0")
    name = "demo-1.0-py3-none-any.whl"
    page = (
        '<!DOCTYPE html><meta name="pypi:project-status" content="archived">'
        '<meta name="pypi:project-status-reason" content="moved on">'
        f'<a href="files/{name}" data-yanked="broken &lt;b&gt;">{name}</a>'
    )
    write_files(tmp_path, [("demo.html", page.encode())])
    tree = cold_build(tmp_path / "demo.html", site=True)
    text = text_of(tree["project/demo/index.html"])
    assert "This release is yanked" in text
    assert "Reason: broken <b>" in text
    assert "yanked: broken <b>" in text_of(tree["project/demo/releases.html"])


def test_the_feed_has_all_releases_by_date(tree: dict[str, bytes]) -> None:
    feed = ElementTree.fromstring(tree["feed.xml"])
    entries = [
        (entry.findtext(f"{ATOM}title"), entry.findtext(f"{ATOM}updated"), entry.findtext(f"{ATOM}id"))
        for entry in feed.iter(f"{ATOM}entry")
    ]
    assert entries == [
        ("app 1!1.0+local.1", "2026-01-04T00:00:00Z", f"{URL}project/app/releases.html#v1-1.0-local.1"),
        ("native 1.0rc1", "2026-01-03T00:00:00Z", f"{URL}project/native/releases.html#v1.0rc1"),
        ("base 2.0", "2026-01-02T00:00:00Z", f"{URL}project/base/releases.html#v2.0"),
        ("base 1.0", "2026-01-01T00:00:00Z", f"{URL}project/base/releases.html#v1.0"),
    ]


def test_feeds_are_as_the_specification_wants_them(tree: dict[str, bytes], tmp_path: Path) -> None:
    write_hostile(tmp_path)
    write_wheel(tmp_path, "backport", "2.0", mtime=JANUARY)
    write_wheel(tmp_path, "backport", "1.1", mtime=JANUARY + 9)  # the newest by time
    feeds = tree | cold_build(tmp_path, site=True, url=URL, site_title="A < B & ]]>", jobs=1)
    found = {path: atom.problems(content) for path, content in feeds.items() if path.endswith("feed.xml")}
    assert len(found) == 12
    assert {path: problems for path, problems in found.items() if problems} == {}


def test_variants_are_shown_with_the_index_of_each(tmp_path: Path) -> None:
    directory = _made(tmp_path / "wheels")
    for version in ("1.0+cpu", "1.0+cu128"):
        write_wheel(directory, "demo", version, mtime=JANUARY)
    write_wheel(directory, "plain", "1.0", mtime=JANUARY)
    (tmp_path / "policy.toml").write_text('[variants]\nby = "local"\n')
    tree = cold_build(directory, site=True, policy=str(tmp_path / "policy.toml"), jobs=1)
    options = {
        path: {one.attrib["value"]: one.text for one in parsed(tree[path]).iter("option") if "/" in one.attrib["value"]}
        for path in ("index.html", "project/demo/index.html", "project/plain/index.html")
    }
    both = {"simple/": "Main index", "whl/cpu/": "cpu", "whl/cu128/": "cu128"}
    assert options == {"index.html": both, "project/demo/index.html": both, "project/plain/index.html": {}}
    assert "cu128: ADDRESS/ whl/cu128/" in text_of(tree["project/demo/index.html"])


def test_the_data_for_the_search_of_a_large_index_is_divided(wheels: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mkindex.site.search._SHARD", 2)
    tree = cold_build(wheels, site=True, jobs=1)
    scripts = [f"assets/search-{number}.js" for number in range(2)]
    rows = [json.loads(tree[path].removeprefix(b"mkindexProjects(").removesuffix(b");\n")) for path in scripts]
    assert sorted(row[0] for part in rows for row in part) == ["app", "base", "native"]
    (area,) = [one for one in parsed(tree["index.html"]).iter("div") if "data-scripts" in one.attrib]
    assert [urlsplit(path).path for path in area.attrib["data-scripts"].split()] == scripts


def test_a_start_page_names_what_the_index_lacks_and_the_status_of_projects(tmp_path: Path) -> None:
    write_wheel(_made(tmp_path / "files"), "demo", "1.0", requires_dist=["numpy"])
    name = "demo-1.0-py3-none-any.whl"
    page = f'<!DOCTYPE html><meta name="pypi:project-status" content="archived"><a href="files/{name}">{name}</a>'
    write_files(tmp_path, [("demo.html", page.encode()), ("own/site/words.toml", b'status_archived = "archiviert"\n')])
    tree = cold_build(tmp_path / "demo.html", site=True, templates=str(tmp_path / "own"))
    text = text_of(tree["index.html"])
    assert [one for one in ("such as numpy. Clients need", "demo 1.0 archiviert") if one not in text] == []


def test_without_an_address_there_is_no_feed(any_tree: dict[str, bytes]) -> None:
    assert [path for path in any_tree if path.endswith(".xml")] == []


# --- promises -------------------------------------------------------------------------------------------------------


def test_incremental_builds_equal_cold_ones(wheels: Path, tmp_path: Path) -> None:
    options = {"site": True, "url": URL, "cache_dir": str(tmp_path / "cache"), "prune": True, "jobs": 1}
    steps: list[Callable[[], object]] = [
        lambda: write_wheel(wheels, "new", "1.0", requires_dist=["native"], mtime=JANUARY),
        lambda: write_wheel(wheels, "app", "1!2.0", summary="Without requirements", mtime=JANUARY),
        lambda: next(wheels.glob("base-2.0*")).unlink(),
        lambda: next(wheels.glob("new-*")).unlink(),
    ]
    publish(wheels, tmp_path / "public", **options)
    for step in steps:
        step()
        publish(wheels, tmp_path / "public", **options)
        assert read_tree(tmp_path / "public") == cold_build(wheels, site=True, url=URL, jobs=1)


def test_a_build_without_changes_writes_nothing_and_reads_no_metadata(
    wheels: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = {"site": True, "cache_dir": str(tmp_path / "cache")}
    publish(wheels, tmp_path / "public", **options)
    before = file_identities(tmp_path / "public")
    monkeypatch.setattr("mkindex.examine.details.read_core_metadata", None)
    monkeypatch.setattr("mkindex.site.library.Library.details", None)
    report = publish(wheels, tmp_path / "public", **options)
    assert (report.written, report.plan.has_changes) == (0, False)
    assert file_identities(tmp_path / "public") == before


def test_a_release_changes_its_project_the_start_page_and_what_requires_it(wheels: Path, tmp_path: Path) -> None:
    options = {"site": True, "url": URL, "cache_dir": str(tmp_path / "cache")}
    publish(wheels, tmp_path / "public", **options)
    before = read_tree(tmp_path / "public")
    write_wheel(wheels, "app", "1!2.0", requires_dist=["base"], mtime=JANUARY + 9)
    publish(wheels, tmp_path / "public", **options)
    after = read_tree(tmp_path / "public")
    changed = {path for path in for_people(after) if after[path] != before.get(path)}
    own = {f"project/app/{page}" for page in ("badge.svg", "contents.html", "feed.xml", "index.html", "releases.html")}
    # native is not required any more, for no extra.
    others = {"index.html", "licenses.html", "feed.xml", "assets/search-0.js", "project/native/index.html"}
    assert changed == own | others - {"licenses.html"}


def test_a_tree_that_grows_has_the_site_of_one_that_is_built_at_once(wheels: Path, tmp_path: Path) -> None:
    added = _made(tmp_path / "added")
    for path in wheels.glob("app-*"):
        path.rename(added / path.name)
    publish(wheels, tmp_path / "public", site=True, site_title="Ours", jobs=1)
    assert cli.run(["add", "--no-cache", "--jobs", "1", str(added), str(tmp_path / "public")]) == 0
    for path in added.iterdir():
        path.rename(wheels / path.name)
    assert read_tree(tmp_path / "public") == cold_build(wheels, site=True, site_title="Ours", jobs=1)


def test_a_tree_that_grows_keeps_its_logo_until_another_is_given(wheels: Path, tmp_path: Path) -> None:
    write_files(tmp_path, [("logo.png", b"an image"), ("other.SVG", b"another")])
    public, added = tmp_path / "public", _made(tmp_path / "added")
    write_wheel(added, "new", "1.0", mtime=JANUARY)
    publish(wheels, public, site=True, site_logo=str(tmp_path / "logo.png"), jobs=1)

    def logos(*arguments: str) -> dict[str, bytes]:
        assert cli.run(["add", "--no-cache", "--jobs", "1", *arguments, str(added), str(public)]) == 0
        page = (public / "project/new/index.html").read_text()
        found = {path: content for path, content in read_tree(public).items() if path.startswith("assets/logo")}
        assert [f'src="../../{path}"' in page for path in found] == [True] * len(found)
        return found

    assert logos() == {"assets/logo.png": b"an image"}
    assert logos("--site", "--site-logo", str(tmp_path / "other.SVG")) == {"assets/logo.svg": b"another"}
    assert logos("--site", "--site-logo", "") == {}


def test_without_the_option_the_pages_are_removed_again(wheels: Path, tmp_path: Path) -> None:
    publish(wheels, tmp_path / "public", site=True, url=URL)
    publish(wheels, tmp_path / "public")
    assert read_tree(tmp_path / "public") == cold_build(wheels)


# --- settings and templates -----------------------------------------------------------------------------------------


def test_settings_are_shown(wheels: Path, tmp_path: Path) -> None:
    write_files(tmp_path, [("logo.svg", b"<svg xmlns='http://www.w3.org/2000/svg'/>")])
    options = {"site_title": "Ours <1>", "site_description": "What we need", "site_footer": "Ask us"}
    tree = cold_build(wheels, site=True, site_logo=str(tmp_path / "logo.svg"), site_color="#aa0000", url=URL, **options)
    for path in ("index.html", "project/base/index.html"):
        assert [one for one in ("Ours <1>", "Ask us") if one not in text_of(tree[path])] == []
    assert "What we need" in text_of(tree["index.html"])
    assert tree["assets/logo.svg"] == b"<svg xmlns='http://www.w3.org/2000/svg'/>"
    assert b"--brand: #aa0000" in tree["assets/site.css"]
    shown = "".join(parsed(tree["project/base/index.html"]).itertext())
    assert f'url = "{URL}simple/"' in shown


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"site_title": "x"}, "site_title requires site"),
        ({"site": True, "simple_path": ""}, "site and simple_path . exclude each other"),
        ({"site": True, "simple_path": "project"}, "simple_path 'project' is taken: site writes there"),
        ({"site": True, "site_color": "red"}, "site_color must be a color such as #2b5f9e, not 'red'"),
        ({"site": True, "site_logo": "nowhere.png"}, "cannot read the logo nowhere.png: No such file"),
        ({"site": True, "site_logo": "logo.exe"}, "logo logo.exe: not an image that browsers show"),
    ],
)
def test_settings_that_cannot_be_used_are_named(options: dict[str, object], message: str, wheels: Path) -> None:
    with pytest.raises(ConfigError, match=re.escape(message)):
        cold_build(wheels, **options)


def test_every_value_of_templates_is_documented() -> None:
    page = site_docs.PAGE.read_text("utf-8")
    assert site_docs.with_values(page) == page
    shipped = Templates()._directories[0]
    names = {path.relative_to(shipped).as_posix() for path in (shipped / "site").rglob("*")}
    assert set(re.findall(r"`(site/[a-z-]+\.[a-z]+)`", page)) == names


def test_a_template_of_the_users_own_replaces_one_of_the_site(wheels: Path, tmp_path: Path) -> None:
    own = _made(tmp_path / "own" / "site")
    (own / "project.html").write_text("{{ project.shown }} {{ project.newest.files[0].filename }}")
    (own / "words.toml").write_text('licenses = "Lizenzen"\n')
    (own / "projects.html").write_text("misspelled")
    report = publish(wheels, tmp_path / "public", site=True, templates=str(tmp_path / "own"))
    assert (tmp_path / "public/project/base/index.html").read_text() == "base base-2.0-py3-none-any.whl"
    assert "Lizenzen" in text_of((tmp_path / "public/index.html").read_bytes())
    assert [(note.location, note.text.partition(",")[0]) for note in report.notes] == [
        (str(own / "projects.html"), "replaces no template of mkindex")
    ]


@pytest.mark.parametrize(
    ("catalogue", "message"),
    [
        ("nothing = 'x'", "unknown key nothing"),
        ("copied = 1", "copied must be a string"),
        ("x", "cannot read"),
    ],
)
def test_a_catalogue_that_cannot_be_used_is_named(catalogue: str, message: str, wheels: Path, tmp_path: Path) -> None:
    (_made(tmp_path / "own" / "site") / "words.toml").write_text(catalogue)
    with pytest.raises(MkindexError, match=message):
        publish(wheels, tmp_path / "public", site=True, templates=str(tmp_path / "own"))


def test_every_word_is_used_and_can_be_named_in_a_template() -> None:
    templates = Templates()
    sources = "".join(path.read_text("utf-8") for path in (templates._directories[0] / "site").glob("*.html"))
    sources += (templates._directories[0] / "site/feed.xml").read_text("utf-8")
    by_value = {"quarantined", "archived", "deprecated", "author", "maintainer", "wheel", "sdist"}
    by_value |= {"status_quarantined", "status_archived", "status_deprecated"}
    used = set(re.findall(r"\bwords\.(\w+)", sources)) - {"get"}
    assert used | by_value == templates.words.keys()
    assert [word for word in templates.words if hasattr(dict, word)] == []


def _made(directory: Path) -> Path:
    directory.mkdir(parents=True, exist_ok=True)
    return directory
