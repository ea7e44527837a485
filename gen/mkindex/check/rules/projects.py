"""Rules on what the target is, on a project as a whole, and on requirements."""

from collections.abc import Iterator

from packaging.version import Version

from mkindex.check.addresses import display_link
from mkindex.check.findings import DEPENDS, ERROR, FAILS, NOTE, WARNING, Violation, rule
from mkindex.check.observations import (
    Coverage,
    Identity,
    ListedFile,
    Namesake,
    SeenPage,
    SeenProject,
    SeenRoot,
    Unsatisfied,
)
from mkindex.check.specifiers import same_specifiers
from mkindex.distributions.filenames import parse_filename
from mkindex.model.variants import mixed_labels
from mkindex.simple.links import name_at_end
from mkindex.text import and_more, plural, redact
from mkindex.web.redirects import INSECURE

_SHOWN = 3  # links that are named


@rule(
    Identity,
    "not-an-index",
    ERROR,
    pip=FAILS,
    uv=FAILS,
    impact='pip and uv request ADDRESS/PROJECT/ and report that the project does not exist, or that it has "no '
    'versions".',
    fix="Give the address that has the project pages below it. Most often it ends in /simple/.",
)
def not_an_index(identity: Identity) -> Iterator[Violation]:
    """The target is the root of an index, or the page of a project."""
    if identity.kind not in ("index", "project", "flat", "mistyped"):
        yield Violation(
            identity.description + (f"; there is an index at {identity.index_url}" if identity.index_url else "")
        )


@rule(
    Identity,
    "find-links-page",
    ERROR,
    pip=FAILS,
    uv=FAILS,
    impact="pip and uv look below it for a page of each project, and find none.",
    fix='Use it as a find-links page: pip --find-links ADDRESS, uv --find-links ADDRESS or format = "flat". Or make '
    "an index of it: mkindex ADDRESS ./public. If it is meant to be a find-links page: --ignore find-links-page.",
)
def find_links_page(identity: Identity) -> Iterator[Violation]:
    """The target is an index, not a find-links page or a directory listing."""
    if identity.kind == "flat":
        yield Violation(identity.description)


@rule(
    Coverage,
    "no-files",
    ERROR,
    pip=FAILS,
    uv=FAILS,
    impact="pip and uv find nothing to install, and a check of nothing says nothing about the index.",
    fix="Give the address that has the project pages below it, or name projects of the index with --project. Links of "
    "the root have to end in the names of projects: demo/. If it is meant to be empty: --ignore no-files.",
)
def no_files(coverage: Coverage) -> Iterator[Violation]:
    """At least one file is listed: a check that saw no file is not a pass."""
    if coverage.files or (coverage.projects and coverage.projects == coverage.quarantined):
        return
    if coverage.projects:
        yield Violation(f"no file was seen: {plural(coverage.projects, 'project')}, but no page lists a file")
    elif coverage.patterns:
        yield Violation(f"no file was seen: no project matches --project {', '.join(coverage.patterns)}")
    elif coverage.other_links:
        links = [display_link(link) for link in coverage.other_links]
        yield Violation(
            f"no file was seen: the root has links, but none that names a project: {and_more(links, _SHOWN)}"
        )
    else:
        yield Violation("no file was seen: the root lists no projects")


@rule(
    SeenProject,
    "page-missing",
    ERROR,
    pip=FAILS,
    uv=FAILS,
    impact="pip and uv request ROOT/NORMALIZED-NAME/ and report that the project does not exist.",
    fix="Publish the page at that address: lower case, each run of - _ . replaced by a single -, a slash at the end.",
)
def page_missing(project: SeenProject) -> Iterator[Violation]:
    """Every project that the root lists has a page at its normalized name."""
    pages = [page for page in (project.html, project.json) if page]
    if project.unsent_page or any(page.reply.status == 200 for page in pages):
        return  # `no-index-document` reports a page that is not sent
    if not pages:
        yield Violation("there is no page")
        return
    reply = pages[0].reply
    if reply.broken == INSECURE:
        return  # `insecure-redirect`
    answer = f"answers {reply.status}" if reply.status and not pages[0].is_local else reply.broken or "there is no page"
    hint = (
        f"; there is a page at {name_at_end(project.linked_page)}/, which clients do not request"
        if project.linked_page
        else ""
    )
    yield Violation(f"{answer}{hint}")


