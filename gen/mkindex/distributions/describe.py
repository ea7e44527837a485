"""Combine the filename, the archive and the core metadata of a file into facts."""

import hashlib
import re
from collections import defaultdict
from collections.abc import Iterator
from functools import lru_cache
from sys import intern

from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename
from packaging.version import Version

from mkindex.distributions import zips
from mkindex.distributions.build_requires import build_requires, build_table
from mkindex.distributions.dependencies import required_names
from mkindex.distributions.dist_info import judge_wheel
from mkindex.distributions.filenames import (
    FILENAME,
    STRANGE_NAME,
    normal_filename,
    sdist_filename,
    sdist_suffix,
    sdist_version,
    split_label,
    split_sdist_filename,
    wheel_filename,
)
from mkindex.distributions.metadata import Metadata, is_utf8, parse_metadata
from mkindex.distributions.requirements import ELSEWHERE, shown_requirement, unusable_requirements
from mkindex.distributions.sdists import SdistFiles
from mkindex.distributions.specifiers import why_unusable
from mkindex.distributions.variant_wheels import Stream, read_variant_json, with_variant, without_variant_markers
from mkindex.errors import Misnamed, Unreadable
from mkindex.model.files import Facts
from mkindex.model.index import parse_version
from mkindex.model.wheel_variants import VARIANT_JSON
from mkindex.text import and_more, printable
from mkindex.tree.names import METADATA_SUFFIX

_MAX_FILENAME = 255  # bytes, on most file systems
_KNOWN_METADATA = re.compile(r"[12]\.[0-9]+")


def describe(filename: str, stream: Stream, size: int, project: str = "", *, whole: bool = True) -> Facts:
    """Return what the name and the content of a file of `size` bytes say, but for its hash. Raises Unreadable.

    A file whose name was changed on its way is described under the name that its metadata says. `project`: that of the
    page that an sdist is on, if clients read its name by that. `whole`: reading any part of it is cheap; otherwise only
    METADATA of a wheel is judged.
    """
    if size == 0:
        raise Unreadable("an empty file: copy it again")
    try:
        return _describe(filename, stream, size, project, whole=whole)
    except Misnamed:
        facts = _describe_renamed(filename, stream, size, whole=whole)
        if facts is None:
            raise
        return facts


def _describe(filename: str, stream: Stream, size: int, project: str, *, whole: bool) -> Facts:
    _check_filename(filename)
    if filename.endswith(".whl"):
        base, label = split_label(filename)
        raw = read_variant_json(stream, size) if label else None
        if raw is None:  # the end of the name is something else
            return _describe_wheel(filename, stream, size, whole=whole)
        return with_variant(_describe_wheel(base, stream, size, whole=whole, is_variant=True), filename, label, raw)
    return _describe_sdist(filename, stream, size, project)


def describe_name(filename: str, requires_python: str, page_project: str = "") -> Facts:
    """Return what the name of a file says, and `requires_python` if it is valid. Raises Unreadable.

    `page_project`: that of the page that an sdist is on, if clients read its name by that.
    """
    _check_filename(filename)
    if filename.endswith(".whl"):
        base, label = split_label(filename)
        project, version = _parse_wheel_filename(base)
        if label:
            raise Unreadable(
                f"the filename is that of a wheel variant with the label {label} (PEP 825, a draft), and the wheel, "
                "which says what it is for, was not read. Use --remote mirror, or --verify-links with --files-url"
            )
    else:
        splits = _split_by_page(filename, page_project)
        if len(splits) != 1:
            raise Unreadable("the filename does not show where the project's name ends: build it again")
        project, version = splits[0]
    requires_python, warning = _valid_requires_python(requires_python)
    return _facts(filename, project, version, requires_python, warning)


def describe_metadata(filename: str, raw: bytes) -> Facts:
    """Return the facts in the filename and METADATA of a wheel. Raises Unreadable if they disagree."""
    _check_filename(filename)
    return _describe_wheel_metadata(filename, *_parse_wheel_filename(filename), raw)


