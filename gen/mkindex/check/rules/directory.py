"""Rules on the contents of a directory that clients cannot see."""

from collections.abc import Iterator

from mkindex.check.findings import NOTE, WARNING, WRONG, Violation, rule
from mkindex.check.observations import SeenDirectory
from mkindex.text import and_more


@rule(
    SeenDirectory,
    "leftover",
    WARNING,
    impact="pip and uv do not see it.",
    fix="Remove it when nothing is writing to the directory. mkindex cleans up after an interrupted run of its own "
    "when it runs again.",
)
def leftover(directory: SeenDirectory) -> Iterator[Violation]:
    """No temporary file of an interrupted upload or run is left."""
    for path in directory.leftovers:
        yield Violation("left by an interrupted upload or run", page=path)


@rule(
    SeenDirectory,
    "not-listed",
    WARNING,
    pip=WRONG,
    uv=WRONG,
    impact="pip and uv do not find a file that no page lists.",
    fix="Rebuild the pages, or remove the file.",
)
def not_listed(directory: SeenDirectory) -> Iterator[Violation]:
    """Every wheel and sdist in the directory is listed on a page."""
    for path in directory.unlisted_files:
        yield Violation("no page lists it", page=path)


@rule(
    SeenDirectory,
    "project-not-listed",
    WARNING,
    impact="pip and uv find it all the same. Mirrors, people and tools that read the root page do not.",
    fix="Rebuild the root page, or remove the page if the project is gone.",
)
def project_not_listed(directory: SeenDirectory) -> Iterator[Violation]:
    """Every project page is linked from the root page."""
    for path in directory.unlisted_projects:
        yield Violation("the root does not list this project", page=path)


@rule(
    SeenDirectory,
    "manifest",
    WARNING,
    impact="pip and uv do not read the manifest.",
    fix="Run mkindex again with the same sources. It repairs what it wrote.",
)
def manifest(directory: SeenDirectory) -> Iterator[Violation]:
    """The tree is what the manifest of mkindex says."""
    for path, error in directory.manifest_errors:
        yield Violation(error, page=path)


@rule(
    SeenDirectory,
    "link-leaves",
    WARNING,
    impact="pip and uv get the target, if the server follows the symlink at all. A copy of the tree lacks it.",
    fix="Replace the symlink with its target.",
)
def link_leaves(directory: SeenDirectory) -> Iterator[Violation]:
    """No symlink leads out of the directory."""
    for path, target in directory.outside_links:
        yield Violation(f"leads to {target}", page=path)


@rule(
    SeenDirectory,
    "case-collision",
    WARNING,
    impact="Both are served here. On macOS, Windows and some object stores, one of them is lost.",
    fix="Rename or merge them.",
)
def case_collision(directory: SeenDirectory) -> Iterator[Violation]:
    """No two paths differ only in case or in their Unicode form."""
    for paths in directory.collisions:
        yield Violation(f"is the same path as {and_more(paths[1:])} on some file systems", page=paths[0])


@rule(
    SeenDirectory,
    "unreadable",
    WARNING,
    impact="pip and uv get 403 from a web server that runs as another user.",
    fix="chmod -R a+rX DIR",
)
def unreadable(directory: SeenDirectory) -> Iterator[Violation]:
    """Everybody may read everything that is served."""
    for path, mode in directory.unreadable:
        yield Violation(f"has mode {mode}", page=path)


@rule(
    SeenDirectory,
    "page-older",
    NOTE,
    impact="pip and uv see what the page says, which may describe the previous file.",
    fix="If the file was replaced, rebuild the page.",
)
def page_older(directory: SeenDirectory) -> Iterator[Violation]:
    """No page is older than the files that it lists."""
    for page, file in directory.newer_files:
        yield Violation("is newer than its page", file=file, page=page)


@rule(
    SeenDirectory,
    "windows-name",
    NOTE,
    impact="On Windows, the path means a device: a copy of the tree there lacks it.",
    fix="Serve the tree from another system. If the project is yours, give it another name.",
)
def windows_name(directory: SeenDirectory) -> Iterator[Violation]:
    """No path has the name of a device of Windows (con, aux, nul, com1 …)."""
    for path in directory.devices:
        yield Violation("is the name of a device on Windows", page=path)
