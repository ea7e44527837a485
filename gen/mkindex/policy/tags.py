"""Which platforms and Pythons a wheel is for, by its filename."""

import re
from collections.abc import Iterable
from fnmatch import translate
from functools import lru_cache

from mkindex.distributions.filenames import split_label

SYSTEMS = {
    "linux": ("linux*", "manylinux*", "musllinux*"),
    "macos": ("macosx*",),
    "windows": ("win*",),
    "android": ("android*",),
    "ios": ("ios*",),
    "emscripten": ("emscripten*", "pyodide*", "pyemscripten*"),
}
PLATFORM = re.compile(r"[a-z0-9_*?\[\]]*[_*][a-z0-9_*?\[\]]*|win32")  # a platform tag, or a pattern for some
_PYTHON = re.compile(r"(py|cp|pp|gp|[a-z]+)(\d)(\d*)", re.ASCII)


def runs_on_platform(filename: str, platforms: tuple[str, ...]) -> bool:
    """Tell whether a file is for one of these systems or platform tags; sdists and pure wheels are for all."""
    tags = _tags(filename)
    return not tags or tags[2] == "any" or any(map(_pattern(platforms).match, tags[2].split(".")))


def runs_on_python(filename: str, pythons: Iterable[tuple[int, int]]) -> bool:
    """Tell whether a file can be for one of these Pythons by its tags; sdists are for all."""
    tags = _tags(filename)
    if not tags:
        return True
    return any(
        _runs_on(python, abi, wanted)
        for python in tags[0].split(".")
        for abi in tags[1].split(".")
        for wanted in pythons
    )


def _runs_on(python: str, abi: str, wanted: tuple[int, int]) -> bool:
    match = _PYTHON.fullmatch(python)
    if not match:
        return False
    major, minor = int(match[2]), int(match[3] or 0)
    if major != wanted[0]:
        return False
    # The stable ABI and wheels for no ABI run on every later Python; a wheel for an ABI only on its own.
    runs_later = abi in ("none", "abi3") and (match[1] == "py" or abi == "abi3" or not match[3])
    return minor <= wanted[1] if runs_later else minor == wanted[1]


def _tags(filename: str) -> list[str]:
    """Return the tags of a wheel for Python, ABI and platform, each maybe several; [] for an sdist."""
    if not filename.endswith(".whl"):
        return []
    return split_label(filename)[0].removesuffix(".whl").lower().rsplit("-", 3)[1:]


@lru_cache(maxsize=64)
def _pattern(platforms: tuple[str, ...]) -> re.Pattern[str]:
    patterns = (pattern for name in platforms for pattern in SYSTEMS.get(name, (name,)))
    return re.compile("|".join(map(translate, patterns)))
