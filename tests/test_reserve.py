"""Reserved names: globs, the pages that they keep, and the second index that must not answer for them."""

from __future__ import annotations

import json
import re
import shutil
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

import pytest

from mkindex import cli
from mkindex.build.growing import Growth
from mkindex.build.pipeline import build
from mkindex.config import Config
from mkindex.errors import ConfigError, NotPublished
from mkindex.hosts.fallback import Fallback
from mkindex.hosts.reserved import Reserved
from mkindex.hosts.server_config import ServerConfig
from mkindex.serve.fallback import FallbackOfTree
from mkindex.tree.layout import read_layout
from support.builds import publish
from support.fake_store import ADDRESS, FakeStore, tree_in, use
from support.trees import read_tree
from support.wheels import write_wheel

if TYPE_CHECKING:
    from pathlib import Path

GLOBS = ("acme-*", "Acme_Tools", "?x", "*-internal", "a*z")
NAMES = ["acme", "acme-", "acme-x", "xacme-x", "acme-tools", "acme-tools-x", "ax", "xx", "x", "aax", "my-internal"]
NAMES += ["internal", "az", "abcz", "abczz", "bz", "acme--x", "acme-\n", "acme-x\n", "ACME-X", "acme.x"]


# --- globs ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("glob", GLOBS)
def test_a_glob_matches_whole_normalized_names(glob: str) -> None:
    reserved = Reserved((glob,))
    normal = glob.lower().replace("_", "-")
    valid = [name for name in NAMES if re.fullmatch("[a-z0-9-]*", name)]
    assert [name for name in NAMES if reserved.has(name)] == [name for name in valid if fnmatchcase(name, normal)]


def test_globs_are_normalized_as_names_are() -> None:
    reserved = Reserved(("Acme_*", "a.-_b", "***x", "acme-*"))
    assert (reserved.globs, reserved.names) == (("acme-*", "a-b", "*x", "acme-*"), ("a-b",))
    assert reserved.expressions == ("acme-[a-z0-9-]*", "a-b", "[a-z0-9-]*x")


@pytest.mark.parametrize(
    "glob", ["", "-", "acme-", "_x", "[a]", "a b", "a/b", "a\n", "\u212a", "*a*b*", "x" * 101, "!a", "a|b", "(a)", "a$"]
)
def test_what_is_not_a_glob_on_names_is_refused(glob: str) -> None:
    with pytest.raises(ConfigError, match=r"^reserve must be the name of a project"):
        Reserved((glob,))


def test_only_normalized_names_that_are_not_reserved_have_a_page_on_the_second_index() -> None:
    fallback = Fallback(address="https://other.example/root/+simple", reserved=Reserved(("acme-*",)))
    names = ["other", "a-b-c", "acme", "acme-x", "Other", "a--b", "-a", "a-", "a.b", "a_b", "", "other\n", "a" * 201]
    pages = [fallback.page_of(name) for name in names]
    root = "https://other.example/root/+simple/"
    assert pages == [f"{root}other/", f"{root}a-b-c/", f"{root}acme/", *[None] * 10]


@pytest.mark.parametrize(
    "url", ["", "other", "ftp://h/", "https://u:p@h/", "https://h/?q", "https://h/#x", "https://h/$1/", "https://h/a b"]
)
def test_the_address_of_the_second_index_is_safe_in_any_configuration(url: str) -> None:
    with pytest.raises(ConfigError, match=r"^fallback must "):
        Fallback(address=url)


def test_an_index_is_not_its_own_fallback() -> None:
    own = {"root": "/srv/x", "url": "https://h.example/"}
    with pytest.raises(ConfigError, match=r"^fallback must be another index than that of url, https://h.example/$"):
        ServerConfig(**own, fallback=Fallback(address="https://H.example/simple/"))


def write_policy(directory: Path, text: str) -> str:
    (directory / "policy.toml").write_text(text)
    return str(directory / "policy.toml")


