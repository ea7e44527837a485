"""Parse the filenames of wheels and sdists."""

import math
import re
from contextlib import suppress
from functools import lru_cache
from typing import TYPE_CHECKING

from mkindex.model.index import normalize_name, parse_version
from mkindex.model.wheel_variants import LABEL

if TYPE_CHECKING:
    from packaging.version import Version

# The endings that uv, pip and poetry all install from (PEP 427, PEP 625; `.zip` for older sdists).
SUFFIXES = (".whl", ".tar.gz", ".zip")
# packaging's parsers let quotes, line breaks and percent signs through.
FILENAME = re.compile(r"[A-Za-z0-9._+!-]{1,255}")
# As `curl -O` and browsers change such a name: `%2B` for `+`, `%21` for `!`, and ` (1)` before the ending.
_CHANGED_FILENAME = re.compile(r"(?:[A-Za-z0-9._+!-]|%2[Bb1])+ ?(?:\([0-9]{1,3}\))?\.(?:whl|tar\.gz|zip)")
STRANGE_NAME = "the filename has characters other than letters, digits and ._+!-: rename it, or build it again"

# Endings of other distribution formats. A file with any other ending (README, .asc, .txt …) is not a mistake.
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
_HYPHEN_AND_VERSION = re.compile(r".-[vV]?[0-9]", re.DOTALL)
_PROJECT_NAME = re.compile(r"[A-Z0-9]|[A-Z0-9][A-Z0-9._-]*[A-Z0-9]", re.IGNORECASE | re.ASCII)


def why_unsupported(filename: str) -> str | None:
    """Return why clients do not install a file that looks like a distribution; None if it does not look like one."""
    lower = filename.lower()
    for ending in SUFFIXES:
        if lower.endswith(ending):
            return f"clients do not recognize an ending in capitals: rename it to {ending}"
    return next((reason for ending, reason in _UNSUPPORTED.items() if lower.endswith(ending)), None)


def may_be_linked(filename: str) -> bool:
    """Tell whether a link to a file is followed: its name is one of an index, or was changed in a usual way."""
    return bool(FILENAME.fullmatch(filename) or (len(filename) <= 255 and _CHANGED_FILENAME.fullmatch(filename)))


def has_version(filename: str) -> bool:
    """Tell whether a version may follow a hyphen in a filename, as in that of any sdist, unlike `docs.zip`.

    It may be damaged: the name can have been changed on its way.
    """
    return bool(_HYPHEN_AND_VERSION.search(filename))


def split_label(filename: str) -> tuple[str, str]:
    """Return the name of a wheel without the label of its variant (PEP 825), and the label; "" without one.

    The template is `{name}-{version}(-{build})?-{python}-{abi}-{platform}(-{label})?.whl`. Only a build tag begins with
    a digit.
    """
    if (hyphens := filename.count("-")) < 5 or not filename.endswith(".whl"):  # as of most files
        return filename, ""
    has_build = filename.split("-", 3)[2][:1].isdecimal()
    base, _, label = filename.removesuffix(".whl").rpartition("-")
    return (f"{base}.whl", label) if hyphens == 5 + has_build and LABEL.fullmatch(label) else (filename, "")


# --- as clients read a name -----------------------------------------------------------------------------------------

# For a check, which judges any index by what clients see, and they have only the name, as `packaging` parses it. A
# build has the metadata of the file, too, and uses the functions of the next part.


@lru_cache(maxsize=4096)
def parse_filename(filename: str) -> tuple[str, str, str]:
    """Return normalized name, version, and what else tells files apart, as `packaging` and so pip and uv see them.

    Of wheel variants, this is so for uv with its preview feature; all others ignore them.

    Raises InvalidWheelFilename, InvalidSdistFilename, ValueError.
    """
    from packaging.utils import parse_sdist_filename, parse_wheel_filename

    if filename.endswith(".whl"):
        base, label = split_label(filename)
        name, version, build, tags = parse_wheel_filename(base)
        return name, str(version), f"{build} {sorted(map(str, tags))} {label}"
    name, version = parse_sdist_filename(filename)
    return name, str(version), filename[-4:]


