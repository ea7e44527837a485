"""Rules on what a page lists: the files of a project, or the projects of a root."""

from collections import Counter
from collections.abc import Iterator

from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from mkindex.check.addresses import display_link
from mkindex.check.findings import DEPENDS, ERROR, NOTE, WARNING, WRONG, Violation, rule
from mkindex.check.observations import ListedFile, SeenPage
from mkindex.check.specifiers import canonical_version
from mkindex.distributions.filenames import FILENAME, SUFFIXES, parse_filename, sdist_version
from mkindex.distributions.specifiers import why_unusable
from mkindex.model.wheel_variants import VARIANTS_JSON
from mkindex.simple.links import client_project_url
from mkindex.text import plural

_SHOWN = 3  # links that are named
_MAX_BYTES, _MAX_FILES = 10 << 20, 10_000  # of the page of a project


@rule(
    SeenPage,
    "requires-python-invalid",
    ERROR,
    uv=WRONG,
    impact="pip takes the file. uv takes an older version without an error, unless it can guess the meaning.",
    fix="Fix Requires-Python in the project and build it again. Until then, remove it from the page.",
)
def requires_python_invalid(page: SeenPage) -> Iterator[Violation]:
    """Requires-Python on a page can be read by pip and uv."""
    for entry in page.entries:
        if effect := why_unusable(entry.requires_python):
            yield Violation(f"requires-python is {entry.requires_python[:100]!r}: {effect}", entry.filename)


@rule(
    SeenPage,
    "foreign-file",
    ERROR,
    uv=DEPENDS,
    impact="pip ignores the file. uv may choose it because of its version, and then stops or installs something else.",
    fix="Move the file to the page of its own project.",
)
def foreign_file(page: SeenPage) -> Iterator[Violation]:
    """A page lists only files of its own project."""
    if page.kind != "project" or not page.project:
        return
    for entry in page.entries:
        if entry.filename.endswith(".whl"):
            name = canonicalize_name(entry.filename.partition("-")[0])
            if name and name != page.project:
                yield Violation(f"a file of {name} on the page of {page.project}", entry.filename)
        elif entry.filename.endswith((".tar.gz", ".zip")) and sdist_version(entry.filename, page.project) is None:
            yield Violation(f"not a file of {page.project}", entry.filename)


@rule(
    SeenPage,
    "duplicate-file",
    ERROR,
    pip=DEPENDS,
    uv=DEPENDS,
    impact="Which of them is installed is left to chance. A lock file has the hash of one and rejects the other.",
    fix="List each file once. Give a changed file a new version, or a build tag.",
)
def duplicate_file(page: SeenPage) -> Iterator[Violation]:
    """Entries of a page that mean the same file do not differ."""
    known: dict[tuple[str, ...], ListedFile] = {}
    for entry in page.entries:
        try:
            name, version, rest = parse_filename(entry.filename)
            key: tuple[str, ...] = (name, canonical_version(version), rest)  # 1.0 and 1.0.0 are equal
        except ValueError:
            key = (entry.filename,)
        first = known.setdefault(key, entry)
        if first is entry:
            continue
        if first.filename != entry.filename:
            yield Violation(f"clients cannot distinguish it from {first.filename}", entry.filename)
        elif first.sha256 != entry.sha256:
            yield Violation("is listed twice, with different hashes", entry.filename)
        elif first.url != entry.url:
            yield Violation("is listed twice, at different addresses", entry.filename)


@rule(
    SeenPage,
    "unusable-name",
    WARNING,
    pip=WRONG,
    uv=WRONG,
    impact="pip and uv ignore the file without an error, and take an older version or report that there is none.",
    fix="Build it again with a current tool, as .whl or .tar.gz. Renaming it is rarely enough.",
)
def unusable_name(page: SeenPage) -> Iterator[Violation]:
    """Every file has a name that all clients accept as a wheel or an sdist."""
    for entry in page.entries:
        if text := _unusable(entry.filename, page.project if page.kind == "project" else ""):
            yield Violation(text, entry.filename)


def _unusable(filename: str, project: str) -> str:
    if not filename or filename.endswith(VARIANTS_JSON):
        return ""
    if not filename.endswith(SUFFIXES):
        return "uv and packaging support only .whl, .tar.gz and .zip"
    if not FILENAME.fullmatch(filename):
        return "has characters other than letters, digits and ._+!-"
    if not filename.endswith(".whl") and project and (version := sdist_version(filename, project)):
        return "" if _is_version(version) else f"{version!r} is not a version"
    try:
        parse_filename(filename)
    except ValueError as error:
        return str(error)
    return ""


def _is_version(text: str) -> bool:
    try:
        Version(text)
    except InvalidVersion:
        return False
    return True


@rule(
    SeenPage,
    "name-collision",
    WARNING,
    pip=DEPENDS,
    uv=DEPENDS,
    impact="pip and uv request only the normalized name. They do not find files on the page of another spelling.",
    fix="Merge them into one project under the normalized name.",
)
def name_collision(page: SeenPage) -> Iterator[Violation]:
    """A root page lists each project once, in one spelling."""
    if page.kind != "root":
        return
    names = Counter(canonicalize_name(project.text or project.name) for project in page.projects)
    for name, count in names.items():
        if count > 1:
            shown = {project.text or project.name for project in page.projects}
            spelled = sorted(text for text in shown if canonicalize_name(text) == name)
            yield Violation(f"{name} is listed {count} times, as {', '.join(spelled)[:200]}")


@rule(
    SeenPage,
    "root-link",
    WARNING,
    impact="pip and uv do not read the root page. poetry's search, mirrors and people follow its links.",
    fix="Link to NORMALIZED-NAME/, directly below the root: lower case, each run of - _ . replaced by a single -, a "
    "slash at the end.",
)
def root_link(page: SeenPage) -> Iterator[Violation]:
    """A root page links to each project where clients request it: ROOT/NORMALIZED-NAME/."""
    root = page.base.rpartition("/")[0]
    wrong = [
        project.link
        for project in page.projects
        if project.link and project.url != client_project_url(root, project.name)
    ]
    if wrong:
        yield Violation(
            f"{plural(len(wrong), 'other link')}: {', '.join(display_link(link) for link in wrong[:_SHOWN])}"
        )


@rule(
    SeenPage,
    "no-metadata",
    NOTE,
    impact="pip and uv download a whole wheel, or parts of it, to read its requirements.",
    fix="Publish METADATA beside each wheel as FILE.metadata, and its hash on the page (PEP 658). mkindex does so for "
    "files that it publishes: for those of a remote page, with --remote mirror.",
)
def no_metadata(page: SeenPage) -> Iterator[Violation]:
    """The core metadata of wheels is available beside them."""
    wheels = [entry for entry in page.entries if entry.filename.endswith(".whl")]
    without = [entry.filename for entry in wheels if entry.metadata is None]
    if without:
        yield Violation(
            f"{len(without):,} of {plural(len(wheels), 'wheel')} without it: {', '.join(without[:2])[:200]}"
        )


@rule(
    SeenPage,
    "large-page",
    NOTE,
    impact="pip and uv read all of it, even if they look for one version.",
    fix="Move old releases to another index.",
)
def large_page(page: SeenPage) -> Iterator[Violation]:
    """The page of a project has at most 10 MiB and 10,000 files."""
    if page.kind == "project" and (len(page.reply.body) > _MAX_BYTES or len(page.entries) > _MAX_FILES):
        yield Violation(f"{len(page.reply.body):,} bytes, {plural(len(page.entries), 'file')}")