# --- builds ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def source(tmp_path: Path) -> Path:
    directory = tmp_path / "wheels"
    directory.mkdir()
    write_wheel(directory, "demo", "1.0")
    write_wheel(directory, "gone", "1.0")
    return directory


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    return tmp_path / "public"


def listed(tree: Path) -> dict[str, list[str]]:
    """The projects of the root page, each with the filenames on its page."""
    names = [one["name"] for one in json.loads((tree / "simple/index.v1_json").read_text())["projects"]]
    pages = {name: json.loads((tree / f"simple/{name}/index.v1_json").read_text()) for name in names}
    return {name: [file["filename"] for file in page["files"]] for name, page in pages.items()}


def test_reserved_and_removed_names_keep_a_page_without_files(source: Path, tree: Path) -> None:
    first = publish(source, tree, reserve=("acme-*", "Secret.Tool"))
    (source / "gone-1.0-py3-none-any.whl").unlink()
    second = publish(source, tree, reserve=("acme-*", "secret-tool"))
    third = publish(source, tree, reserve=("acme-*", "secret-tool"))
    assert listed(tree) == {"demo": ["demo-1.0-py3-none-any.whl"], "gone": [], "secret-tool": []}
    reserved = {"meta": {"api-version": "1.4", "_reserved": True}, "name": "gone", "versions": [], "files": []}
    assert json.loads((tree / "simple/gone/index.v1_json").read_text()) == reserved
    assert '<meta name="mkindex:reserved" content="true">' in (tree / "simple/gone/index.html").read_text()
    notes = [[f"{note.location}: {note.text}" for note in report.notes] for report in (first, second, third)]
    text = "gone: no longer has files, but its name stays reserved. To give it up: --release gone"
    assert notes == [[], [text], []]
    assert [len(report.index.projects) for report in (first, second, third)] == [2, 1, 1]
    assert (third.plan.has_changes, "gone" in (tree / "index.html").read_text()) == (False, False)
    assert read_layout(str(tree / ".mkindex/manifest")) == ("simple/", ("simple/",), ("acme-*", "secret-tool"), True)


def test_a_removed_name_can_be_released_and_comes_back_with_its_files(source: Path, tree: Path) -> None:
    publish(source, tree, reserve=("acme",))
    wheel = source / "gone-1.0-py3-none-any.whl"
    shutil.move(wheel, source / "kept")
    publish(source, tree, reserve=("acme",))
    publish(source, tree, reserve=("acme",), release=("g*",))
    released = listed(tree)
    shutil.move(source / "kept", wheel)
    publish(source, tree, reserve=("acme",))
    assert (released, listed(tree)["gone"]) == ({"acme": [], "demo": ["demo-1.0-py3-none-any.whl"]}, [wheel.name])


def test_remove_can_release_the_name(source: Path, tree: Path) -> None:
    publish(source, tree, reserve=("acme",))
    assert cli.run(["remove", str(tree), "gone", "--yes", "--release", "gone"]) == 0
    assert [*listed(tree)] == ["acme", "demo"]


def test_a_build_does_not_reserve_less_by_mistake(source: Path, tree: Path) -> None:
    publish(source, tree, reserve=("acme-*", "secret"))
    before = read_tree(tree)
    publish(source, tree, reserve=("Acme.*", "secret"))  # the same names
    write_wheel(source, "new", "1.0")
    with pytest.raises(NotPublished, match=r"reserves acme-\*, and this build does not\. Add --reserve 'acme-\*'"):
        publish(source, tree, reserve=("secret",))
    assert {path: data for path, data in read_tree(tree).items() if path in before} | before == before
    publish(source, tree, release=("acme-*", "secret"))
    assert [*listed(tree)] == ["demo", "gone", "new"]


def test_an_index_that_grows_keeps_its_reserved_names(source: Path, tree: Path, tmp_path: Path) -> None:
    publish(source, tree, reserve=("acme-*", "secret"))
    (tmp_path / "more").mkdir()
    write_wheel(tmp_path / "more", "secret", "1.0")
    gone = Growth(is_removed=lambda file: file.project == "gone")
    build(Config(sources=(str(tmp_path / "more"),), destination=str(tree)), growth=gone)
    demo, secret = ["demo-1.0-py3-none-any.whl"], ["secret-1.0-py3-none-any.whl"]
    assert listed(tree) == {"demo": demo, "gone": [], "secret": secret}


