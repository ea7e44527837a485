"""Lock files of the formats that clients write, for files of a scripted server."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING

from support.scripted_server import file_route, page_reply
from support.wheels import sdist, sdist_filename, wheel, wheel_filename

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from support.scripted_server import ScriptedServer

LINUX, NEWER_LINUX = "cp312-cp312-manylinux_2_17_x86_64", "cp312-cp312-manylinux_2_34_x86_64"
WINDOWS, MACOS = "cp312-cp312-win_amd64", "cp312-cp312-macosx_11_0_arm64"


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def project_files(name: str, version: str, *tags: str, requires: Iterable[str] = ()) -> dict[str, bytes]:
    """A wheel for each tag, and for the tag "sdist" an sdist, by filename."""
    requires = tuple(requires)
    return {
        sdist_filename(name, version) if tag == "sdist" else wheel_filename(name, version, tag=tag): (
            sdist(name, version, requires_dist=requires)
            if tag == "sdist"
            else wheel(name, version, tag=tag, requires_dist=requires)
        )
        for tag in tags
    }


def serve(server: ScriptedServer, *projects: Mapping[str, bytes]) -> None:
    """Let a server have files in /files/, and the pages of their projects in /simple/."""
    for files in projects:
        names = {filename.partition("-")[0].replace("_", "-") for filename in files}
        links = "".join(f'<a href="/files/{name}#sha256={sha256(data)}">{name}</a>\n' for name, data in files.items())
        for name in names:
            server.routes[f"/simple/{name}/"] = page_reply(f"<!DOCTYPE html>\n{links}")
        server.routes |= {f"/files/{name}": file_route(content) for name, content in files.items()}


def uv_lock(*packages: str, root: str = "", requires_python: str = ">=3.11", head: str = "") -> str:
    """A uv.lock of a project `app` with lines for its table in `root`."""
    app = f'[[package]]\nname = "app"\nversion = "0.1"\nsource = {{ virtual = "." }}\n{root}\n'
    return f'version = 1\nrevision = 3\nrequires-python = "{requires_python}"\n{head}\n{app}' + "".join(packages)


def uv_package(
    name: str, version: str, url: str, files: Mapping[str, bytes], more: str = "", *, index: str = ""
) -> str:
    """A package of a uv.lock whose files are at URL/files/."""

    def entry(filename: str) -> str:
        content = files[filename]
        return f'{{ url = "{url}files/{filename}", hash = "sha256:{sha256(content)}", size = {len(content)} }}'

    source = index or f"{url}simple/"
    lines = [f'\n[[package]]\nname = "{name}"\nversion = "{version}"\nsource = {{ registry = "{source}" }}']
    lines += [f"sdist = {entry(one)}" for one in files if one.endswith(".tar.gz")]
    wheels = [f"    {entry(one)}," for one in files if one.endswith(".whl")]
    lines += ["wheels = [", *wheels, "]"] if wheels else []
    return "\n".join([*lines, more]) + "\n"


def pylock(*packages: str, head: str = "") -> str:
    return f'lock-version = "1.0"\ncreated-by = "tests"\n{head}\n' + "".join(packages)


def pylock_package(name: str, version: str, url: str, files: Mapping[str, bytes], more: str = "") -> str:
    """A package of a pylock.toml whose files are at URL/files/."""

    def entry(filename: str) -> str:
        hashes = f'hashes = {{ sha256 = "{sha256(files[filename])}" }}'
        return f'{{ url = "{url}files/{filename}", size = {len(files[filename])}, {hashes} }}'

    lines = [f'\n[[packages]]\nname = "{name}"\nversion = "{version}"\n{more}'.rstrip()]
    lines += [f"sdist = {entry(one)}" for one in files if one.endswith(".tar.gz")]
    wheels = [f"    {entry(one)}," for one in files if one.endswith(".whl")]
    return "\n".join([*lines, *(["wheels = [", *wheels, "]"] if wheels else [])]) + "\n"


def poetry_package(
    name: str, version: str, files: Mapping[str, bytes], *, groups: str = "main", markers: str = "", source: str = ""
) -> str:
    """A package of a poetry.lock, from the index at the address `source` if there is one."""
    entries = [f'    {{file = "{one}", hash = "sha256:{sha256(data)}"}},' for one, data in files.items()]
    lines = [f'[[package]]\nname = "{name}"\nversion = "{version}"\noptional = false\ngroups = ["{groups}"]']
    lines += [f"markers = {json.dumps(markers)}"] if markers else []
    lines += ["files = [", *entries, "]", ""]
    lines += ["[package.source]", 'type = "legacy"', f'url = "{source}"', 'reference = "ours"', ""] if source else []
    return "\n".join(lines) + "\n"


def poetry_lock(*packages: str, extras: str = "") -> str:
    extras = f"[extras]\n{extras}\n" if extras else ""
    return (
        "".join(packages)
        + f'{extras}\n[metadata]\nlock-version = "2.1"\npython-versions = ">=3.11"\ncontent-hash = "0"\n'
    )


def requirement(name: str, version: str, files: Mapping[str, bytes], marker: str = "") -> str:
    """A line of a requirements.txt with a hash for each file."""
    hashes = "".join(f" \\\n    --hash=sha256:{sha256(content)}" for content in files.values())
    return f"{name}=={version}{f' ; {marker}' if marker else ''}{hashes}\n"


# --- an application that several tests lock ---------------------------------------------------------------------------

FAST = project_files("fast", "2.0", LINUX, NEWER_LINUX, WINDOWS, MACOS, "sdist")
PURE = project_files("pure", "1.0", "py3-none-any", "sdist")
OLD = project_files("old", "3.0", "sdist")
NUM1, NUM2 = project_files("num", "1.0", "py3-none-any"), project_files("num", "2.0", "py3-none-any")
FOR = ("--python", "3.12", "--platform")
ADD_IT = (
    "Add what is missing (pip download REQUIREMENT; in a bundle, what builds sdists with --build-requires), then "
    "rebuild the index."
)
MIRROR = ("--remote", "mirror")


def uv_project(server: ScriptedServer) -> str:
    """A uv.lock with two versions of a project, an extra, two groups and a package that only Windows needs."""
    serve(server, FAST, PURE, OLD, {**NUM1, **NUM2})
    url, marker = server.url, "resolution-markers = [ \"sys_platform == 'win32'\" ]"
    root = (
        "dependencies = [\n"
        '    { name = "fast" },\n'
        '    { name = "num", version = "1.0", marker = "sys_platform == \'win32\'" },\n'
        '    { name = "num", version = "2.0", marker = "sys_platform != \'win32\'" },\n]\n'
        '[package.optional-dependencies]\nextra1 = [ { name = "pure" } ]\n'
        '[package.dev-dependencies]\ndev = [ { name = "old" } ]\n'
    )
    return uv_lock(
        uv_package("fast", "2.0", url, FAST),
        uv_package("num", "1.0", url, NUM1, marker),
        uv_package("num", "2.0", url, NUM2),
        uv_package("pure", "1.0", url, PURE),
        uv_package("old", "3.0", url, OLD),
        root=root,
    )


def published(root: Path) -> set[str]:
    """The names of the files in a tree."""
    return {path.name for path in root.glob("files/*/*/*") if path.suffix != ".metadata"}


def write_lock(text: str, name: str = "uv.lock") -> str:
    Path(name).write_text(text)
    return name
