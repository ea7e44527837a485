"""The resources of an index: their order, their links, and every byte of their pages."""

from __future__ import annotations

import dataclasses
import itertools
import json
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote, urljoin

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mkindex.build.pipeline import build
from mkindex.config import Config
from mkindex.errors import MkindexError
from mkindex.model.index import Index, ProjectStatus
from mkindex.simple.writer import VariantIndex, encode_page, encode_root_page, make_root_page
from mkindex.site.layout import Site
from mkindex.site.render import render
from mkindex.site.resources import FileResource, Page, Resource, SiblingResource
from mkindex.site.templates import Templates
from mkindex.tree.manifest import Stage
from mkindex.tree.names import INDEX_HTML, INDEX_JSON
from support.index_values import FakeFiles, make_index, render_resources
from support.trees import anchors, html_entries, read_tree
from support.wheels import write_wheel

if TYPE_CHECKING:
    from collections.abc import Iterable

SHIPPED = Path(__file__).parent.parent / "templates"
TEMPLATES = Templates()  # compiled once
HOST = "https://host.example/below/"

fake_files = FakeFiles()


site = partial(Site, templates=TEMPLATES)


def pages(resources: Iterable[Resource]) -> dict[str, bytes]:
    return {resource.path: resource.render() for resource in resources if isinstance(resource, Page)}


# --- any index ------------------------------------------------------------------------------------------------------

# Without what HTML cannot contain, not even escaped: control characters and halves of surrogate pairs.
texts = st.text(st.characters(exclude_categories=["Cc", "Cs"]))
names = st.from_regex(r"[a-z0-9]{1,3}(_[a-z0-9]{1,2}){0,2}", fullmatch=True)
versions = st.sampled_from(["0", "1.0", "1.0.0", "1!2.0", "1.0+cu128", "2.0a1", "2.0.post1", "10", "9"])
endings = st.sampled_from(["-py3-none-any.whl", "-1-py3-none-any.whl", "-cp312-abi3-win32.whl", ".tar.gz", ".zip"])
facts: st.SearchStrategy[Any] = st.fixed_dictionaries(
    {},
    optional={
        "requires_python": texts.filter(bool),
        "yanked": texts,
        "provenance": texts.filter(bool),
        "upload_time": st.just("2026-01-02T03:04:05Z"),
        "core_metadata": st.just(""),
        "metadata_name": st.just("De.Mo"),
    },
)


@st.composite
def indexes(draw: st.DrawFn) -> Index:
    filenames = draw(st.sets(st.builds("{}-{}{}".format, names, versions, endings), max_size=12))
    # Sometimes two files have the same bytes.
    contents = st.sampled_from([b"", b"", b"the same"])
    return make_index(*(fake_files.file(name, draw(contents), **draw(facts)) for name in sorted(filenames)))


sites = st.builds(
    site,
    simple_path=st.sampled_from(["simple", "", "a/b"]),
    files_url=st.sampled_from([None, None, "https://files.example/whl/"]),
    files_have_metadata=st.booleans(),
    links=st.booleans(),
)


# The same bytes under names with the same prefix.
ALIKE = [fake_files.file(f"demo-1.0-py3-none-any.whl{more}", b"the same") for more in ("", ".a.whl", ".z.whl")]


@given(indexes(), sites, st.sampled_from([None, "json", "simple-json"]))
@example(make_index(*ALIKE), site(), None)
def test_resources_are_ordered_by_section_stage_and_path_and_no_path_comes_twice(
    index: Index, site: Site, json_root: str | None
) -> None:
    site = dataclasses.replace(site, json_root=json_root if site.simple_path else None)
    each = [(section.name, resource) for section in render(index, site) for resource in section.resources()]
    found = [(resource.section, resource.stage, resource.path) for _, resource in each]
    assert found == sorted(found)
    assert [section for section, _ in each] == [section for section, _, _ in found]
    assert len({path for _, _, path in found}) == len(found)


class UsedTemplates(Templates):
    """Templates that are used as if the user replaced some of them."""

    def has_own(self, *names: str) -> bool:
        del names
        return True


USED_TEMPLATES = UsedTemplates()


@pytest.mark.slow
@given(indexes(), sites, st.none() | st.builds(ProjectStatus, st.just("archived"), st.none() | texts.filter(bool)))
def test_api_pages_without_a_template_of_the_users_own_are_those_that_templates_make(
    index: Index, site: Site, status: ProjectStatus | None
) -> None:
    index = Index(projects=tuple(dataclasses.replace(project, status=status) for project in index.projects))
    by_templates = dataclasses.replace(site, templates=USED_TEMPLATES)
    assert pages(render_resources(index, site)) == pages(render_resources(index, by_templates))


