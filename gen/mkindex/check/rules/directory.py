"""Rules on what lies in a directory, which a client cannot see and whoever serves it should know."""

from collections.abc import Iterator

from mkindex.check.findings import NOTE, WARNING, WRONG, Observation, rule
from mkindex.check.observations import SeenDirectory


@rule(
    SeenDirectory,
    "leftover",
    WARNING,
    clients="Neither sees it.",
    mend="Remove it once nobody writes into the directory; mkindex finishes and cleans up what a run of its own left.",
)
def leftover(tree: SeenDirectory) -> Iterator[Observation]:
    """No temporary file of an interrupted upload or run is left."""
    for path in tree.leftovers:
        yield Observation("left behind by something that was interrupted", page=path)


@rule(
    SeenDirectory,
    "not-listed",
    WARNING,
    pip=WRONG,
    uv=WRONG,
    clients="Neither finds a file that no page names.",
    mend="Make the pages anew, or remove the file.",
)
def not_listed(tree: SeenDirectory) -> Iterator[Observation]:
    """Every wheel and sdist in the directory is listed on a page."""
    for path in tree.unlisted_files:
        yield Observation("no page lists it", page=path)


@rule(
    SeenDirectory,
    "project-not-listed",
    WARNING,
    clients="Both find it all the same; tools that read the root, mirrors and people do not.",
    mend="Make the root page anew, or remove the page of a project that is gone.",
)
def project_not_listed(tree: SeenDirectory) -> Iterator[Observation]:
    """Every page of a project is linked from the root."""
    for path in tree.unlisted_projects:
        yield Observation("the root does not list this project", page=path)


@rule(
    SeenDirectory,
    "manifest",
    WARNING,
    clients="Neither reads it.",
    mend="Run mkindex again with the same sources: it puts right what is its own.",
)
def manifest(tree: SeenDirectory) -> Iterator[Observation]:
    """What mkindex knows of its own output is what is there."""
    for text in tree.manifest:
        path, _, wrong = text.partition("\t")
        yield Observation(wrong, page=path)


@rule(
    SeenDirectory,
    "link-leaves",
    WARNING,
    clients="Both get what is there, if the server follows it at all; copied elsewhere, the tree lacks it.",
    mend="Replace the symlink by what it leads to.",
)
def link_leaves(tree: SeenDirectory) -> Iterator[Observation]:
    """No symlink leads out of the directory."""
    for path, target in tree.leaving:
        yield Observation(f"leads to {target}", page=path)


@rule(
    SeenDirectory,
    "case-collision",
    WARNING,
    clients="Both are served here; on macOS, Windows and some object stores one of them is lost.",
    mend="Rename or merge them.",
)
def case_collision(tree: SeenDirectory) -> Iterator[Observation]:
    """No two paths differ only in case or in how Unicode spells them."""
    for paths in tree.colliding:
        yield Observation(f"and {', '.join(paths[1:])[:300]} are the same name elsewhere", page=paths[0])


@rule(
    SeenDirectory,
    "unreadable",
    WARNING,
    clients="Both get 403 from a web server that runs as somebody else.",
    mend="chmod -R a+rX DIR",
)
def unreadable(tree: SeenDirectory) -> Iterator[Observation]:
    """Everything that is served may be read by everybody."""
    for path, mode in tree.unreadable:
        yield Observation(f"has mode {mode}", page=path)


@rule(
    SeenDirectory,
    "page-older",
    NOTE,
    clients="Both see what the page says, which may be of the file that was there before.",
    mend="If the file was replaced, make the page anew.",
)
def page_older(tree: SeenDirectory) -> Iterator[Observation]:
    """No page is older than the files that it names."""
    for page, file in tree.stale:
        yield Observation("was changed after the page was written", file=file, page=page)
