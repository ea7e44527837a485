"""Rules on the core metadata of one file: clients can use it, and all of it."""

from collections.abc import Iterator

from mkindex.check.findings import DEPENDS, ERROR, FAILS, WARNING, WRONG, Violation, rule
from mkindex.check.observations import Requirements, SeenFile
from mkindex.check.rules.files import is_sibling_used
from mkindex.distributions.specifiers import why_unusable


def read_first(file: SeenFile) -> Requirements | None:
    """Return the core metadata that clients read to choose a file: the sibling, or else what is in the file."""
    if not file.exists:
        return None
    return file.sibling_metadata if is_sibling_used(file) else file.content.metadata if file.content else None


@rule(
    SeenFile,
    "requires-dist",
    ERROR,
    pip=WRONG,
    uv=WRONG,
    impact="pip and uv read all requirements of a file before they choose it. If they cannot use one, they take an "
    "older version without an error, or report that there is none. In some cases one of them stops, or takes the file.",
    fix="Correct the requirement in the project and build it again. Do not edit the .metadata file: pip compares it "
    "with the wheel.",
)
def requires_dist(file: SeenFile) -> Iterator[Violation]:
    """Clients can use every Requires-Dist of a file."""
    if metadata := read_first(file):
        yield from map(Violation, metadata.unusable)


@rule(
    SeenFile,
    "requires-dist-url",
    WARNING,
    uv=FAILS,
    impact="pip, poetry and PDM take the requirement from that address and not from this index. uv stops with an "
    "error, unless the user requires the same address.",
    fix="Publish that project, too, and require it by a version.",
)
def requires_dist_url(file: SeenFile) -> Iterator[Violation]:
    """No file requires another one by its address."""
    if metadata := read_first(file):
        yield from map(Violation, metadata.elsewhere)


@rule(
    SeenFile,
    "metadata-encoding",
    ERROR,
    pip=FAILS,
    impact="pip stops with an error, also when it looks at the file for another project that requires it. uv installs "
    "the file.",
    fix="Build the file again with a current build tool, which writes UTF-8.",
)
def metadata_encoding(file: SeenFile) -> Iterator[Violation]:
    """METADATA of a wheel is UTF-8."""
    # Of an sdist, clients read what its build writes.
    metadata = read_first(file)
    if metadata and not metadata.is_utf8 and file.entry.filename.endswith(".whl"):
        yield Violation("METADATA is not UTF-8")


@rule(
    SeenFile,
    "metadata-requires-python",
    WARNING,
    uv=DEPENDS,
    impact="pip takes the file. uv takes an older version without an error, unless it can guess the meaning.",
    fix="Correct Requires-Python in the project and build it again.",
)
def metadata_requires_python(file: SeenFile) -> Iterator[Violation]:
    """Requires-Python in the metadata of a file can be read by pip and uv."""
    metadata = read_first(file)
    # If the page has it, too, `requires-python-invalid` reports it.
    if metadata and not file.entry.requires_python and (effect := why_unusable(metadata.requires_python)):
        yield Violation(f"Requires-Python is {metadata.requires_python[:100]!r}: {effect}")