@pytest.mark.slow
@given(indexes(), sites)
def test_every_link_on_every_page_leads_to_a_resource_with_that_hash(index: Index, site: Site) -> None:
    resources = {resource.path: resource for resource in render_resources(index, site)}
    for path, page in pages(resources.values()).items():
        if path.endswith(INDEX_JSON):
            links = [project["name"] + "/" for project in json.loads(page).get("projects", [])]
            files = json.loads(page).get("files", [])
        elif path in (site.simple(INDEX_HTML), "index.html"):
            links, files = [anchor.attributes["href"] or "" for anchor in anchors(page)], []
        else:
            links, files = [], html_entries(page)
        for link in links:
            assert isinstance(resources[urljoin(HOST + path, link).removeprefix(HOST) + INDEX_HTML], Page)
        for file in files:
            if site.files_url is not None:
                assert file["url"] == site.files_url + quote(file["filename"], safe="")
                assert ("core-metadata" in file) <= site.files_have_metadata
                continue
            target = unquote(urljoin(HOST + path, file["url"]).removeprefix(HOST))
            placed = resources[target]
            assert isinstance(placed, FileResource)
            assert placed.key == file["hashes"]["sha256"]
            if "core-metadata" in file:
                assert resources[f"{target}.metadata"].key == file["core-metadata"]["sha256"]


@pytest.mark.slow
@given(indexes(), sites)
def test_the_html_and_json_of_a_project_have_the_same_and_all_known_values(index: Index, site: Site) -> None:
    found = pages(render_resources(index, site))
    depth = len(site.simple("project", INDEX_HTML).split("/")) - 1
    for project in index.projects:
        document = json.loads(found[site.simple(project.name, INDEX_JSON)])
        assert html_entries(found[site.simple(project.name, INDEX_HTML)]) == document["files"]
        optional = ["requires_python", "provenance", "upload_time"]
        assert document == {
            "meta": {"api-version": "1.4"},
            "name": project.name,
            "versions": [release.version for release in project.releases()],
            "files": [
                {
                    "filename": file.filename,
                    "url": site.href(file, depth=depth),
                    "hashes": {"sha256": file.sha256},
                    "size": file.size,
                }
                | {name.replace("_", "-"): getattr(file, name) for name in optional if getattr(file, name)}
                | ({"core-metadata": {"sha256": digest}} if (digest := site.core_metadata(file)) else {})
                | ({} if file.yanked is None else {"yanked": file.yanked or True})
                for release in project.releases()
                for file in release.files
            ],
        }


@pytest.mark.slow
@given(indexes(), sites)
def test_old_pips_see_only_metadata_with_the_name_that_they_request(index: Index, site: Site) -> None:
    found = pages(render_resources(index, site))
    for project in index.projects:
        links = anchors(found[site.simple(project.name, INDEX_HTML)])
        assert {anchor.text: "data-dist-info-metadata" in anchor.attributes for anchor in links} == {
            file.filename: site.core_metadata(file) != "" and file.metadata_name == "" for file in project.files
        }


@given(indexes(), sites)
def test_pages_are_ascii_and_whole(index: Index, site: Site) -> None:
    for path, page in pages(render_resources(index, site)).items():
        if path.endswith(".html"):
            assert page.isascii()
            assert page.startswith(b"<!DOCTYPE html>\n")
            assert page.endswith(b"</html>\n")
        elif path.endswith(INDEX_JSON):
            assert page.isascii()
            assert page == json.dumps(json.loads(page), separators=(",", ":")).encode() + b"\n"
        else:
            assert (path, page) == (".nojekyll", b"")


@pytest.mark.slow
@given(indexes(), sites)
def test_links_html_has_the_files_of_all_project_pages(index: Index, site: Site) -> None:
    found = pages(render_resources(index, dataclasses.replace(site, links=True)))
    depth = len(site.simple("project", INDEX_HTML).split("/")) - 1
    listed = [file for project in index.projects for file in html_entries(found[site.simple(project.name, INDEX_HTML)])]
    assert html_entries(found["links.html"]) == [
        file | {"url": file["url"].removeprefix("../" * depth)} if site.files_url is None else file for file in listed
    ]