def test_an_index_in_a_bucket_keeps_its_reserved_names(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = FakeStore()
    use(monkeypatch, store)
    config = Config(sources=(str(source),), destination=ADDRESS, reserve=("acme-*", "secret"))
    build(config)
    (source / "gone-1.0-py3-none-any.whl").unlink()
    build(config)
    tree = tree_in(store)
    names = [one["name"] for one in json.loads(tree["simple/index.v1_json"])["projects"]]
    assert (names, b'"_reserved":true' in tree["simple/gone/index.v1_json"]) == (["demo", "gone", "secret"], True)


def test_the_names_of_projects_that_a_policy_withholds_are_reserved(source: Path, tree: Path, tmp_path: Path) -> None:
    policy = write_policy(tmp_path, '[[only]]\nproject = "gone"\nversions = ">1"\n')
    publish(source, tree, reserve=("acme-*",), policy=policy)
    assert listed(tree) == {"demo": ["demo-1.0-py3-none-any.whl"], "gone": []}


def test_the_main_index_has_a_page_for_projects_that_only_variants_have_files_of(
    source: Path, tree: Path, tmp_path: Path
) -> None:
    write_wheel(source, "torch", "1.0+cu128")
    write_wheel(source, "torch", "1.0+rocm6")
    policy = write_policy(tmp_path, '[variants]\nby = "local"\ndefault = "cpu"\n')
    without = listed_main(source, tmp_path / "without", policy=policy)
    assert ("torch" in without, listed_main(source, tree, policy=policy, reserve=("x",))["torch"]) == (False, [])


def listed_main(source: Path, tree: Path, **options: Any) -> dict[str, list[str]]:  # noqa: ANN401 (the fields of Config)
    publish(source, tree, **options)
    return listed(tree)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--reserve", "a b"], "--reserve must be the name of a project"),
        (["--release", "[a]"], "--release must be the name of a project"),
        (["--reserve", "a*", "--release", "acme"], "--release 'acme' has no effect: --reserve reserves it"),
    ],
)
def test_options_that_are_no_names_are_usage_errors(
    source: Path, tree: Path, capsys: pytest.CaptureFixture[str], options: list[str], says: str
) -> None:
    assert (cli.run([str(source), str(tree), *options]), says in capsys.readouterr().err) == (2, True)


# --- servers --------------------------------------------------------------------------------------------------------


def test_mkindex_serve_knows_the_names_that_the_tree_is_built_with_later(source: Path, tree: Path) -> None:
    fallback = FallbackOfTree(Fallback(address="https://other.example/simple/", reserved=Reserved(("mine",))))
    paths = [f"simple/{name}/" for name in ("other", "mine", "acme-x", "demo", "gone")] + ["simple/other", "other/"]

    def pages() -> list[str | None]:
        return [fallback.page_of(str(tree), path) for path in paths]

    before = pages()
    publish(source, tree)
    unreserved = pages()
    publish(source, tree, reserve=("acme-*",))
    other = "https://other.example/simple/other/"
    assert (before, unreserved) == ([None] * 7, [None] * 7)
    assert pages() == [other, *[None] * 6]
    publish(source, tree, release=("acme-*",))
    assert pages() == [None] * 7


@pytest.mark.parametrize("damage", ["truncated", "removed"])
def test_mkindex_serve_redirects_nothing_while_the_reserved_names_are_not_known(
    source: Path, tree: Path, damage: str
) -> None:
    publish(source, tree, reserve=("acme-*",))
    fallback = FallbackOfTree(Fallback(address="https://other.example/simple/", reserved=Reserved(("mine",))))
    before = fallback.page_of(str(tree), "simple/other/")
    manifest = tree / ".mkindex/manifest"
    content = manifest.read_bytes()
    if damage == "removed":
        manifest.unlink()
    else:
        manifest.write_bytes(content[:-5])
    without = [fallback.page_of(str(tree), f"simple/{name}/") for name in ("other", "acme-x")]
    manifest.write_bytes(content)
    other = "https://other.example/simple/other/"
    assert (before, without, fallback.page_of(str(tree), "simple/other/")) == (other, [None, None], other)