@rule(
    SeenProject,
    "no-index-document",
    ERROR,
    pip=FAILS,
    uv=FAILS,
    impact="pip and uv request ROOT/PROJECT/, never ROOT/PROJECT/index.html, and report that the project does not "
    "exist.",
    fix="Configure the host to send index.html for a directory. A bucket does so at its website endpoint only: use "
    "that, or store each page also under a key that ends in a slash (simple/demo/), as text/html. "
    "`mkindex SOURCE s3://BUCKET/PREFIX` does so.",
)
def no_index_document(project: SeenProject) -> Iterator[Violation]:
    """The host sends index.html for the address of its directory."""
    pages = [page for page in (project.html, project.json) if page]
    if project.unsent_page and pages:
        status = pages[0].reply.status
        answer = "is answered with a list of files" if status == 200 else f"answers {status}"
        yield Violation(f"{answer}, but the page exists as {name_at_end(project.unsent_page)}")


@rule(
    SeenProject,
    "insecure-redirect",
    ERROR,
    pip=DEPENDS,
    uv=DEPENDS,
    impact="pip and uv follow the redirect. Anybody on the network path can read and change the answer.",
    fix="Redirect to https.",
)
def insecure_redirect(project: SeenProject) -> Iterator[Violation]:
    """No page is redirected from https to http."""
    for page in (project.html, project.json):
        if page and page.reply.broken == INSECURE:
            yield Violation(page.reply.broken)
            return


@rule(
    SeenProject,
    "forms-disagree",
    ERROR,
    pip=DEPENDS,
    uv=DEPENDS,
    impact="What is installed depends on the form that a client gets: over http JSON if the server has it, from "
    "file:// HTML.",
    fix="Rebuild both pages from the same data.",
)
def forms_disagree(project: SeenProject) -> Iterator[Violation]:
    """The HTML page and the JSON page of a project say the same."""
    html, json = project.html, project.json
    for form, page, there in (("HTML", html, json), ("JSON", json, html)):
        if len(project.root_forms) == 2 and page is None and there and there.is_usable:
            yield Violation(f"there is no {form} page, although the root has one")
    if not (html and json and html.is_usable and json.is_usable) or json.field_errors:
        return
    ours, theirs = _by_name(html), _by_name(json)
    for name in sorted(ours.keys() - theirs.keys()):
        yield Violation("only the HTML page lists it", name)
    for name in sorted(theirs.keys() - ours.keys()):
        yield Violation("only the JSON page lists it", name)
    for name in sorted(ours.keys() & theirs.keys()):
        one, other = ours[name], theirs[name]
        for field in ("sha256", "requires_python", "yanked", "metadata", "size", "url"):
            if _differ(field, getattr(one, field), getattr(other, field)):
                spelled = field.replace("_", "-")
                ours_says, theirs_says = _short(getattr(one, field)), _short(getattr(other, field))
                yield Violation(f"{spelled} is {ours_says} in HTML, but {theirs_says} in JSON", name)
    if html.status != json.status and "active" not in (html.status, json.status):
        yield Violation(f"status is {html.status or 'none'} in HTML, but {json.status or 'none'} in JSON")


@rule(
    SeenProject,
    "mixed-variants",
    NOTE,
    impact="Clients install the one with the last local label, in the order of PEP 440, on every machine.",
    fix="Give each variant an index of its own ([variants] of mkindex does), or let people pin it: demo==1.0+cpu.",
)
def mixed_variants(project: SeenProject) -> Iterator[Violation]:
    """A page does not list wheels of one version that differ only in their local labels."""
    page = next((page for page in (project.json, project.html) if page and page.is_usable), None)
    wheels = [entry.filename for entry in page.entries if "+" in entry.filename] if page else []
    mixed = mixed_labels((version, name) for name in wheels if (version := _local_version(name)))
    if mixed:
        public, labels = max(mixed.items(), key=lambda item: Version(item[0]))
        others = f"; {plural(len(mixed) - 1, 'other version')} alike" if len(mixed) > 1 else ""
        yield Violation(f"{public} has {and_more(labels)}: clients install {public}+{labels[-1]}{others}")


