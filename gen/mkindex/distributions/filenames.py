"""What the names of files say to clients."""

import re
from functools import lru_cache

from packaging.utils import canonicalize_name, parse_sdist_filename, parse_wheel_filename

_BUILD = re.compile(r"\d.*")


@lru_cache(maxsize=4096)
def identity(filename: str) -> tuple[str, str, str]:
    """Return normalized name, version, and what else tells files apart, as `packaging` and so pip and uv see them.

    Raises InvalidWheelFilename, InvalidSdistFilename, ValueError.
    """
    if filename.endswith(".whl"):
        name, version, build, tags = parse_wheel_filename(filename)
        return name, str(version), f"{build} {sorted(map(str, tags))}"
    name, version = parse_sdist_filename(filename)
    return name, str(version), filename[-4:]


def sdist_of(filename: str, project: str) -> str | None:
    """Return the version that the name of an sdist says if it is one of `project`: the name alone may mean several."""
    stem = filename.removesuffix(".zip").removesuffix(".tar.gz")
    for hyphen in re.finditer("-", stem):
        if canonicalize_name(stem[: hyphen.start()]) == project:
            return stem[hyphen.end() :]
    return None