def test_no_index_of_a_variant_has_a_fallback(source: Path, tree: Path, tmp_path: Path) -> None:
    write_wheel(source, "torch", "1.0+cu128")
    write_wheel(source, "other", "1.0+rocm6")
    policy = write_policy(tmp_path, '[variants]\nby = "local"\n')
    publish(source, tree, policy=policy, reserve=("x",))
    assert (tree / "whl/cu128/torch").is_dir()
    assert not (tree / "whl/cu128/other").exists()
    fallback = FallbackOfTree(Fallback(address="https://other.example/simple/"))
    paths = ("whl/cu128/other/", "whl/cu128/unknown/", "simple/other/", "simple/unknown/")
    assert [fallback.page_of(str(tree), path) for path in paths] == [
        *[None] * 3,
        "https://other.example/simple/unknown/",
    ]


FALLBACK = ["--fallback", "https://other.example/simple/"]


@pytest.mark.parametrize("server", ["nginx", "apache", "caddy"])
def test_the_printed_configuration_has_the_names_that_the_tree_was_built_with(
    source: Path, tree: Path, capsys: pytest.CaptureFixture[str], server: str
) -> None:
    publish(source, tree, reserve=("acme-*", "secret"))
    assert cli.run(["host", server, "--root", str(tree), *FALLBACK, "--reserve", "Mine"]) == 0
    printed = capsys.readouterr()
    assert printed.err == ""
    anchored = [
        re.search(rf"\^/simple/{re.escape(one)}/(\$|\\z)", printed.out) for one in ("acme-[a-z0-9-]*", "secret")
    ]
    assert all((*anchored, re.search(r"\^/simple/mine/(\$|\\z)", printed.out)))


@pytest.mark.parametrize(
    ("host", "options", "says"),
    [
        ("netlify", FALLBACK, "--fallback: not safe on netlify: its rules cannot exclude other spellings"),
        ("cloudflare-pages", FALLBACK, "--fallback: not safe on cloudflare-pages: it redirects before it looks"),
        (
            "github-pages",
            FALLBACK,
            "--fallback: not safe on github-pages: it cannot redirect. It is on your own server",
        ),
        ("s3", FALLBACK, "--fallback: not safe on s3"),
        ("nginx", ["--reserve", "acme"], "--reserve requires --fallback"),
        (
            "nginx",
            FALLBACK,
            "--fallback requires --reserve, because the tree, which has the reserved names",
        ),
        ("nginx", ["--fallback", "other"], "--fallback must be an http or https URL"),
    ],
)
def test_there_is_no_fallback_where_it_would_not_be_safe(
    capsys: pytest.CaptureFixture[str], host: str, options: list[str], says: str
) -> None:
    assert (cli.run(["host", host, *options]), says in capsys.readouterr().err) == (2, True)


@pytest.mark.parametrize("command", [["host", "nginx", "--root"], ["serve"]])
def test_a_tree_that_reserves_nothing_has_no_fallback(
    source: Path, tree: Path, capsys: pytest.CaptureFixture[str], command: list[str]
) -> None:
    publish(source, tree)
    assert cli.run([*command, str(tree), *FALLBACK]) == 2
    assert (
        "because the tree was built without --reserve (or its manifest is damaged). Build it with --reserve NAME"
        in capsys.readouterr().err
    )


def test_what_may_not_be_safe_is_a_warning(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--root", str(tmp_path), "--fallback", "http://other.example/simple/"]
    assert cli.run(["host", "nginx", *options, "--reserve", "x"]) == 0
    assert capsys.readouterr().err.splitlines() == [
        "warning --fallback: the tree is not on this machine. Build it with the same --reserve",
        "warning --fallback http://other.example/simple/: anybody on the network path can change what is installed",
    ]