def _describe_renamed(filename: str, stream: Stream, size: int, *, whole: bool) -> Facts | None:
    """Return the facts of a file under the name that its metadata says, None if that does not say one clearly.

    What changes names on the way (`%2B` for `+`, ` (1)` at the end …) does not make it the name of another project.
    """
    try:
        right = _right_filename(filename, stream, size)
        facts = _describe(right, stream, size, "", whole=whole) if right else None
    except Unreadable:
        return None
    is_of_project = facts and canonicalize_name(filename).startswith(f"{facts.project}-")
    return facts._replace(right_filename=right) if facts and is_of_project else None


def _right_filename(filename: str, stream: Stream, size: int) -> str:
    if not filename.endswith(".whl"):
        metadata = _parse_pkg_info(read_sdist(filename, stream, size).pkg_info)
        return sdist_filename(metadata.name, metadata.version, sdist_suffix(filename)) if metadata else ""
    read_at = zips.random_access(stream)
    directory, _, _ = zips.read_wheel_metadata(read_at, size)
    files = zips.read_dist_info(read_at, size, directory, ("WHEEL", VARIANT_JSON))
    # The label of a variant is part of the filename, but not of WHEEL.
    is_plain = "WHEEL" in files and VARIANT_JSON not in files
    return wheel_filename(directory, files["WHEEL"].decode("utf-8", "replace")) if is_plain else ""


def _check_filename(filename: str) -> None:
    if not FILENAME.fullmatch(filename):
        raise Misnamed(STRANGE_NAME)
    if len(filename) + len(METADATA_SUFFIX) > _MAX_FILENAME:
        raise Misnamed("the filename is too long to append .metadata to it: build it again with a shorter name")


def _facts(filename: str, project: str, version: Version, requires_python: str, warning: str, **others: str) -> Facts:
    text = str(version)
    normal = normal_filename(filename, project, text)
    return Facts(
        # Thousands of files share these texts, so each is kept in memory once.
        project=intern(project),
        version=intern(text),
        normal_filename=normal if normal != filename else "",
        requires_python=intern(requires_python),
        warning=warning,
        **others,
    )


# --- wheels ---------------------------------------------------------------------------------------------------------


def _describe_wheel(filename: str, stream: Stream, size: int, *, whole: bool, is_variant: bool = False) -> Facts:
    project, version = _parse_wheel_filename(filename)
    if whole:  # otherwise it would be one more request
        _check_magic(stream, b"PK", "wheel")
    read_at = zips.random_access(stream)
    wheel = zips.read_wheel(read_at, size) if whole else None
    directory, raw, span = wheel[:3] if wheel else zips.read_wheel_metadata(read_at, size)
    name, _, version_text = directory.rpartition("-")
    warnings = []
    if not _is_same_release(name, version_text, project, version):
        warnings.append(_warn_of_build_tag(directory, project, version))
        if not warnings[0]:
            raise Misnamed(
                f"the filename says {project} {version}, but it contains {printable(directory)}.dist-info: "
                "build it again"
            )
    facts = _describe_wheel_metadata(filename, project, version, raw, is_variant=is_variant)
    facts = facts._replace(metadata_span=str(span))
    warnings += judge_wheel(filename, wheel) if wheel else ()
    return facts._replace(warning=_lines(facts.warning, *warnings)) if warnings else facts


def _warn_of_build_tag(directory: str, project: str, version: Version) -> str:
    """Return what clients do with a `.dist-info` whose name ends in a build tag; "" if that is not all that is odd.

    Old versions of `wheel` wrote such names. pip and uv install these wheels. Afterwards uv reads the version from the
    name of the directory, and so does pip from a directory whose version is not valid, which makes both fail. Hence
    only those build tags are accepted with which the version still is one: `1.0-1` is 1.0.post1.
    """
    stem, _, build = directory.rpartition("-")
    name, _, text = stem.rpartition("-")
    if not (build.isascii() and build.isdecimal() and _is_same_release(name, text, project, version)):
        return ""
    try:
        installed = parse_version(f"{text}-{build}")
    except ValueError:
        return ""
    return (
        f"it contains {printable(directory)}.dist-info, with a build tag: pip and uv install it, but uv then takes it "
        f"for version {installed} and installs it again each time. Build it again"
    )