def _local_version(filename: str) -> str:
    """Return the version of a wheel; "" for another file."""
    try:
        return parse_filename(filename)[1] if filename.endswith(".whl") else ""
    except ValueError:
        return ""


def _by_name(page: SeenPage) -> dict[str, ListedFile]:
    return {entry.filename: entry for entry in reversed(page.entries) if entry.filename}


def _differ(field: str, one: object, other: object) -> bool:
    if field == "requires_python":
        return not same_specifiers(str(one), str(other))
    if field == "metadata" and "" in (one, other) and None not in (one, other):
        return False  # one page gives no hash
    if field == "size" and None in (one, other):
        return False  # HTML need not give it
    if field == "yanked":
        return (one is None) != (other is None)
    return one != other


def _short(value: object) -> str:
    return repr(str(value)[:70]) if value else "absent"


@rule(
    SeenRoot,
    "roots-disagree",
    WARNING,
    impact="pip and uv do not read the root page. Mirrors, people and tools that read it miss projects in one form.",
    fix="Rebuild both root pages from the same data.",
)
def roots_disagree(root: SeenRoot) -> Iterator[Violation]:
    """The HTML page and the JSON page of a root name the same projects."""
    only_html, only_json = sorted(root.html - root.json), sorted(root.json - root.html - root.html_links)
    for form, names in (("HTML", only_html), ("JSON", only_json)):
        if names:
            yield Violation(f"only the {form} page names {and_more(names)}")


@rule(
    Unsatisfied,
    "unsatisfied",
    ERROR,
    pip=FAILS,
    uv=FAILS,
    impact="Clients that use only this index cannot install the file.",
    fix="Add what is missing (pip download REQUIREMENT; in a bundle, what builds sdists with --build-requires), then "
    "rebuild the index.",
)
def unsatisfied(found: Unsatisfied) -> Iterator[Violation]:
    """The index satisfies every requirement of its files, or all that --requirements needs (--closure)."""
    if not found.is_elsewhere:
        yield _missing(found)


@rule(
    Unsatisfied,
    "unsatisfied-elsewhere",
    WARNING,
    uv=DEPENDS,
    impact="pip and uv pip install for one platform. uv lock, poetry lock and pdm lock resolve for all, and fail.",
    fix="Add what is missing, or lock for fewer platforms: uv has `environments`, PDM `pdm lock --platform`.",
)
def unsatisfied_elsewhere(found: Unsatisfied) -> Iterator[Violation]:
    """The index also satisfies the requirements for other platforms (--closure)."""
    if found.is_elsewhere:
        yield _missing(found)


def _missing(found: Unsatisfied) -> Violation:
    missing = found.missing
    use = " to be built" if missing.is_build else ""
    ends = [f"for {missing.root}"] if missing.root else []
    ends += [f"also required by {and_more(found.others, 1)}"] if found.others else []
    ends += [and_more(found.environments)] if found.environments else []
    end = f" ({'; '.join(ends)})" if ends else ""
    return Violation(f"requires {missing.requirement}{use}, but {missing.problem}{end}", missing.place)


@rule(
    Namesake,
    "also-elsewhere",
    WARNING,
    pip=DEPENDS,
    uv=DEPENDS,
    impact="A client that uses both indexes without restriction may install the other project (dependency confusion): "
    "pip always takes the highest version of any index.",
    fix="Restrict the project to this index, as `mkindex client` prints it, or give clients one address with a "
    "fallback: `mkindex host NAME --fallback URL`. If the other project is yours or the same, --ignore also-elsewhere.",
)
def also_elsewhere(namesake: Namesake) -> Iterator[Violation]:
    """No project of this index is in the index of --elsewhere, too."""
    if namesake.problem:
        yield Violation(
            f"{namesake.project}: it is not known whether {redact(namesake.url)} exists ({namesake.problem})"
        )
    else:
        yield Violation(f"{namesake.project}: {redact(namesake.url)} lists {plural(namesake.files, 'file')}")
