"""The Python and platform that files are chosen for, and which files fit them: `--python 3.12 --platform linux`."""

import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from itertools import product

from packaging.markers import Marker, default_environment
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.tags import Tag, compatible_tags, cpython_tags, generic_tags, mac_platforms, platform_tags, sys_tags
from packaging.utils import parse_wheel_filename

from mkindex.errors import ConfigError
from mkindex.text import printable

# A system alone means what most of its machines can run today.
_SHORT = {
    "linux": "manylinux_2_28_x86_64",
    "linux_x86_64": "manylinux_2_28_x86_64",
    "linux_aarch64": "manylinux_2_28_aarch64",
    "macos": "macosx_14_0_arm64",
    "windows": "win_amd64",
}
# Clients on a newer system than that prefer wheels for it. No system has these versions yet.
_NEWEST = {
    "linux": "manylinux_2_99_x86_64",
    "linux_x86_64": "manylinux_2_99_x86_64",
    "linux_aarch64": "manylinux_2_99_aarch64",
    "macos": "macosx_40_0_arm64",
}
IMPLEMENTATIONS = {"cpython": "CPython", "pypy": "PyPy"}
_PYPY_ABI = "73"  # of all PyPy since 2019, which no tag of a newer one replaces
_LEGACY = {"manylinux2014": (2, 17), "manylinux2010": (2, 12), "manylinux1": (2, 5)}
_LIBC = re.compile(r"(manylinux|musllinux)_(\d{1,2})_(\d{1,3})_([a-z0-9_]+)")
_MAC = re.compile(r"macosx_(\d{1,2})_(\d{1,2})_([a-z0-9_]+)")
_WINDOWS = {"win_amd64": "AMD64", "win32": "x86", "win_arm64": "ARM64"}

# Markers name a system or a machine nearly always with one of these values.
_SYSTEMS = (
    ("linux", "Linux", "posix"),
    ("darwin", "Darwin", "posix"),
    ("win32", "Windows", "nt"),
    ("emscripten", "Emscripten", "posix"),
)
_MACHINES = (
    *("x86_64", "aarch64", "arm64", "AMD64", "ARM64", "x86", "i686"),
    *("armv7l", "ppc64le", "s390x", "riscv64", "wasm32"),
)


_PYTHONS = tuple(f"3.{minor}" for minor in range(8, 16))  # that somebody may install for


@dataclass(frozen=True, kw_only=True)
class Environment:
    """A Python on a platform; or on any of them, where a file or a requirement counts if it does on one."""

    name: str
    python: str  # 3.12 or 3.12.4
    tags: dict[Tag, int] | None  # with their rank: 0 is the best; None: all
    markers: tuple[dict[str, str], ...]

    def applies(self, marker: Marker | None, extra: str = "") -> bool:
        """Tell whether a requirement with this marker applies there, if `extra` is requested."""
        try:
            return marker is None or any(marker.evaluate({**values, "extra": extra}) for values in self.markers)
        except ValueError:  # a comparison that PEP 508 does not define
            return True

    def tag_mismatch(self, filename: str) -> str:
        """Return why a file does not run there by its tags, "" if it does. Raises ValueError for an invalid name."""
        if not filename.endswith(".whl") or self.tags is None:
            return ""
        tags = parse_wheel_filename(filename)[3]
        if any(tag in self.tags for tag in tags):  # isdisjoint() would look at all tags of the environment
            return ""
        names = ", ".join(sorted(map(str, tags)))
        return f"it is for {names[:120]}, not for {self.name}"

    def accepts(self, filename: str, requires_python: str) -> bool:
        """Tell whether a file runs there, as far as its name and its page say."""
        try:
            return not self.tag_mismatch(filename) and not self.rejects_python(requires_python)
        except ValueError:
            return False

    def rank(self, filename: str) -> int:
        """Return the rank of a wheel's best tag, 0 for the best; sdists come last."""
        if not filename.endswith(".whl"):
            return sys.maxsize
        if self.tags is None:
            return 0
        return min((self.tags.get(tag, sys.maxsize) for tag in parse_wheel_filename(filename)[3]), default=sys.maxsize)

    def rejects_python(self, requires_python: str) -> bool:
        """Tell whether clients there ignore a file with this Requires-Python; invalid ones are not judged."""
        return _rejects(requires_python, self.python)


def _rejects(requires_python: str, python: str) -> bool:
    try:
        return bool(requires_python) and not SpecifierSet(requires_python).contains(python, prereleases=True)
    except InvalidSpecifier:
        return False


def environments_for(
    pythons: Iterable[str], platforms: Iterable[str], implementations: Iterable[str] = ()
) -> tuple[Environment, ...]:
    """Return each Python on each platform; none means this interpreter or machine, and CPython. Raises ConfigError."""
    choices = product(
        tuple(dict.fromkeys(implementations)) or ("cpython",),
        tuple(dict.fromkeys(pythons)) or (None,),
        tuple(dict.fromkeys(platforms)) or (None,),
    )
    return tuple(environment_for(python, platform, implementation) for implementation, python, platform in choices)