def _describe_wheel_metadata(
    filename: str, project: str, version: Version, raw: bytes, *, is_variant: bool = False
) -> Facts:
    metadata = parse_metadata(raw)
    if is_variant:
        metadata = without_variant_markers(metadata)
    if not is_utf8(raw):
        raise Unreadable(
            "METADATA is not UTF-8: pip would stop with an error, also for projects that require it. Build it again"
        )
    if not _is_same_release(metadata.name, metadata.version, project, version):
        raise Misnamed(
            f"the filename says {project} {version}, METADATA says "
            f"{printable(metadata.name)} {printable(metadata.version)}: build it again, renaming is not enough"
        )
    requires_python = metadata.requires_python or ""
    return _facts(
        filename,
        project,
        version,
        *_judge(metadata),
        core_metadata=hashlib.sha256(raw).hexdigest(),
        metadata_name=metadata.name if metadata.name != project else "",
        requires=required_names(raw, requires_python),
    )


_PLAIN_NAME = re.compile(r"[a-z0-9]+(?:_[a-z0-9]+)*")  # as most wheels have it, so that nothing needs to be judged


def _parse_wheel_filename(filename: str) -> tuple[str, Version]:
    """Return the project and the version. Raises Misnamed for a name that clients ignore.

    `packaging` judges each part alone, and most files share their parts with others.
    """
    name, _, rest = filename.partition("-")
    version, _, tags = rest.partition("-")
    try:
        _check_tags(tags)
        project = name.replace("_", "-") if _PLAIN_NAME.fullmatch(name) else _parse_project(name)
        return project, parse_version(version)
    except ValueError:  # with suppress() would take as long as all of this
        pass
    try:
        return parse_wheel_filename(filename)[:2]
    except InvalidWheelFilename as error:
        raise Misnamed(f"{printable(str(error))}: clients ignore it. Build it again") from error


@lru_cache(maxsize=4096)
def _parse_project(name: str) -> str:
    return parse_wheel_filename(f"{name}-1-py3-none-any.whl")[0]


@lru_cache(maxsize=4096)
def _check_tags(tags: str) -> None:
    """Raise InvalidWheelFilename for the end of a filename, from the build tag on, that is not valid."""
    parse_wheel_filename(f"a-1-{tags}")


# --- sdists ---------------------------------------------------------------------------------------------------------


def _describe_sdist(filename: str, stream: Stream, size: int, page_project: str) -> Facts:
    raw, pyproject, refusal = read_sdist(filename, stream, size)
    warning = f"{refusal}. Build it again" if refusal else ""
    says = "it has no PKG-INFO"
    try:
        metadata = _parse_pkg_info(raw)
    except Unreadable as error:  # pip and uv do not need it
        metadata, says = None, f"PKG-INFO cannot be read, since {str(error).partition(':')[0]}"
    requires_python = (metadata.requires_python if metadata else None) or ""
    requires = required_names((raw or b"") if metadata else b"", requires_python, _build_requires(pyproject))
    for project, version in split_sdist_filename(filename):
        if metadata and _is_same_release(metadata.name, metadata.version, project, version):
            requires_python, judgement = _judge(metadata)
            return _facts(filename, project, version, requires_python, _lines(judgement, warning), requires=requires)
    splits = _split_by_page(filename, page_project)
    if metadata:
        says = f"PKG-INFO says {printable(metadata.name)} {printable(metadata.version)}"
    if len(splits) != 1:
        raise Misnamed(f"the filename does not show where the project's name ends, and {says}: build it again")
    project, version = splits[0]
    if metadata:
        # Clients build it, and refuse what is built if that is not what the filename says.
        raise Misnamed(f"the filename says {project} {version}, {says}: pip and uv refuse it. Build it again")
    listed = f"{says}: listed as {project} {version}, as the filename says"
    return _facts(filename, project, version, "", _lines(listed, warning), requires=requires)