def sdist_version(filename: str, project: str) -> str | None:
    """Return the version that the name of an sdist says if it is one of `project`: the name alone may mean several."""
    stem = filename.removesuffix(".zip").removesuffix(".tar.gz")
    for hyphen in re.finditer("-", stem):
        if normalize_name(stem[: hyphen.start()]) == project:
            return stem[hyphen.end() :]
    return None


def project_on_page(filename: str, project: str) -> str:
    """Return `project` if its page decides what the name of an sdist on it means, else "".

    The name alone means several projects (`foo-1.0-1.tar.gz` is 1.0.post1 of foo, or 1 of foo-1-0) or another one
    (`pyv-5.5.0-2014.1.tar.gz`). pip and uv take all that follows the name of the page's project as the version. A file
    that does not begin with that name is one of another project.
    """
    if filename.endswith(".whl") or filename.count("-") < 2 or sdist_version(filename, project) is None:
        return ""
    return project if [name for name, _ in split_sdist_filename(filename)] != [project] else ""


# --- as mkindex lists a file ----------------------------------------------------------------------------------------


def split_sdist_filename(filename: str) -> "list[tuple[str, Version]]":
    """Return every project and version that the name of an sdist can mean: `foo-1.0-1` may be 1.0.post1 of foo."""
    stem = filename.removesuffix(sdist_suffix(filename))
    found = []
    for hyphen in re.finditer("-", stem):
        name, version = stem[: hyphen.start()], stem[hyphen.end() :]
        if _PROJECT_NAME.fullmatch(name):
            with suppress(ValueError):
                found.append((normalize_name(name), parse_version(version)))
    return found


_NORMAL_TAGS = re.compile(r"(?:-[a-z0-9_]+){3}\.whl")  # no build tag, no set of tags, no label


def normal_filename(filename: str, project: str, version: str) -> str:
    """Return the normal form of a filename, which is the same for all spellings with the same meaning."""
    start = f"{project.replace('-', '_')}-{version}"
    if filename.startswith(start) and _NORMAL_TAGS.fullmatch(filename, len(start)):  # as of most files
        return filename
    filename, label = split_label(filename)
    if not filename.endswith(".whl"):
        return f"{start}{sdist_suffix(filename)}"
    _, _, *build, python, abi, platform = filename.removesuffix(".whl").split("-")
    tags = [".".join(sorted(part.split("."))) if "." in part else part for part in (python, abi, platform)]
    return f"{'-'.join([start, *map(_normal_build_tag, build), *tags, *filter(None, [label])])}.whl".lower()


def _normal_build_tag(tag: str) -> str:
    """Return a build tag without zeros before its number: clients compare `01` and `1` as numbers."""
    return re.sub(r"^0+(?=[0-9])", "", tag)


def wheel_filename(directory: str, wheel: str) -> str:
    """Return the filename of a wheel by the name of its `.dist-info` directory (`foo-1.0`) and its file WHEEL.

    "" if the tags in WHEEL are not those of one filename, which stands for all combinations of the tags in it.
    """
    fields = [(key.lower(), value.strip()) for key, _, value in (line.partition(":") for line in wheel.splitlines())]
    tags = {tuple(value.split("-")) for key, value in fields if key == "tag"}
    if not tags or any(len(tag) != 3 for tag in tags):
        return ""
    columns = [dict.fromkeys(value.split("-")[i] for key, value in fields if key == "tag") for i in range(3)]
    if math.prod(map(len, columns)) != len(tags):
        return ""
    build = [value for key, value in fields if key == "build"][:1]
    return f"{'-'.join([directory, *build, *map('.'.join, columns)])}.whl"


def sdist_filename(name: str, version: str, suffix: str) -> str:
    """Return the filename of an sdist (PEP 625) by its PKG-INFO; "" if the version is not valid."""
    try:
        return f"{normalize_name(name).replace('-', '_')}-{parse_version(version)}{suffix}"
    except ValueError:
        return ""


def sdist_suffix(filename: str) -> str:
    """Return the ending of the filename of an sdist."""
    return ".zip" if filename.endswith(".zip") else ".tar.gz"