@pytest.mark.slow
@given(indexes(), sites, st.data())
def test_a_page_that_differs_has_another_key(index: Index, site: Site, data: st.DataObject) -> None:
    other = data.draw(st.one_of(indexes(), st.just(index)))
    before, after = (
        {r.path: r for r in render_resources(made, site) if isinstance(r, Page)} for made in (index, other)
    )
    for path in before.keys() & after.keys():
        if before[path].render() != after[path].render():
            assert before[path].key != after[path].key


# --- exactly these pages --------------------------------------------------------------------------------------------

A, B, C, D, M = ("a1" * 32, "b2" * 32, "c3" * 32, "d4" * 32, "e5" * 32)  # hashes


def test_a_project_page_with_every_attribute_is_exactly_this() -> None:
    project = make_index(
        fake_files.file(
            "demo-1.0-py3-none-any.whl",
            b"four",
            sha256=A,
            core_metadata=M,
            requires_python=">=3.9, <\"4\" & '5'",
            upload_time="2026-01-02T03:04:05Z",
            yanked='broken <on> "purpose" & more',
            provenance="https://host.example/demo?a=1&b=2",
        ),
        fake_files.file("demo-1.0.tar.gz", b"four", sha256=B, yanked=""),
        fake_files.file("demo-1.0+cu128-py3-none-any.whl", b"four", sha256=C, core_metadata=M, metadata_name="Demo"),
        fake_files.file("demo-1!0.5-py3-none-any.whl", b"four", sha256=D, core_metadata=""),
    ).projects[0]
    project = dataclasses.replace(project, status=ProjectStatus(status="archived", reason='see "demo2" & <b>é</b>'))
    found = pages(render_resources(Index(projects=(project,)), site()))
    assert found["simple/demo/index.html"].decode() == PROJECT_HTML
    assert json.loads(found["simple/demo/index.v1_json"]) == PROJECT_JSON


PROJECT_HTML = f"""\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="pypi:repository-version" content="1.4">
<meta name="pypi:project-status" content="archived">
<meta name="pypi:project-status-reason" content="see &#34;demo2&#34; &amp; &lt;b&gt;&#233;&lt;/b&gt;">
<title>Links for demo</title>
</head>
<body>
<h1>Links for demo</h1>
<a href="../../files/a1/{A[2:]}/demo-1.0-py3-none-any.whl#sha256={A}"\
 data-requires-python="&gt;=3.9, &lt;&#34;4&#34; &amp; &#39;5&#39;"\
 data-yanked="broken &lt;on&gt; &#34;purpose&#34; &amp; more"\
 data-core-metadata="sha256={M}" data-dist-info-metadata="sha256={M}"\
 data-provenance="https://host.example/demo?a=1&amp;b=2"\
 data-size="4" data-upload-time="2026-01-02T03:04:05Z">demo-1.0-py3-none-any.whl</a><br>
<a href="../../files/b2/{B[2:]}/demo-1.0.tar.gz#sha256={B}" data-yanked="" data-size="4">demo-1.0.tar.gz</a><br>
<a href="../../files/c3/{C[2:]}/demo-1.0%2Bcu128-py3-none-any.whl#sha256={C}"\
 data-core-metadata="sha256={M}" data-size="4">demo-1.0+cu128-py3-none-any.whl</a><br>
<a href="../../files/d4/{D[2:]}/demo-1%210.5-py3-none-any.whl#sha256={D}" data-size="4">demo-1!0.5-py3-none-any.whl</a><br>
</body>
</html>
"""  # noqa: E501
PROJECT_JSON = {
    "meta": {"api-version": "1.4"},
    "name": "demo",
    "project-status": {"status": "archived", "reason": 'see "demo2" & <b>é</b>'},
    "versions": ["1.0", "1.0+cu128", "1!0.5"],
    "files": [
        {
            "filename": "demo-1.0-py3-none-any.whl",
            "url": f"../../files/a1/{A[2:]}/demo-1.0-py3-none-any.whl",
            "hashes": {"sha256": A},
            "size": 4,
            "requires-python": ">=3.9, <\"4\" & '5'",
            "core-metadata": {"sha256": M},
            "yanked": 'broken <on> "purpose" & more',
            "upload-time": "2026-01-02T03:04:05Z",
            "provenance": "https://host.example/demo?a=1&b=2",
        },
        {
            "filename": "demo-1.0.tar.gz",
            "url": f"../../files/b2/{B[2:]}/demo-1.0.tar.gz",
            "hashes": {"sha256": B},
            "size": 4,
            "yanked": True,
        },
        {
            "filename": "demo-1.0+cu128-py3-none-any.whl",
            "url": f"../../files/c3/{C[2:]}/demo-1.0%2Bcu128-py3-none-any.whl",
            "hashes": {"sha256": C},
            "size": 4,
            "core-metadata": {"sha256": M},
        },
        {
            "filename": "demo-1!0.5-py3-none-any.whl",
            "url": f"../../files/d4/{D[2:]}/demo-1%210.5-py3-none-any.whl",
            "hashes": {"sha256": D},
            "size": 4,
        },
    ],
}


