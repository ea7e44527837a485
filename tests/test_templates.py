"""Templates of the user, which may come from a stranger, are confined."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from mkindex import cli
from mkindex.config_file import read_config_file
from mkindex.errors import ConfigError, TemplateError
from mkindex.site.confined import ConfinedRenderer
from mkindex.site.templates import Templates
from support.builds import write_files
from support.index_values import FakeFiles, make_index
from support.wheels import write_wheel

if TYPE_CHECKING:
    from pathlib import Path

DEMO = make_index(FakeFiles().file("demo-1.0-py3-none-any.whl"))
OUT_OF_BOUNDS = (
    "template index.html takes more than 1 s of processor time, the limit for templates that are not those of"
)


def render_with(tmp_path: Path, template: str) -> str:
    """Render the landing page with a template of the user."""
    (tmp_path / "index.html").write_text(template)
    templates = Templates(tmp_path)
    return templates.render("index.html", projects=DEMO.projects, simple="simple/", page={"name": "demo"}).decode()


def test_a_template_of_the_users_own_sees_the_values_that_pages_show(tmp_path: Path) -> None:
    template = (
        "{% for project in projects %}{{ project.name }} {{ project.newest() }}{% for release in project.releases() %}"
        " {{ release.version }}{% for file in release.files %} {{ file.filename }} {{ file.sha256 | length }}"
        "{% endfor %}{% endfor %}{% endfor %}"
    )
    assert render_with(tmp_path, template) == "demo 1.0 1.0 demo-1.0-py3-none-any.whl 64"


@pytest.mark.parametrize(
    "expression",
    [
        "projects[0].files[0].artifact",
        "projects[0].files[0].local.path",
        "projects[0].files[0].facts",
        "projects[0].files[0]._asdict()",
        "projects[0].__class__.__mro__",
        "''.__class__.__base__.__subclasses__()",
        "self.__init__.__globals__",
        "cycler.__init__.__globals__.os",
        "'{0.__class__.__mro__}'.format(page)",
        "page.update(name='other')",
        "range(10 ** 9) | list",
    ],
)
def test_a_template_of_the_users_own_cannot_leave_the_sandbox(expression: str, tmp_path: Path) -> None:
    with pytest.raises(TemplateError, match=r"unsafe|has no attribute|too big|is undefined"):
        render_with(tmp_path, f"{{{{ {expression} }}}}")


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("{{ 'a' * 10 ** 10 }}", "template {path}, line 1: MemoryError"),
        ("{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}", OUT_OF_BOUNDS),
        ("{% macro again() %}{{ again() }}{% endmacro %}{{ again() }}", "maximum recursion depth exceeded"),
    ],
    ids=["memory", "time", "recursion"],
)
def test_a_template_of_the_users_own_has_bounds(
    template: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mkindex.site.confined.SECONDS", 1)
    with pytest.raises(TemplateError, match=re.escape(message.format(path=tmp_path / "index.html"))):
        render_with(tmp_path, template)


def test_after_a_template_that_was_stopped_the_next_one_is_rendered(tmp_path: Path) -> None:
    (tmp_path / "404.html").write_text("gone")
    templates = Templates(tmp_path)
    assert templates.render("404.html") == b"gone"
    renderer = templates._renderer
    assert isinstance(renderer, ConfinedRenderer)
    process = renderer._process._running()
    process.kill()
    process.wait()
    assert templates.render("404.html") == b"gone"


def test_no_module_of_the_current_directory_runs_when_templates_are_rendered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("pickle", "signal", "jinja2", "mkindex"):
        (tmp_path / f"{module}.py").write_text("raise SystemExit('a module of the current directory ran')\n")
    monkeypatch.chdir(tmp_path)
    assert render_with(tmp_path, "{{ 6 * 7 }}") == "42"


def test_a_process_that_ends_unexpectedly_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mkindex.site.confined._COMMAND", ("false",))
    with pytest.raises(
        TemplateError, match=r"^template index\.html cannot be rendered: its process has ended with status 1$"
    ):
        render_with(tmp_path, "x")


# --- a configuration that was only found ----------------------------------------------------------------------------


@pytest.mark.parametrize("wrong", ["outside", "symlink", "symlinked directory"])
def test_a_found_configuration_names_only_templates_below_it(wrong: str, tmp_path: Path) -> None:
    here, outside = tmp_path / "here", tmp_path / "outside"
    write_files(tmp_path, [("outside/404.html", b"secret"), ("here/own/index.html", b"own")])
    match wrong:
        case "outside":
            templates, place = "../outside", here / "../outside"
        case "symlink":
            (here / "own/404.html").symlink_to(outside / "404.html")
            templates, place = "own", here / "own/404.html"
        case _:
            (here / "linked").symlink_to(outside)
            templates, place = "linked", here / "linked"
    toml = here / "mkindex.toml"
    toml.write_text(f"templates = '{templates}'\n")
    with pytest.raises(ConfigError) as caught:
        read_config_file(toml, found=True)
    where = f"is not below the directory of {toml}, which was found, not named"
    assert str(caught.value) == f"{toml}: templates: {place} {where}. If you trust it, use --config {toml}"
    assert read_config_file(toml) == {"templates": str(here / templates)}


def test_a_found_configuration_names_no_command(tmp_path: Path) -> None:
    toml = tmp_path / "mkindex.toml"
    toml.write_text("on-build = 'true'\n")
    with pytest.raises(ConfigError) as caught:
        read_config_file(toml, found=True)
    reason = "on-build names a command, and this file was found, not named. If you trust it, use --config"
    assert (str(caught.value), read_config_file(toml)) == (f"{toml}: {reason} {toml}", {"on_build": "true"})


def test_a_found_configuration_with_templates_of_its_own_builds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_files(tmp_path, [("own/404.html", b"nothing {{ 6 * 7 }}"), ("mkindex.toml", b"templates = 'own'\n")])
    (tmp_path / "wheels").mkdir()
    write_wheel(tmp_path / "wheels", "demo", "1.0")
    monkeypatch.chdir(tmp_path)
    assert cli.run(["wheels", "public"]) == 0
    assert (tmp_path / "public/404.html").read_text() == "nothing 42"
    monkeypatch.chdir(tmp_path / "own")
    (tmp_path / "own/mkindex.toml").write_text("templates = '../wheels'\n")
    assert cli.run(["../wheels", "public"]) == 2
