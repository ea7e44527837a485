"""Makes small wheels and sdists, byte for byte the same under every Python and zlib."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import itertools
import os
import struct
import tarfile
import zipfile
import zlib
from typing import TYPE_CHECKING, Literal, TypedDict, Unpack

from packaging.utils import canonicalize_name
from packaging.version import Version

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

TAG = "py3-none-any"
DATE = (2020, 2, 2, 0, 0, 0)
TIMESTAMP = 1580601600  # DATE in UTC

Suffix = Literal[".tar.gz", ".zip"]

# The files of the wheel are in the tree of the sdist, and RECORD lists them.
BACKEND_CODE = '''\
"""Builds the wheel with nothing but the standard library."""

import csv
import os
import zipfile

WHEEL = {wheel!r}
RECORD = {record!r}


def get_requires_for_build_wheel(config_settings=None):
    return []


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    with zipfile.ZipFile(os.path.join(wheel_directory, WHEEL), "w") as archive, open(RECORD) as record:
        for path, *_ in csv.reader(record):
            archive.write(path)
    return WHEEL
'''
IN_TREE_BACKEND = '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
SETUPTOOLS_BACKEND = '[build-system]\nrequires = ["setuptools"]\nbuild-backend = "setuptools.build_meta"\n'


# The keywords of `metadata`, `wheel` and `sdist`:
class Fields(TypedDict, total=False):
    metadata_version: str
    requires_python: str | None
    requires_dist: Iterable[str]
    extras: Iterable[str]
    summary: str | None
    headers: Iterable[str]
    body: str


class WheelOptions(Fields, total=False):
    tag: str
    build: str | None
    metadata: bytes | None
    files: Mapping[str, bytes] | None
    compressed: bool
    dist_info: str | None


class SdistOptions(Fields, total=False):
    suffix: Suffix
    pkg_info: bytes | None
    files: Mapping[str, bytes] | None
    backend: bool


def metadata(
    name: str,
    version: str,
    *,
    metadata_version: str = "2.1",
    requires_python: str | None = None,
    requires_dist: Iterable[str] = (),
    extras: Iterable[str] = (),
    summary: str | None = None,
    headers: Iterable[str] = (),
    body: str = "",
) -> bytes:
    """Core metadata; `headers` are more lines, as in "Key: value"."""
    lines = [f"Metadata-Version: {metadata_version}", f"Name: {name}", f"Version: {version}"]
    optional = {"Summary": summary, "Requires-Python": requires_python}
    lines += (f"{key}: {value}" for key, value in optional.items() if value is not None)
    lines += (f"Requires-Dist: {requirement}" for requirement in requires_dist)
    lines += (f"Provides-Extra: {extra}" for extra in extras)
    lines += headers
    return ("\n".join(lines) + "\n" + (f"\n{body}" if body else "")).encode()


core_metadata = metadata  # `wheel` has a parameter of that name


def wheel_filename(name: str, version: str, *, tag: str = TAG, build: str | None = None) -> str:
    """The wheel's filename, its name and version normalized."""
    return "-".join(filter(None, (_stem(name, version), build, tag))) + ".whl"


def sdist_filename(name: str, version: str, suffix: Suffix = ".tar.gz") -> str:
    """The sdist's filename, its name and version normalized."""
    return _stem(name, version) + suffix


def wheel(
    name: str,
    version: str,
    *,
    tag: str = TAG,
    build: str | None = None,
    metadata: bytes | None = None,
    files: Mapping[str, bytes] | None = None,
    compressed: bool = False,
    dist_info: str | None = None,
    **fields: Unpack[Fields],
) -> bytes:
    """A wheel of `files`, or else of a module with a `__version__`; compressed ones vary with zlib."""
    if metadata is None:
        metadata = core_metadata(name, version, **fields)
    dist_info = dist_info or f"{_stem(name, version)}.dist-info"
    files = _module(name, version) if files is None else files
    return _zip(_wheel_members(files, metadata, dist_info, tag, build), compressed=compressed)