def test_a_quarantined_project_offers_no_file_on_any_page() -> None:
    project = dataclasses.replace(
        make_index(fake_files.file("demo-1.0.tar.gz")).projects[0], status=ProjectStatus(status="quarantined")
    )
    found = pages(render_resources(Index(projects=(project,)), site(links=True)))
    assert found["simple/demo/index.html"].decode() == QUARANTINED_HTML
    assert json.loads(found["simple/demo/index.v1_json"]) == {
        "meta": {"api-version": "1.4"},
        "name": "demo",
        "project-status": {"status": "quarantined"},
        "versions": [],
        "files": [],
    }
    assert anchors(found["links.html"]) == []


QUARANTINED_HTML = """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="pypi:repository-version" content="1.4">
<meta name="pypi:project-status" content="quarantined">
<title>Links for demo</title>
</head>
<body>
<h1>Links for demo</h1>
</body>
</html>
"""


def test_the_root_pages_are_exactly_these() -> None:
    found = pages(
        render_resources(make_index(fake_files.file("demo-1.0.tar.gz"), fake_files.file("a_b-1.0.tar.gz")), site())
    )
    assert found["simple/index.html"].decode() == ROOT_HTML
    assert found["simple/index.v1_json"] == (
        b'{"meta":{"api-version":"1.4"},"projects":[{"name":"a-b"},{"name":"demo"}]}\n'
    )
    assert found.keys() == {
        "simple/a-b/index.html",
        "simple/a-b/index.v1_json",
        "simple/demo/index.html",
        "simple/demo/index.v1_json",
        "simple/index.html",
        "simple/index.v1_json",
        ".nojekyll",
        "404.html",
        "index.html",
    }


ROOT_HTML = """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="pypi:repository-version" content="1.4">
<title>Simple index</title>
</head>
<body>
<a href="a-b/">a-b</a><br>
<a href="demo/">demo</a><br>
</body>
</html>
"""


def test_an_index_at_the_root_has_no_landing_page() -> None:
    found = pages(render_resources(make_index(fake_files.file("demo-1.0.tar.gz")), site(simple_path="")))
    assert found.keys() == {
        "demo/index.html",
        "demo/index.v1_json",
        "index.html",
        "index.v1_json",
        ".nojekyll",
        "404.html",
    }
    assert [anchor.attributes for anchor in anchors(found["index.html"])] == [{"href": "demo/"}]


def test_a_file_at_a_files_url_is_linked_by_its_path_below_the_source() -> None:
    made = fake_files.file("demo-1.0+cpu-py3-none-any.whl")
    moved = make_index(made._replace(artifact=made.local._replace(relative=f"cu 12/ä/{made.filename}")))
    resources = render_resources(moved, site(files_url="https://files.example/whl"))
    assert {resource.stage for resource in resources} == {Stage.PROJECT, Stage.ROOT}
    assert [entry["url"] for entry in html_entries(pages(resources)["simple/demo/index.html"])] == [
        "https://files.example/whl/cu%2012/%C3%A4/demo-1.0%2Bcpu-py3-none-any.whl"
    ]


def test_a_directory_whose_name_is_not_unicode_is_linked_by_its_bytes(tmp_path: Path) -> None:
    made = fake_files.file("demo-1.0.tar.gz")
    moved = make_index(made._replace(artifact=made.local._replace(relative=f"caf\udce9/{made.filename}")))
    page = pages(render_resources(moved, site(files_url="https://files.example")))["simple/demo/index.html"]
    assert [entry["url"] for entry in html_entries(page)] == ["https://files.example/caf%E9/demo-1.0.tar.gz"]


def test_the_path_of_a_file_and_its_metadata_contains_its_hash() -> None:
    wheel = fake_files.file("demo-1.0+cpu-py3-none-any.whl")
    resources = render_resources(make_index(wheel), site())
    assert [resource for resource in resources if not isinstance(resource, Page)] == [
        FileResource.of(wheel),
        SiblingResource.of(wheel),
    ]
    sha256 = wheel.sha256
    assert [FileResource.of(wheel).path, SiblingResource.of(wheel).path] == [
        f"files/{sha256[:2]}/{sha256[2:]}/demo-1.0+cpu-py3-none-any.whl",
        f"files/{sha256[:2]}/{sha256[2:]}/demo-1.0+cpu-py3-none-any.whl.metadata",
    ]


