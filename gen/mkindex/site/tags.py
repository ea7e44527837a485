"""The tags of wheels in words: "CPython 3.12, Linux x86-64, glibc ≥ 2.28"."""

import re
from functools import lru_cache
from typing import NamedTuple

from mkindex.distributions.filenames import split_label

_PYTHONS = {"cp": "CPython", "pp": "PyPy", "py": "Python", "graalpy": "GraalPy", "ip": "IronPython", "jy": "Jython"}
_INTERPRETER = re.compile(r"([a-z]+)(\d)(\d*)(?:_\w+)?")
_LEGACY = {"manylinux2014": "2_17", "manylinux2010": "2_12", "manylinux1": "2_5"}
_LIBC = re.compile(r"(many|musl)linux_(\d+)_(\d+)_(\w+)")
_APPLE = re.compile(r"(macosx|ios)_(\d+)_(\d+)_(\w+?)(?:_(iphoneos|iphonesimulator))?")
_ANDROID = re.compile(r"android_(\d+)_(\w+)")
_WINDOWS = {"win_amd64": "x86-64", "win32": "x86", "win_arm64": "arm64"}
_MACHINES = {"x86_64": "x86-64", "aarch64": "arm64", "i686": "x86", "i386": "x86", "arm64_v8a": "arm64"}
_APPLE_SETS = {"universal2": ("arm64", "x86-64"), "intel": ("x86-64", "x86"), "universal": ("x86", "ppc")}


class Python(NamedTuple):
    """The Pythons that a wheel runs on, by its tags."""

    name: str  # "CPython"; "Python" for any
    version: tuple[int, ...]  # (3,), or (3, 12)
    later: bool  # whether also later minor versions will do
    threads: str = ""  # "t": only free-threaded ones

    def __str__(self) -> str:
        version = ".".join(map(str, self.version))
        return f"{self.name} {'≥ ' if self.later else ''}{version}{self.threads}"

    def runs_on(self, other: "Python") -> bool:
        """Tell whether this wheel runs on the Python that another one is for."""
        if self.name not in ("Python", other.name) or (self.name != "Python" and self.threads != other.threads):
            return False
        if len(self.version) == 1 or self.version[0] != other.version[0]:
            return self.version[0] == other.version[0]
        return self.version <= other.version if self.later else self.version == other.version


class Platform(NamedTuple):
    """A system and a machine that a wheel runs on."""

    name: str  # "Linux x86-64 (glibc)": what a reader chooses
    words: str  # "Linux x86-64, glibc ≥ 2.28"


class Tags(NamedTuple):
    """The tags of a wheel."""

    pythons: tuple[Python, ...]
    platforms: tuple[Platform, ...]  # (): any
    others: tuple[str, ...]  # tags that have no words


@lru_cache(maxsize=4096)
def read_tags(tags: str) -> Tags:
    """Return the meaning of the three last parts of the name of a wheel, as in "cp312-abi3-win_amd64"."""
    pythons, abis, platforms = (part.split(".") for part in tags.split("-"))
    found: dict[str, Python] = {}
    others = []
    for tag in pythons:
        if python := _python(tag, abis):
            found.setdefault(str(python), python)
        else:
            others.append(tag)
    on: dict[str, Platform] = {}
    for tag in sorted(platforms, key=_libc_version):  # of several versions of glibc, the oldest counts
        known = _platforms(tag)
        others += [] if known or tag == "any" else [tag]
        for platform in known:
            on.setdefault(platform.name, platform)
    return Tags(tuple(found.values()), tuple(on.values()), tuple(others))


def tags_of(filename: str) -> str:
    """Return the tags in the name of a wheel: its three last parts, but for the label of a variant."""
    return "-".join(split_label(filename)[0].removesuffix(".whl").split("-")[-3:])


def _python(tag: str, abis: list[str]) -> Python | None:
    match = _INTERPRETER.fullmatch(tag)
    if not match or match[1] not in _PYTHONS:
        return None
    name, version = _PYTHONS[match[1]], (int(match[2]), *([int(match[3])] if match[3] else []))
    stable = any(abi in ("abi3", "abi3t") for abi in abis)
    threads = "t" if abis and all(re.fullmatch(r"cp\d+t|abi3t", abi) for abi in abis) else ""
    later = (name == "Python" or stable) and len(version) > 1
    return Python(name, version, later, threads)


def _libc_version(tag: str) -> tuple[int, ...]:
    match = _LIBC.fullmatch(_modern(tag))
    return (int(match[2]), int(match[3])) if match else (0,)


def _modern(tag: str) -> str:
    name, _, machine = tag.partition("_")
    return f"manylinux_{_LEGACY[name]}_{machine}" if name in _LEGACY else tag


def _platforms(tag: str) -> list[Platform]:
    if libc := _LIBC.fullmatch(_modern(tag)):
        name, machine = {"many": "glibc", "musl": "musl"}[libc[1]], _machine(libc[4])
        words = f"Linux {machine}, {name} ≥ {libc[2]}.{libc[3]}"
        return [Platform(f"Linux {machine} ({name})", words)]
    if apple := _APPLE.fullmatch(tag):
        system = {"macosx": "macOS", "ios": "iOS simulator" if apple[5] == "iphonesimulator" else "iOS"}[apple[1]]
        version = apple[2] if apple[3] == "0" else f"{apple[2]}.{apple[3]}"
        machines = _APPLE_SETS.get(apple[4], (_machine(apple[4]),))
        return [Platform(f"{system} {machine}", f"{system} ≥ {version}, {machine}") for machine in machines]
    if android := _ANDROID.fullmatch(tag):
        machine = _machine(android[2])
        return [Platform(f"Android {machine}", f"Android ≥ API {android[1]}, {machine}")]
    if tag in _WINDOWS:
        return [Platform(f"Windows {_WINDOWS[tag]}", f"Windows {_WINDOWS[tag]}")]
    if tag.startswith("linux_"):
        name = f"Linux {_machine(tag.removeprefix('linux_'))}"
        return [Platform(name, name)]
    return []


def _machine(machine: str) -> str:
    return _MACHINES.get(machine, machine)
