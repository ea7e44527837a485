"""Rules on what lies in a directory, which a client cannot see and whoever serves it should know."""

from collections.abc import Iterator

from mkindex.check.findings import NOTE, WARNING, WRONG, Violation, rule
from mkindex.check.observations import SeenDirectory


@rule(
    SeenDirectory,
    "leftover",
    WARNING,
    impact="Neither sees it.",
    fix="Remove it once nobody writes into the directory; mkindex finishes and cleans up what a run of its own left.",
)
def leftover(directory: SeenDirectory) -> Iterator[Violation]:
    """No temporary file of an interrupted upload or run is left."""
    for path in directory.leftovers:
        yield Violation("left behind by something that was interrupted", page=path)


@rule(
    SeenDirectory,
    "not-listed",
    WARNING,
    pip=WRONG,
    uv=WRONG,
    impact="Neither finds a file that no page names.",
    fix="Make the pages anew, or remove the file.",
)
def not_listed(directory: SeenDirectory) -> Iterator[Violation]:
    """Every wheel and sdist in the directory is listed on a page."""
    for path in directory.unlisted_files:
        yield Violation("no page lists it", page=path)


@rule(
    SeenDirectory,
    "project-not-listed",
    WARNING,
    impact="Both find it all the same; tools that read the root, mirrors and people do not.",
    fix="Make the root page anew, or remove the page of a project that is gone.",
)
def project_not_listed(directory: SeenDirectory) -> Iterator[Violation]:
    """Every page of a project is linked from the root."""
    for path in directory.unlisted_projects:
        yield Violation("the root does not list this project", page=path)


@rule(
    SeenDirectory,
    "manifest",
    WARNING,
    impact="Neither reads it.",
    fix="Run mkindex again with the same sources: it puts right what is its own.",
)
def manifest(directory: SeenDirectory) -> Iterator[Violation]:
    """What mkindex knows of its own output is what is there."""
    for path, error in directory.manifest_errors:
        yield Violation(error, page=path)


@rule(
    SeenDirectory,
    "link-leaves",
    WARNING,
    impact="Both get what is there, if the server follows it at all; copied elsewhere, the tree lacks it.",
    fix="Replace the symlink by what it leads to.",
)
def link_leaves(directory: SeenDirectory) -> Iterator[Violation]:
    """No symlink leads out of the directory."""
    for path, target in directory.outside_links:
        yield Violation(f"leads to {target}", page=path)


@rule(
    SeenDirectory,
    "case-collision",
    WARNING,
    impact="Both are served here; on macOS, Windows and some object stores one of them is lost.",
    fix="Rename or merge them.",
)
def case_collision(directory: SeenDirectory) -> Iterator[Violation]:
    """No two paths differ only in case or in how Unicode spells them."""
    for paths in directory.collisions:
        yield Violation(f"and {', '.join(paths[1:])[:300]} are the same name elsewhere", page=paths[0])


@rule(
    SeenDirectory,
    "unreadable",
    WARNING,
    impact="Both get 403 from a web server that runs as somebody else.",
    fix="chmod -R a+rX DIR",
)
def unreadable(directory: SeenDirectory) -> Iterator[Violation]:
    """Everything that is served may be read by everybody."""
    for path, mode in directory.unreadable:
        yield Violation(f"has mode {mode}", page=path)


@rule(
    SeenDirectory,
    "page-older",
    NOTE,
    impact="Both see what the page says, which may be of the file that was there before.",
    fix="If the file was replaced, make the page anew.",
)
def page_older(directory: SeenDirectory) -> Iterator[Violation]:
    """No page is older than the files that it names."""
    for page, file in directory.newer_files:
        yield Violation("was changed after the page was written", file=file, page=page)