# --- templates ------------------------------------------------------------------------------------------------------

DEMO = make_index(fake_files.file("demo-1.0-py3-none-any.whl"))
MADE_FROM = {
    "404.html": {"404.html"},
    "index.html": {"index.html"},
    "links.html": {"links.html"},
    "simple/link.html": {"links.html", "simple/demo/index.html"},
    "simple/project.html": {"simple/demo/index.html"},
    "simple/root.html": {"simple/index.html"},
}


def test_there_are_no_other_templates() -> None:
    assert {
        path.relative_to(SHIPPED).as_posix() for path in SHIPPED.rglob("*.html") if path.parent.name != "site"
    } == MADE_FROM.keys()


@pytest.mark.parametrize("name", MADE_FROM)
def test_a_template_of_the_users_own_changes_the_pages_made_from_it_and_the_keys_of_all(
    name: str, tmp_path: Path
) -> None:
    own = tmp_path / name
    own.parent.mkdir(exist_ok=True)
    text = (SHIPPED / name).read_text()
    own.write_text(text.replace("<a ", "<a id=own ").replace("</title>", "!</title>"))
    before = {r.path: r for r in render_resources(DEMO, site(links=True)) if isinstance(r, Page)}
    after = {
        r.path: r
        for r in render_resources(DEMO, Site(links=True, templates=Templates(tmp_path)))
        if isinstance(r, Page)
    }
    assert {path for path in before if before[path].render() != after[path].render()} == MADE_FROM[name]
    assert {path for path in before if before[path].key == after[path].key} == {".nojekyll"}


def test_the_directory_of_templates_is_not_part_of_the_keys(tmp_path: Path) -> None:
    for directory in ("one", "two"):
        (tmp_path / directory).mkdir()
        (tmp_path / directory / "404.html").write_text("gone\n")
    one, two = (
        [r.key for r in render_resources(DEMO, Site(templates=Templates(tmp_path / name)))] for name in ("one", "two")
    )
    assert one == two


MISTAKES = {
    "a misspelt tag": b"<!DOCTYPE html>\n\n{% fro x in y %}\n",
    "an unknown name": b"<!DOCTYPE html>\n\n{{ pgae.name }}\n",
    "an unknown attribute": b"<!DOCTYPE html>\n\n{{ page.nmae.title }}\n",
    "an unknown filter": b"<!DOCTYPE html>\n\n{{ page.name | shout }}\n",
    "a template that is not there": b'<!DOCTYPE html>\n\n{% include "nowhere.html" %}\n',
    "a division by zero": b"<!DOCTYPE html>\n\n{{ 1 // 0 }}\n",
    "a value of the wrong kind": b"<!DOCTYPE html>\n\n{{ page.files + 1 }}\n",
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_in_a_template_of_the_users_own_is_named_with_its_line(mistake: str, tmp_path: Path) -> None:
    write_wheel(_make_directory(tmp_path / "wheels"), "demo", "1.0")
    config = Config(sources=(str(tmp_path / "wheels"),), destination=str(tmp_path / "public"))
    build(config)
    before = read_tree(tmp_path / "public")
    template = _make_directory(tmp_path / "templates" / "simple") / "project.html"
    template.write_bytes(MISTAKES[mistake])
    with pytest.raises(MkindexError, match=r"simple/project\.html\D*\b3\b"):
        build(config.replace(templates=str(tmp_path / "templates")))
    assert read_tree(tmp_path / "public") == before


def test_a_template_that_is_not_utf_8_is_named(tmp_path: Path) -> None:
    write_wheel(_make_directory(tmp_path / "wheels"), "demo", "1.0")
    (_make_directory(tmp_path / "templates") / "404.html").write_bytes(b"caf\xe9")
    with pytest.raises(MkindexError, match=r"404\.html"):
        build(
            Config(
                sources=(str(tmp_path / "wheels"),),
                destination=str(tmp_path / "public"),
                templates=str(tmp_path / "templates"),
            )
        )


def _make_directory(directory: Path) -> Path:
    directory.mkdir(parents=True)
    return directory


def test_a_root_page_is_the_json_of_its_dictionary() -> None:
    names, variants = ["a", "b-c", "d9"], [VariantIndex("cpu", "../whl/cpu/", ("a", "[]"))]
    for some, others in itertools.product(([], names), ((), variants)):
        assert encode_root_page(some, others) == encode_page(make_root_page(some, others))
