"""Which Python and platform files are chosen for, and which files fit it: `--python 3.12 --platform linux`."""

import re
import sys
from dataclasses import dataclass

from packaging.markers import default_environment
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.tags import Tag, compatible_tags, cpython_tags, mac_platforms, platform_tags, sys_tags
from packaging.utils import parse_wheel_filename

from mkindex.errors import ConfigError
from mkindex.text import printable

# What one means who names only the system: what most machines of today can run.
_SHORT = {
    "linux": "manylinux_2_28_x86_64",
    "linux_x86_64": "manylinux_2_28_x86_64",
    "linux_aarch64": "manylinux_2_28_aarch64",
    "macos": "macosx_14_0_arm64",
    "windows": "win_amd64",
}
_LEGACY = {"manylinux2014": (2, 17), "manylinux2010": (2, 12), "manylinux1": (2, 5)}
_LIBC = re.compile(r"(manylinux|musllinux)_(\d{1,2})_(\d{1,3})_([a-z0-9_]+)")
_MAC = re.compile(r"macosx_(\d{1,2})_(\d{1,2})_([a-z0-9_]+)")
_WINDOWS = {"win_amd64": "AMD64", "win32": "x86", "win_arm64": "ARM64"}


@dataclass(frozen=True, kw_only=True)
class Target:
    """A Python on a platform."""

    name: str
    python: str  # 3.12 or 3.12.4
    tags: dict[Tag, int]  # with their rank, the best first
    markers: dict[str, str]

    def unfit(self, filename: str) -> str:
        """Say why a wheel does not run there, "" if it does."""
        if not filename.endswith(".whl"):
            return ""
        tags = parse_wheel_filename(filename)[3]
        if not tags.isdisjoint(self.tags):
            return ""
        names = ", ".join(sorted(map(str, tags)))
        return f"it is for {names[:120]}, and not for {self.name}"

    def takes(self, filename: str, requires_python: str) -> bool:
        """Tell whether a file runs there, as far as its name and its page say."""
        try:
            return not self.unfit(filename) and not self.refuses(requires_python)
        except ValueError:
            return False

    def rank(self, filename: str) -> int:
        """Return how good a wheel fits, the best first; an sdist comes last."""
        if not filename.endswith(".whl"):
            return sys.maxsize
        return min((self.tags.get(tag, sys.maxsize) for tag in parse_wheel_filename(filename)[3]), default=sys.maxsize)

    def refuses(self, requires_python: str) -> bool:
        """Tell whether a file with this Requires-Python is passed over."""
        try:
            return bool(requires_python) and not SpecifierSet(requires_python).contains(self.python, prereleases=True)
        except InvalidSpecifier:
            return False


def target(python: str | None, platform: str | None) -> Target:
    """Return what `--python` and `--platform` mean; this interpreter and machine where they are missing.

    Raises ConfigError.
    """
    markers = {key: str(value) for key, value in default_environment().items()}
    if python is not None and not re.fullmatch(r"3\.\d{1,2}(\.\d{1,3})?", python, re.ASCII):
        raise ConfigError(f"python {printable(python)!r}: give a version such as 3.12")
    full = python or markers["python_full_version"]
    version = tuple(map(int, re.findall(r"\d+", full)[:2]))
    if python:
        short = ".".join(map(str, version))
        markers |= {"python_version": short, "python_full_version": python if python.count(".") == 2 else f"{short}.0"}
        markers |= {"implementation_name": "cpython", "platform_python_implementation": "CPython"}
        markers["implementation_version"] = markers["python_full_version"]
    platforms = list(platform_tags())
    if platform is not None:
        platforms, changed = _platform(platform)
        markers |= changed
    if python is None and platform is None:
        tags = list(sys_tags())
    else:
        interpreter = f"cp{version[0]}{version[1]}"
        tags = [*cpython_tags(version, platforms=platforms), *compatible_tags(version, interpreter, platforms)]
    name = f"Python {'.'.join(map(str, version))} on {platform or markers['sys_platform']}"
    ranks = {tag: rank for rank, tag in reversed(list(enumerate(tags)))}
    return Target(name=name, python=markers["python_full_version"], tags=ranks, markers=markers)


def _platform(name: str) -> tuple[list[str], dict[str, str]]:
    """Return the platform tags that a platform takes, and what markers say of it."""
    wanted = _SHORT.get(name, name)
    for legacy, (major, minor) in _LEGACY.items():
        if wanted.startswith(f"{legacy}_"):
            wanted = f"manylinux_{major}_{minor}_{wanted.removeprefix(f'{legacy}_')}"
    if match := _LIBC.fullmatch(wanted):
        kind, major, minor, machine = match[1], int(match[2]), int(match[3]), match[4]
        tags = []
        for older in range(minor, -1, -1):
            tags.append(f"{kind}_{major}_{older}_{machine}")
            tags += [f"{old}_{machine}" for old, libc in _LEGACY.items() if kind == "manylinux" and libc == (2, older)]
        system = {"sys_platform": "linux", "platform_system": "Linux", "os_name": "posix"}
        return [*tags, f"linux_{machine}"], system | {"platform_machine": machine}
    if match := _MAC.fullmatch(wanted):
        tags = list(mac_platforms((int(match[1]), int(match[2])), match[3]))
        system = {"sys_platform": "darwin", "platform_system": "Darwin", "os_name": "posix"}
        return tags, system | {"platform_machine": match[3]}
    if wanted in _WINDOWS:
        system = {"sys_platform": "win32", "platform_system": "Windows", "os_name": "nt"}
        return [wanted], system | {"platform_machine": _WINDOWS[wanted]}
    raise ConfigError(
        f"platform {printable(name)!r}: give linux, macos, windows, or a tag such as manylinux_2_28_aarch64, "
        "musllinux_1_2_x86_64, macosx_14_0_arm64, win_amd64"
    )
