"""Files and releases as pages for people show them."""

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from mkindex.distributions.filenames import split_label
from mkindex.model.files import File
from mkindex.model.index import Project, Release, parse_version, without_zeros
from mkindex.site.tags import Python, Tags, read_tags, tags_of
from mkindex.site.views import Choices, FileView, ReleaseView
from mkindex.text import displayed, format_size

Href = Callable[[File], str]


class Addresses(NamedTuple):
    """The addresses of a file, its core metadata and its provenance, as seen from a page, and its variant."""

    file: Href
    metadata: Href  # "" without one
    provenance: Href  # likewise
    variant: Href  # the name of its variant, "" without one


def release_views(project: Project, addresses: Addresses) -> tuple[ReleaseView, ...]:
    """Return the releases of a project that may be offered, the newest first."""
    newest = without_zeros(project.newest())
    return tuple(
        _release_view(release, addresses, is_newest=without_zeros(release.version) == newest)
        for release in reversed(project.offered_releases())
    )


def release_anchor(version: str) -> str:
    """Return the id of a release on the page with all releases."""
    return f"v{version.replace('+', '-').replace('!', '-')}"


def upload_time(files: Iterable[File]) -> str:
    """Return when the first of some files was uploaded, "" if that is unknown."""
    return min((file.upload_time for file in files if file.upload_time), default="")


def yank_reason(files: Iterable[File]) -> str | None:
    """Return why all of some files are yanked, "" without a reason; None if one of them is not."""
    reasons = [file.yanked for file in files]
    if None in reasons or not reasons:
        return None
    return displayed(next((reason for reason in reasons if reason), ""))


def choices(files: Sequence[FileView]) -> Choices:
    """Return what a table of these files can be filtered by."""
    pythons = {str(python): python for file in files for python in _specific(_tags(file.filename))}
    ordered = sorted(pythons.values(), key=lambda one: (one.name, one.version, one.threads))
    return Choices(
        pythons=tuple(map(str, ordered)),
        platforms=tuple(sorted({one.name for file in files for one in _tags(file.filename).platforms})),
        kinds=tuple(sorted({file.kind for file in files}, reverse=True)),
    )


def _release_view(release: Release, addresses: Addresses, *, is_newest: bool) -> ReleaseView:
    time = upload_time(release.files)
    files = list({(file.filename, file.sha256): file for file in release.files}.values())  # variants can share a file
    tags = [_tags(file.filename) for file in files]
    pythons = sorted({str(one): one for each in tags for one in _specific(each)}.items())
    platforms = sorted({one.name for each in tags for one in each.platforms})
    return ReleaseView(
        version=release.version,
        anchor=release_anchor(release.version),
        date=time[:10],
        time=time,
        is_prerelease=parse_version(release.version).is_prerelease,
        is_newest=is_newest,
        yanked=yank_reason(release.files),
        files=tuple(
            _file_view(file, each, addresses, [one for _, one in pythons], platforms)
            for file, each in zip(files, tags, strict=True)
        ),
    )


def _file_view(
    file: File, tags: Tags, addresses: Addresses, pythons: Sequence[Python], platforms: Sequence[str]
) -> FileView:
    is_wheel = file.filename.endswith(".whl")
    base, label = split_label(file.filename)
    parts = base.split("-")
    words = [*(str(one) for one in tags.pythons), *(one.words for one in tags.platforms), *tags.others]
    words += [f"variant {label}"] if label else []
    own = {one.name for one in tags.platforms}
    return FileView(
        filename=file.filename,
        href=addresses.file(file),
        size="" if file.size is None else format_size(file.size),
        date=file.upload_time[:10],
        sha256=file.sha256,
        kind="wheel" if is_wheel else "sdist",
        runs_on=", ".join(words),
        build=parts[2] if is_wheel and len(parts) == 6 else "",
        requires_python=file.requires_python,
        variant=addresses.variant(file),
        metadata=addresses.metadata(file),
        provenance=addresses.provenance(file),
        yanked=None if file.yanked is None else displayed(file.yanked),
        pythons=tuple(
            str(one) for one in pythons if not is_wheel or any(python.runs_on(one) for python in tags.pythons)
        ),
        platforms=tuple(one for one in platforms if not own or one in own),
    )


_NO_TAGS = Tags((), (), ())


def _tags(filename: str) -> Tags:
    return read_tags(tags_of(filename)) if filename.endswith(".whl") else _NO_TAGS


def _specific(tags: Tags) -> list[Python]:
    """Return the Pythons that a reader may choose: not "Python 3", which fits all of them."""
    return [python for python in tags.pythons if python.name != "Python" and not python.later]
