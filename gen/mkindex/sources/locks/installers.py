"""Projects that are taken along besides a lock, such as pip and uv: a machine on a closed network may have neither."""

from collections.abc import Iterator, Sequence

from packaging.version import Version

from mkindex.distributions.filenames import parse_filename
from mkindex.errors import Rejected, SourceError
from mkindex.model.files import Link
from mkindex.sources.locks.choice import Target
from mkindex.sources.locks.choose import choose_files
from mkindex.sources.locks.lock import LockedPackage
from mkindex.sources.locks.lookup import Lookup
from mkindex.text import and_more, redact


def find_installers(
    names: Sequence[str], registry: str, lookup: Lookup, targets: Sequence[Target]
) -> Iterator[Link | Rejected]:
    """Yield the newest wheels of projects for some environments, or for all, from the index that a lock names.

    Raises SourceError without an index, or if it cannot be read.
    """
    for name in names:
        package = LockedPackage(name, registry=registry)
        indexes = lookup.indexes_of(package)
        if not indexes:
            raise SourceError(f"--with {name}: {lookup.lock} names no index. Give the address of one: --index URL")
        wheels = [link for link in lookup.links(package) if _version(link, name) and link.yanked is None]
        chosen: list[Link] = []
        unfit: list[str] = []
        for target in targets:
            fitting = [one for one in wheels if target.environment.accepts(one.filename, one.requires_python)]
            chosen += choose_files(_newest(fitting, name), target, sdists=False)
            unfit += [] if fitting else [target.name]
        yield from dict.fromkeys(chosen if targets else _newest(wheels, name))
        if unfit or not wheels:
            where = " and ".join(map(redact, indexes))
            what = f"wheel of {name} for {and_more(unfit)}" if unfit else f"wheel of {name}"
            yield Rejected(location=f"--with {name}", reason=f"{where} has no {what}")


def _newest(wheels: Sequence[Link], name: str) -> list[Link]:
    newest = max((_version(one, name) or Version("0") for one in wheels), default=None)
    return [one for one in wheels if _version(one, name) == newest]


def _version(link: Link, name: str) -> Version | None:
    """Return the version of a wheel of a project, if it is a final one."""
    if not link.filename.endswith(".whl"):
        return None
    try:
        project, text, _ = parse_filename(link.filename)
    except ValueError:
        return None
    version = Version(text)
    return version if project == name and not version.is_prerelease else None