def on_any_platform(environment: Environment) -> Environment:
    """Return the same Python on any platform and implementation: what clients lock for if they lock for all."""
    markers = tuple(
        environment.markers[0]
        | {"sys_platform": system, "platform_system": name, "os_name": os_name, "platform_machine": machine}
        | {"implementation_name": implementation.lower(), "platform_python_implementation": implementation}
        for (system, name, os_name), machine, implementation in product(_SYSTEMS, _MACHINES, ("CPython", "PyPy"))
    )
    short = ".".join(environment.python.split(".")[:2])
    return Environment(name=f"Python {short} on any platform", python=environment.python, tags=None, markers=markers)


@lru_cache(maxsize=1024)
def on_any_python(requires_python: str) -> Environment:
    """Return every Python that `requires_python` allows, on the most usual platforms: nothing of this machine."""
    markers = tuple(
        {
            "implementation_name": "cpython",
            "implementation_version": f"{python}.0",
            "os_name": os_name,
            "platform_machine": machine,
            "platform_python_implementation": "CPython",
            "platform_release": "",
            "platform_system": system_name,
            "platform_version": "",
            "python_full_version": f"{python}.0",
            "python_version": python,
            "sys_platform": system,
        }
        for python in _PYTHONS
        if not _rejects(requires_python, python)
        for (system, system_name, os_name), machine in zip(_SYSTEMS, ("x86_64", "arm64", "AMD64"), strict=False)
    )
    return Environment(name="any Python", python=_PYTHONS[-1], tags=None, markers=markers)


def newest_environment(python: str, platform: str, implementation: str = "cpython") -> Environment | None:
    """Return the same for the newest system that `--platform` can mean, if it names a system and not its version."""
    return environment_for(python, _NEWEST[platform], implementation) if platform in _NEWEST else None


def environment_for(python: str | None, platform: str | None, implementation: str = "cpython") -> Environment:
    """Return what `--python` and `--platform` mean; None means this interpreter or machine. Raises ConfigError.

    `implementation`: a key of IMPLEMENTATIONS, for a given Python.
    """
    markers = {key: str(value) for key, value in default_environment().items()}
    if python is not None and not re.fullmatch(r"3\.\d{1,2}(\.\d{1,3})?", python, re.ASCII):
        raise ConfigError(f"--python {printable(python)}: give a version such as 3.12")
    full = python or markers["python_full_version"]
    version = tuple(map(int, re.findall(r"\d+", full)[:2]))
    if python:
        short = ".".join(map(str, version))
        markers |= {"python_version": short, "python_full_version": python if python.count(".") == 2 else f"{short}.0"}
        markers |= {"implementation_name": implementation}
        markers |= {"platform_python_implementation": IMPLEMENTATIONS[implementation]}
        markers["implementation_version"] = markers["python_full_version"]
    platforms = list(platform_tags())
    if platform is not None:
        platforms, platform_markers = _parse_platform(platform)
        markers |= platform_markers
    if python is None and platform is None:
        tags = list(sys_tags())
    elif implementation == "pypy":
        pypy = f"pp{version[0]}{version[1]}"
        abi = f"pypy{version[0]}{version[1]}_pp{_PYPY_ABI}"
        tags = [*generic_tags(pypy, [abi], platforms), *compatible_tags(version, pypy, platforms)]
    else:
        interpreter = f"cp{version[0]}{version[1]}"
        tags = [*cpython_tags(version, platforms=platforms), *compatible_tags(version, interpreter, platforms)]
    kind = "Python" if implementation == "cpython" else IMPLEMENTATIONS[implementation]
    name = f"{kind} {'.'.join(map(str, version))} on {platform or markers['sys_platform']}"
    ranks = {tag: rank for rank, tag in reversed(list(enumerate(tags)))}
    return Environment(name=name, python=markers["python_full_version"], tags=ranks, markers=(markers,))


def _parse_platform(name: str) -> tuple[list[str], dict[str, str]]:
    """Return the tags that run on a platform, the best first, and its environment markers. Raises ConfigError."""
    tag = _SHORT.get(name, name)
    for legacy, (major, minor) in _LEGACY.items():
        if tag.startswith(f"{legacy}_"):
            tag = f"manylinux_{major}_{minor}_{tag.removeprefix(f'{legacy}_')}"
    if match := _LIBC.fullmatch(tag):
        kind, major, minor, machine = match[1], int(match[2]), int(match[3]), match[4]
        tags = []
        for older in range(minor, -1, -1):
            tags.append(f"{kind}_{major}_{older}_{machine}")
            tags += [f"{old}_{machine}" for old, libc in _LEGACY.items() if kind == "manylinux" and libc == (2, older)]
        system = {"sys_platform": "linux", "platform_system": "Linux", "os_name": "posix"}
        return [*tags, f"linux_{machine}"], system | {"platform_machine": machine}
    if match := _MAC.fullmatch(tag):
        tags = list(mac_platforms((int(match[1]), int(match[2])), match[3]))
        system = {"sys_platform": "darwin", "platform_system": "Darwin", "os_name": "posix"}
        return tags, system | {"platform_machine": match[3]}
    if tag in _WINDOWS:
        system = {"sys_platform": "win32", "platform_system": "Windows", "os_name": "nt"}
        return [tag], system | {"platform_machine": _WINDOWS[tag]}
    raise ConfigError(
        f"--platform {printable(name)}: give linux, macos, windows, or a tag such as manylinux_2_28_aarch64, "
        "musllinux_1_2_x86_64, macosx_14_0_arm64, win_amd64"
    )
