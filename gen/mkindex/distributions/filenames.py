"""What the names of files say to clients."""

import re
from functools import lru_cache

from packaging.utils import canonicalize_name, parse_sdist_filename, parse_wheel_filename

_BUILD = re.compile(r"\d.*")


@lru_cache(maxsize=4096)
def parse_filename(filename: str) -> tuple[str, str, str]:
    """Return normalized name, version, and what else tells files apart, as `packaging` and so pip and uv see them.

    Raises InvalidWheelFilename, InvalidSdistFilename, ValueError.
    """
    if filename.endswith(".whl"):
        name, version, build, tags = parse_wheel_filename(filename)
        return name, str(version), f"{build} {sorted(map(str, tags))}"
    name, version = parse_sdist_filename(filename)
    return name, str(version), filename[-4:]


def sdist_version(filename: str, project: str) -> str | None:
    """Return the version that the name of an sdist says if it is one of `project`: the name alone may mean several."""
    stem = filename.removesuffix(".zip").removesuffix(".tar.gz")
    for hyphen in re.finditer("-", stem):
        if canonicalize_name(stem[: hyphen.start()]) == project:
            return stem[hyphen.end() :]
    return None


# Endings of what is or was a distribution; anything else beside the wheels (README, .asc, .txt …) is nobody's mistake.
_UNSUPPORTED = {
    ".tar.bz2": "uv and packaging ignore .tar.bz2 sdists: rebuild it as .tar.gz",
    ".tar.xz": "uv and packaging ignore .tar.xz sdists: rebuild it as .tar.gz",
    ".tar.zst": "no client installs .tar.zst sdists: rebuild it as .tar.gz",
    ".tar.z": "no client but poetry installs .tar.Z sdists: rebuild it as .tar.gz",
    ".tgz": "uv and packaging ignore .tgz sdists: rename it to .tar.gz",
    ".tar": "uv and packaging ignore .tar sdists: rebuild it as .tar.gz",
    ".egg": "eggs are no longer installable: build a wheel",
    ".exe": "pip and uv do not install .exe installers: build a wheel",
    ".msi": "pip and uv do not install .msi installers: build a wheel",
    ".rpm": "pip and uv do not install .rpm packages: build a wheel",
}


def why_unsupported(filename: str) -> str | None:
    """Say why a file that looks like a distribution is none that clients install; None: it does not look like one."""
    lower = filename.lower()
    for ending in SUFFIXES:
        if lower.endswith(ending):
            return f"clients do not recognise an ending in capitals: rename it to {ending}"
    return next((reason for ending, reason in _UNSUPPORTED.items() if lower.endswith(ending)), None)


# The endings that uv, pip and poetry all install from (PEP 427, PEP 625; `.zip` for older sdists).
SUFFIXES = (".whl", ".tar.gz", ".zip")


# packaging's parsers let quotes, line breaks and percent signs through.
FILENAME = re.compile(r"[A-Za-z0-9._+!-]{1,255}")


STRANGE_NAME = "a name with characters other than letters, digits and ._+!- in it: build it again"
