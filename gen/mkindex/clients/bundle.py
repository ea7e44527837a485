"""INSTALL.md of a bundle: how to install from its lock files on a network without any other index."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Bundle:
    """A tree with lock files."""

    base: str  # the address of its root that is in the lock files, with a slash at its end
    is_public: bool  # whether the user gave that address; otherwise a pylock.toml has relative paths
    simple_path: str  # of the index, below the root
    locks: Sequence[tuple[str, str]]  # name and kind of each lock file
    has_sdists: bool = False  # which clients build with files of the index
    has_links: bool = False  # to files on other servers, which clients then need

    @property
    def index(self) -> str:
        """The address of the index."""
        return f"{self.base}{self.simple_path}/" if self.simple_path else self.base

    @property
    def offline(self) -> str:
        """The option with which uv uses no network, with a space before it; "" if it needs one."""
        return "" if self.has_links else " --offline"

    @property
    def relative_index(self) -> str:
        """The path of the index in this directory. uv takes it; in an address, a space would separate two indexes."""
        return f"./{self.simple_path}/" if self.simple_path else "./"

    @property
    def local_index(self) -> str:
        """The address of the index in a shell in this directory."""
        return f"file://$PWD/{self.simple_path}/" if self.simple_path else "file://$PWD/"


_STATED_ADDRESS = re.compile(r"^In the lock files, this directory is at <([^>\s]+/)>\.$", re.MULTILINE)
_SCRIPT_LOCK = ".py.lock"  # how the name of a lock of a script ends
# Copies a lock with the `file:` address of this directory, whatever characters that has. Works in any shell.
_PYTHON_OF_UV = "uv run --no-project --offline python"
_RELOCATED = (
    """{python} -c "from pathlib import Path; """
    """Path('{target}').write_bytes(Path('locks/{name}').read_bytes()"""
    """.replace(b'{base}', f'{{Path.cwd().as_uri()}}/'.encode()))\""""
)
# Removes the options of a requirements file that name an index, and the project itself.
_WITHOUT_INDEXES = "grep -Ev '^[[:space:]]*(-i|--(extra-)?index-url|--pypi-url|-e \\.$)'"


def installation_text(bundle: Bundle) -> str:
    """Return INSTALL.md, whose commands need nothing but a shell and the client."""
    names = " and ".join(f"`{name}`" for name, _ in bundle.locks)
    lines = [*_introduction(names, bundle)]
    for name, kind in bundle.locks:
        lines += ["", f"## {name}", "", *_SECTIONS[kind](bundle, name)]
    return "".join(f"{line}\n" for line in lines).replace("\n\n\n", "\n\n")


def bundle_address(text: str) -> str:
    """Return the address of the root that an INSTALL.md says is in the lock files, "" for another text."""
    found = _STATED_ADDRESS.search(text)
    return found[1] if found else ""


def _introduction(names: str, bundle: Bundle) -> Iterator[str]:
    yield "# Install from this bundle"
    yield ""
    if bundle.has_links:
        yield f"This directory has an index of the files of {names}. Clients also need the servers that files are on:"
        yield "only a build with `--remote mirror` copies them."
    else:
        yield f"This directory has the files of {names}, and an index of them. Clients need no other server."
    yield "Run the commands in this directory, which contains `locks/`. `APP` stands for the directory of your project."
    yield ""
    yield f"In the lock files, this directory is at <{bundle.base}>."
    yield "Serve this directory at that address. If it is an address of this machine, run:"
    yield from _commands("python3 -m http.server --bind 127.0.0.1 8000")
    yield "Or run `mkindex relocate .`, which changes it to the `file:` address of this directory. Then that server is"
    yield "not needed. `mkindex relocate . --url URL` changes it to the address of another server."


