"""Rules on the contents of one wheel or sdist (--files deep)."""

from collections.abc import Iterator

from mkindex.check.findings import DEPENDS, ERROR, FAILS, WARNING, Violation, rule
from mkindex.check.observations import SeenFile
from mkindex.text import and_more


@rule(
    SeenFile,
    "wheel-broken",
    ERROR,
    pip=FAILS,
    uv=FAILS,
    impact="pip and uv download it and cannot install it.",
    fix="Copy or build it again.",
)
def wheel_broken(file: SeenFile) -> Iterator[Violation]:
    """A wheel or an sdist can be read, and has what pip and uv need to install it (--files deep)."""
    wrong_bytes = file.sha256 and file.entry.sha256 not in ("", file.sha256)  # `file-hash` reports it
    if file.exists and file.content and file.content.broken and not wrong_bytes:
        yield Violation(file.content.broken)


@rule(
    SeenFile,
    "wheel-refused",
    ERROR,
    pip=DEPENDS,
    uv=DEPENDS,
    impact="One of pip and uv downloads it and cannot install it; the other installs it. The finding says which.",
    fix="Build it again with a current build tool.",
)
def wheel_refused(file: SeenFile) -> Iterator[Violation]:
    """A wheel is one that both pip and uv install (--files deep)."""
    if file.exists and file.content and not file.content.broken:
        yield from map(Violation, file.content.refused)


@rule(
    SeenFile,
    "wheel-ambiguous",
    ERROR,
    pip=DEPENDS,
    uv=DEPENDS,
    impact="Two zip readers may see different files, so what was reviewed may not be what is installed. uv refuses "
    "most such wheels, pip a few, and the public index all of them.",
    fix="Build the wheel again with a current build tool.",
)
def wheel_ambiguous(file: SeenFile) -> Iterator[Violation]:
    """A wheel is a zip file that all readers read in the same way (--files deep)."""
    if file.exists and file.content and not file.content.broken:
        yield from map(Violation, file.content.ambiguous)


@rule(
    SeenFile,
    "wheel-record",
    WARNING,
    impact="Files that RECORD does not list stay behind when the project is uninstalled. pip warns about it.",
    fix="Build the wheel again: it was changed without updating RECORD.",
)
def wheel_record(file: SeenFile) -> Iterator[Violation]:
    """RECORD of a wheel lists all of its members, and nothing else (--files deep)."""
    if file.exists and file.content:
        yield from map(Violation, file.content.record)


@rule(
    SeenFile,
    "wheel-tags",
    WARNING,
    impact="pip and uv choose and install it by its filename. But if no tag in WHEEL fits, uv installs it again at "
    "each sync.",
    fix="Build the wheel again, or change its tags with `wheel tags` instead of renaming it.",
)
def wheel_tags(file: SeenFile) -> Iterator[Violation]:
    """WHEEL has all tags of the filename of its wheel (--files deep)."""
    if file.exists and file.content and file.content.missing_tags:
        yield Violation(f"WHEEL does not have {and_more(file.content.missing_tags, 3)}")
