"""Files and pages that are not quite right: mkindex says of them what pip and uv do with them."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from support.clients import ClientFailed, ClientHome, installed_versions
from support.http_servers import serve_directory
from support.wheels import metadata, sdist, write_wheel

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CLIENTS = ["pip", "uv"]


def mkindex(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "mkindex", *map(str, arguments), "--no-cache"]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def install(client: str, home: ClientHome, root: str, requirement: str) -> dict[str, str]:
    """Install a requirement from the index at `root`; return what was installed. Raises ClientFailed."""
    options = ("--index-url", f"{root}simple/", "--target", home.path / "target", requirement)
    if client == "uv":
        home.uv("pip", "install", "--no-cache", *options)
    else:
        home.pip("pip", "install", "--no-cache-dir", *options)
    return installed_versions(home.path / "target")


def write_project_page(root: Path, project: str, *links: str) -> Path:
    """Write the page of a project below `root`, with these links; return its directory."""
    directory = root / "simple" / project
    directory.mkdir(parents=True, exist_ok=True)
    anchors = "".join(f'<a href="{link}">{link.partition("#")[0]}</a><br>\n' for link in links)
    (directory / "index.html").write_text(f"<!DOCTYPE html>\n<html><body>\n{anchors}</body></html>\n")
    return directory


@pytest.fixture
def origin(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """Yield a directory and the address at which it is served."""
    root = tmp_path / "origin"
    root.mkdir()
    with serve_directory(root, tmp_path / "log") as server:
        yield root, server.url


# --- hashes -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("client", CLIENTS)
def test_clients_refuse_a_malformed_hash_and_mkindex_rejects_its_file(
    client: str, origin: tuple[Path, str], home: ClientHome, tmp_path: Path
) -> None:
    root, url = origin
    path = write_wheel(write_project_page(root, "demo"), "demo", "1.0")
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    write_project_page(root, "demo", f"{path.name}#sha256={sha256[:-1]}")
    with pytest.raises(ClientFailed, match=r"DO NOT MATCH THE HASHES|Invalid hash digest length"):
        install(client, home, url, "demo")
    done = mkindex(f"{url}simple/demo/", tmp_path / "public", "--allow-empty")
    assert (
        done.returncode,
        f"malformed hash: sha256 has 64 hexadecimal digits, got '{sha256[:-1]}'" in done.stderr,
    ) == (
        1,
        True,
    )
    assert not (tmp_path / "public/simple/demo").exists()


# --- yanks ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("yanked_by", ["list", "index"])
@pytest.mark.parametrize("is_first", [True, False], ids=["the yank first", "the directory first"])
def test_clients_pass_over_what_one_source_yanks_whichever_comes_first(
    client: str, yanked_by: str, origin: tuple[Path, str], home: ClientHome, tmp_path: Path, *, is_first: bool
) -> None:
    root, url = origin
    wheels = root / "wheels"
    wheels.mkdir()
    write_wheel(wheels, "demo", "1.0")
    broken = write_wheel(wheels, "demo", "1.1").name
    (root / "list.jsonl").write_text(f'{{"filename": "wheels/{broken}", "yanked_reason": "broken"}}\n')
    anchor = f'<a href="../../wheels/{broken}" data-yanked="broken">{broken}</a>'
    (write_project_page(root, "demo") / "index.html").write_text(f"<!DOCTYPE html><html>{anchor}</html>")
    yanking = str(root / "list.jsonl") if yanked_by == "list" else f"{url}simple/demo/"
    sources = (yanking, wheels) if is_first else (wheels, yanking)
    done = mkindex(*sources, root / "public")
    assert done.returncode == 0, done.stderr
    assert install(client, home, f"{url}public/", "demo") == {"demo": "1.0"}


# --- the project of a page --------------------------------------------------------------------------------------------


def write_named_sdist(directory: Path, filename: str, name: str, version: str) -> str:
    """Write an sdist under a filename that is not the one of its name and version; return its sha256."""
    data = sdist(name, "1.0", pkg_info=metadata(name, version))
    (directory / filename).write_bytes(data)
    return hashlib.sha256(data).hexdigest()


def candidates(home: ClientHome, root: str, project: str) -> str:
    """Return the versions of a project that pip finds in an index. Raises ClientFailed if there are none."""
    output = home.pip("pip", "index", "versions", "--index-url", f"{root}simple/", project)
    return output.partition("Available versions: ")[2].split("\n")[0]


@pytest.mark.parametrize("how", ["reference", "mirror"])
def test_the_page_decides_which_version_the_name_of_an_sdist_means(
    how: str, origin: tuple[Path, str], home: ClientHome
) -> None:
    root, url = origin
    directory = write_project_page(root, "foo")
    sha256 = write_named_sdist(directory, "foo-1.0-1.tar.gz", "foo", "1.0.post1")
    write_project_page(root, "foo", f"foo-1.0-1.tar.gz#sha256={sha256}")
    assert candidates(home, url, "foo") == "1.0.post1"
    done = mkindex(f"{url}simple/", root / "public", "--all", "--remote", how)
    assert done.returncode == 0, done.stderr
    assert candidates(home, f"{url}public/", "foo") == "1.0.post1"


@pytest.mark.parametrize("how", ["reference", "mirror"])
def test_an_sdist_without_a_valid_version_on_its_page_belongs_to_no_other_project(
    how: str, origin: tuple[Path, str], home: ClientHome
) -> None:
    root, url = origin
    directory, filename = write_project_page(root, "pyv"), "pyv-5.5.0-2014.1.tar.gz"
    sha256 = write_named_sdist(directory, filename, "pyv", "5.5.0-2014.1")
    write_project_page(root, "pyv", f"{filename}#sha256={sha256}")
    with pytest.raises(ClientFailed, match="No matching distribution found for pyv"):
        candidates(home, url, "pyv")
    with pytest.raises(ClientFailed, match="there are no versions of pyv"):
        install("uv", home, url, "pyv")
    done = mkindex(f"{url}simple/", root / "public", "--all", "--remote", how, "--allow-empty")
    assert done.returncode == 1
    assert "on the page of pyv, clients read the version 5.5.0-2014.1, which is not valid (PEP 440)" in done.stderr
    assert [path.name for path in (root / "public/simple").iterdir() if path.is_dir()] == []


# --- a build tag in the name of .dist-info ----------------------------------------------------------------------------


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("build", ["1", "2"])
def test_clients_install_a_wheel_with_a_build_tag_in_its_dist_info_and_mkindex_lists_it(
    client: str, build: str, origin: tuple[Path, str], home: ClientHome
) -> None:
    root, url = origin
    (root / "wheels").mkdir()
    write_wheel(root / "wheels", "demo", "1.0", build="1", dist_info=f"demo-1.0-{build}.dist-info")
    done = mkindex(root / "wheels", root / "public")
    assert done.returncode == 0, done.stderr
    assert f"uv then takes it for version 1.0.post{build}" in done.stderr
    assert install(client, home, f"{url}public/", "demo==1.0") == {"demo": "1.0"}
    check = subprocess.run(
        [sys.executable, "-m", "mkindex", "check", str(root / "public"), "--files", "deep", "--no-cache"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert check.returncode == 0, check.stdout + check.stderr


def test_uv_takes_a_build_tag_in_dist_info_for_a_post_release(home: ClientHome, tmp_path: Path) -> None:
    (tmp_path / "wheels").mkdir()
    write_wheel(tmp_path / "wheels", "demo", "1.0", build="1", dist_info="demo-1.0-1.dist-info")
    home.uv("venv", tmp_path / "venv")
    options = ("--python", tmp_path / "venv/bin/python", "--no-index", "--find-links", tmp_path / "wheels")
    home.uv("pip", "install", *options, "demo==1.0")
    assert "- demo==1.0.post1" in home.uv("pip", "install", *options, "demo==1.0")


def test_clients_cannot_read_an_environment_with_another_build_tag_in_dist_info(
    home: ClientHome, tmp_path: Path
) -> None:
    (tmp_path / "wheels").mkdir()
    write_wheel(tmp_path / "wheels", "demo", "1.0", build="1a", dist_info="demo-1.0-1a.dist-info")
    home.uv("venv", tmp_path / "venv")
    options = ("--no-index", "--find-links", tmp_path / "wheels", "demo==1.0")
    home.uv("pip", "install", "--python", tmp_path / "venv/bin/python", *options)
    with pytest.raises(ClientFailed, match="not part of a valid version"):
        home.uv("pip", "list", "--python", tmp_path / "venv/bin/python")
    with pytest.raises(ClientFailed, match=r"Invalid version: '1\.0-1a'"):
        home.pip("pip", "install", "--target", tmp_path / "target", *options)
    done = mkindex(tmp_path / "wheels", tmp_path / "public", "--allow-empty")
    assert done.returncode == 1
    assert "but it contains demo-1.0-1a.dist-info: build it again" in done.stderr


# --- filenames that were changed on the way ---------------------------------------------------------------------------


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("changed", ["demo-1.0.cu12-py3-none-any.whl", "demo-1.0%252Bcu12-py3-none-any.whl"])
def test_clients_find_nothing_under_a_changed_filename_until_mkindex_restores_it(
    client: str, changed: str, origin: tuple[Path, str], home: ClientHome
) -> None:
    root, url = origin
    (root / "wheels").mkdir()
    wheel_path = write_wheel(root / "wheels", "demo", "1.0+cu12")
    wheel_path.rename(wheel_path.with_name(changed.replace("%25", "%")))
    write_project_page(root, "demo", f"../../wheels/{changed}")
    with pytest.raises(ClientFailed):
        install(client, home, url, "demo")
    assert mkindex(root / "wheels", root / "public", "--fix-names").returncode == 0
    assert install(client, home, f"{url}public/", "demo==1.0+cu12") == {"demo": "1.0+cu12"}


@pytest.mark.parametrize("client", CLIENTS)
def test_clients_refuse_a_link_whose_address_ends_in_another_filename(
    client: str, origin: tuple[Path, str], home: ClientHome
) -> None:
    root, url = origin
    (root / "wheels").mkdir()
    wheel_path = write_wheel(root / "wheels", "demo", "1.0+cu12")
    wheel_path.rename(root / "wheels/demo-1.0.cu12-py3-none-any.whl")
    (root / "simple/demo").mkdir(parents=True)
    link = "../../wheels/demo-1.0.cu12-py3-none-any.whl"
    page = f'<!DOCTYPE html>\n<a href="{link}">demo-1.0+cu12-py3-none-any.whl</a>\n'
    (root / "simple/demo/index.html").write_text(page)
    with pytest.raises(ClientFailed):
        install(client, home, url, "demo")


# --- upload times -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("remote", ["reference", "mirror"])
def test_uv_excludes_newer_files_of_a_find_links_page_by_last_modified(
    remote: str, origin: tuple[Path, str], home: ClientHome
) -> None:
    root, url = origin
    (root / "wheels").mkdir()
    for version, year in (("1.0", 2020), ("2.0", 2022)):
        write_wheel(root / "wheels", "demo", version, mtime=(year - 1970) * 31_557_600)
    links = "".join(f'<a href="{path.name}">{path.name}</a>\n' for path in (root / "wheels").iterdir())
    (root / "wheels/index.html").write_text(f"<!DOCTYPE html>\n{links}")
    done = mkindex(f"{url}wheels/", root / "public", "--remote", remote)
    assert done.returncode == 0, done.stderr
    options = ("--no-cache", "--index-url", f"{url}public/simple/", "--target", home.path / "target")
    home.uv("pip", "install", *options, "--exclude-newer", "2021-01-01", "demo")
    assert installed_versions(home.path / "target") == {"demo": "1.0"}