def _split_by_page(filename: str, project: str) -> list[tuple[str, Version]]:
    """Return what the name of an sdist can mean: only one thing on the page of `project`. Raises Unreadable."""
    if not project:
        return split_sdist_filename(filename)
    text = sdist_version(filename, project) or ""
    try:
        return [(project, parse_version(text))]
    except ValueError as error:
        raise Unreadable(
            f"on the page of {project}, clients read the version {printable(text)}, which is not valid (PEP 440), and "
            "ignore the file: build it again"
        ) from error


def _parse_pkg_info(raw: bytes | None) -> Metadata | None:
    return None if raw is None else parse_metadata(raw)


def _build_requires(pyproject: bytes | None) -> tuple[str, ...]:
    try:
        return build_requires(build_table(pyproject))
    except Unreadable:  # clients cannot build it, whatever it requires
        return ()


def read_sdist(filename: str, stream: Stream, size: int) -> SdistFiles:
    """Return what an sdist says of itself. Raises Unreadable."""
    if filename.endswith(".zip"):
        _check_magic(stream, b"PK", "zip archive")
        return zips.read_zip_sdist(zips.random_access(stream), size)
    _check_magic(stream, b"\x1f\x8b", "gzip archive")
    stream.seek(0)
    # Here, since most builds have wheels only.
    from mkindex.distributions.tarballs import read_tar_sdist

    return read_tar_sdist(stream, size)


# --- both -----------------------------------------------------------------------------------------------------------


def _check_magic(stream: Stream, magic: bytes, kind: str) -> None:
    """Raise Unreadable if a file does not begin as its format requires, and say what it is, if that is known."""
    stream.seek(0)
    start = stream.read(40) or b""
    if start.startswith(magic):
        return
    if start.startswith(b"version https://git-lfs"):
        raise Unreadable(f"a Git LFS pointer, not the {kind} itself: run `git lfs pull`")
    if start.lstrip()[:1] == b"<":
        raise Unreadable(f"an HTML or XML page, not a {kind}: download it again")
    raise Unreadable(f"not a {kind} (damaged or incomplete): copy it again")


def _is_same_release(name: str, version_text: str, project: str, version: Version) -> bool:
    """Tell whether a name and a version, in any spelling, are those of `project` and `version`."""
    try:
        # Only ASCII: the Kelvin sign in lower case is a k.
        is_name = name.isascii() and canonicalize_name(name) == project
        return is_name and parse_version(version_text) == version
    except ValueError:
        return False


def _judge(metadata: Metadata) -> tuple[str, str]:
    """Return Requires-Python for the page, and what pip or uv will not accept, one sentence a line."""
    requires_python, warning = _valid_requires_python(metadata.requires_python or "")
    if metadata.unusual_requirements or not _KNOWN_METADATA.fullmatch(metadata.metadata_version):
        warning = _lines(warning, *_warn_of_requirements(metadata), _warn_of_metadata_version(metadata))
    return requires_python, warning


def _lines(*sentences: str) -> str:
    return "\n".join(filter(None, sentences))


def _warn_of_requirements(metadata: Metadata) -> Iterator[str]:
    """Yield for each kind of problem the requirements that have it."""
    problems: defaultdict[str, list[str]] = defaultdict(list)
    for value, problem in unusable_requirements(metadata.unusual_requirements).items():
        problems[problem].append(shown_requirement(value))
    for problem, values in problems.items():
        advice = "Correct it and build the file again"
        if problem == ELSEWHERE:
            advice = "Publish that project, too, and require it by a version"
        yield f"Requires-Dist {and_more(values, 3)!r} {problem}. {advice}"


def _warn_of_metadata_version(metadata: Metadata) -> str:
    if _KNOWN_METADATA.fullmatch(metadata.metadata_version):
        return ""
    shown = printable(metadata.metadata_version)
    return f"Metadata-Version {shown!r} is unknown (1.0 to 2.x are known): pip and uv install it, other tools may not"


def _valid_requires_python(value: str) -> tuple[str, str]:
    """Return Requires-Python and a warning, one of them empty: uv drops a file if it cannot parse that on the page."""
    unusable = why_unusable(value) if value else ""
    if not unusable:
        return value, ""
    return "", (
        f"Requires-Python {printable(value)!r} is not valid and is left out: {unusable}. Correct it and build the file "
        "again"
    )