def _uv(bundle: Bundle, name: str) -> Iterator[str]:
    is_of_script = name.endswith(_SCRIPT_LOCK)
    target = f"APP/{name if is_of_script else 'uv.lock'}"  # where uv looks for it
    of_what = f"--script {target.removesuffix('.lock')}" if is_of_script else "--project APP"
    sync = f"uv sync {of_what} --locked"
    # What builds sdists, and the project itself, is in this index, but not in the lock.
    yield "With uv, from the server:"
    yield from _commands(f"cp locks/{name} {target}", f"{sync} --index {bundle.index}")
    yield "With uv, without that server:"
    relocated = _RELOCATED.format(python=_PYTHON_OF_UV, target=target, name=name, base=bundle.base)
    yield from _commands(relocated, f"{sync}{bundle.offline} --index {bundle.relative_index}")
    project = "script" if is_of_script else "`pyproject.toml`"
    yield f"`--locked` requires the {project} that the lock was made for. `--frozen` does not compare them."


def _pylock(bundle: Bundle, name: str) -> Iterator[str]:
    offline = "" if bundle.is_public else bundle.offline  # a relative path needs no server
    index = f" --default-index {bundle.relative_index}" if bundle.has_sdists else ""
    yield "With uv, in a virtual environment:"
    yield from _commands(f"uv pip sync{offline}{index} locks/{name}")
    yield "With pip 26.1 or newer:"
    no_index = f'--index-url "{bundle.local_index}"' if bundle.has_sdists else "--no-index"
    yield from _commands(f"pip install {no_index} -r locks/{name}")


def _requirements(bundle: Bundle, name: str) -> Iterator[str]:
    # An index that the file names would have precedence.
    yield "With pip, without that server:"
    yield from _commands(
        f"{_WITHOUT_INDEXES} locks/{name} > APP/{name}",
        f'pip install --index-url "{bundle.local_index}" -r APP/{name}',
    )
    yield "With uv, in a virtual environment, without that server:"
    yield from _commands(
        f"{_WITHOUT_INDEXES} locks/{name} > APP/{name}",
        f"uv pip install{bundle.offline} --default-index {bundle.relative_index} -r APP/{name}",
    )
    yield "If the file has hashes, clients require them of all files."


def _poetry(bundle: Bundle, name: str) -> Iterator[str]:
    yield f"Poetry installs only from the indexes that `{name}` names, and refuses the lock if they change. Where this"
    yield "directory is not served at those addresses, use pip. First, on a machine where Poetry can reach them, run:"
    yield from _commands(
        "poetry self add poetry-plugin-export",
        "poetry export --without-urls --format requirements.txt --output requirements.txt",
    )
    yield "Then, without that server:"
    yield from _commands(f'pip install --index-url "{bundle.local_index}" -r APP/requirements.txt')


def _pdm(bundle: Bundle, name: str) -> Iterator[str]:
    yield "With PDM, from the server:"
    yield from _commands(f"cp locks/{name} APP/pdm.lock", f"PDM_PYPI_URL={bundle.index} pdm sync --project APP")
    yield "With PDM, without that server:"
    relocated = _RELOCATED.format(python="python3", target="APP/pdm.lock", name=name, base=bundle.base)
    yield from _commands(relocated, f'PDM_PYPI_URL="{bundle.local_index}" pdm sync --project APP')


def _pipfile(bundle: Bundle, name: str) -> Iterator[str]:
    yield "With Pipenv, from the server:"
    yield from _commands(f"cp locks/{name} APP/Pipfile.lock", "cd APP && pipenv sync")
    yield "With Pipenv, without that server:"
    relocated = _RELOCATED.format(python="python3", target="APP/Pipfile.lock", name=name, base=bundle.base)
    yield from _commands(relocated, "cd APP && pipenv sync")


def _commands(*commands: str) -> Iterator[str]:
    yield ""
    yield "```sh"
    yield from commands
    yield "```"
    yield ""


_SECTIONS: dict[str, Callable[[Bundle, str], Iterator[str]]] = {
    "uv": _uv,
    "pylock": _pylock,
    "requirements": _requirements,
    "poetry": _poetry,
    "pdm": _pdm,
    "pipfile": _pipfile,
}