def sdist(
    name: str,
    version: str,
    *,
    suffix: Suffix = ".tar.gz",
    pkg_info: bytes | None = None,
    files: Mapping[str, bytes] | None = None,
    backend: bool = True,
    **fields: Unpack[Fields],
) -> bytes:
    """An sdist of `files`, or else of a module; with `backend` it builds into a wheel without any index."""
    if pkg_info is None:
        pkg_info = metadata(name, version, **fields)
    stem = _stem(name, version)
    files = _module(name, version) if files is None else files
    members = {"PKG-INFO": pkg_info, "pyproject.toml": (IN_TREE_BACKEND if backend else SETUPTOOLS_BACKEND).encode()}
    if backend:
        code = BACKEND_CODE.format(wheel=wheel_filename(name, version), record=f"{stem}.dist-info/RECORD")
        members["backend.py"] = code.encode()
        files = _wheel_members(files, pkg_info, f"{stem}.dist-info", TAG, None)
    members |= files
    members = {f"{stem}/{path}": content for path, content in members.items()}
    return _zip(members) if suffix == ".zip" else _gzip(_tar(members))


def write_wheel(
    directory: Path, name: str, version: str, *, mtime: int | None = None, **options: Unpack[WheelOptions]
) -> Path:
    """Write a wheel into `directory` under its filename."""
    filename = wheel_filename(name, version, tag=options.get("tag", TAG), build=options.get("build"))
    return _write(directory / filename, wheel(name, version, **options), mtime)


def write_sdist(
    directory: Path, name: str, version: str, *, mtime: int | None = None, **options: Unpack[SdistOptions]
) -> Path:
    """Write an sdist into `directory` under its filename."""
    filename = sdist_filename(name, version, options.get("suffix", ".tar.gz"))
    return _write(directory / filename, sdist(name, version, **options), mtime)


def _module_name(name: str) -> str:
    return canonicalize_name(name).replace("-", "_")


def _stem(name: str, version: str) -> str:
    return f"{_module_name(name)}-{Version(version)}"


def _module(name: str, version: str) -> dict[str, bytes]:
    return {f"{_module_name(name)}/__init__.py": f'__version__ = "{version}"\n'.encode()}


def _wheel_members(
    files: Mapping[str, bytes], metadata: bytes, dist_info: str, tag: str, build: str | None
) -> dict[str, bytes]:
    purelib = "true" if tag.endswith("-any") else "false"
    lines = ["Wheel-Version: 1.0", "Generator: mkindex-tests", f"Root-Is-Purelib: {purelib}"]
    tags = itertools.product(*(part.split(".") for part in tag.split("-")))
    lines += ("Tag: " + "-".join(parts) for parts in tags)
    if build is not None:
        lines.append(f"Build: {build}")
    wheel = ("\n".join(lines) + "\n").encode()
    members = {**files, f"{dist_info}/METADATA": metadata, f"{dist_info}/WHEEL": wheel}
    return {**members, f"{dist_info}/RECORD": _record(members, f"{dist_info}/RECORD")}


def _record(members: Mapping[str, bytes], path: str) -> bytes:
    rows = io.StringIO()
    writer = csv.writer(rows, lineterminator="\n")
    for member, content in members.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).decode().rstrip("=")
        writer.writerow((member, f"sha256={digest}", len(content)))
    writer.writerow((path, "", ""))
    return rows.getvalue().encode()


def _zip(members: Mapping[str, bytes], *, compressed: bool = False) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for path, content in members.items():
            info = zipfile.ZipInfo(path, DATE)
            info.create_system = 3  # Unix, on whichever system this runs
            info.external_attr = 0o100644 << 16
            archive.writestr(info, content, zipfile.ZIP_DEFLATED if compressed else zipfile.ZIP_STORED)
    return buffer.getvalue()


def _tar(members: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for path, content in members.items():
            info = tarfile.TarInfo(path)  # owned by 0:0 with mode 0644
            info.size = len(content)
            info.mtime = TIMESTAMP
            archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def _gzip(content: bytes) -> bytes:
    # Stored blocks by hand: what zlib makes of the same bytes varies with its version.
    parts = [b"\x1f\x8b\x08\0\0\0\0\0\0\xff"]
    for start in range(0, len(content), 0xFFFF):
        block = content[start : start + 0xFFFF]
        final = start + len(block) == len(content)
        parts += struct.pack("<BHH", final, len(block), len(block) ^ 0xFFFF), block
    parts.append(struct.pack("<II", zlib.crc32(content), len(content)))
    return b"".join(parts)


def _write(path: Path, content: bytes, mtime: int | None) -> Path:
    path.write_bytes(content)
    if mtime is not None:
        os.utime(path, (mtime, mtime))
    return path
