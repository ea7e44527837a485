"""Rules on one file: whether it is there, is what its page says, and holds what its sibling says."""

from collections.abc import Iterator

from packaging.utils import InvalidWheelFilename, canonicalize_name
from packaging.version import InvalidVersion, Version

from mkindex.check.findings import DEPENDS, ERROR, FAILS, WARNING, WRONG, Observation, rule
from mkindex.check.observations import Requirements, SeenFile
from mkindex.check.pages import link_shown
from mkindex.distributions.filenames import SUFFIXES, parse_filename, sdist_version
from mkindex.text import redact


def _there(file: SeenFile) -> bool:
    return file.reply.status == 200 and not file.reply.broken and not file.is_page


def _answers(file: SeenFile) -> str:
    if file.local:
        return "cannot be read" if file.reply.status == 403 else "is not there"
    return f"answers {file.reply.status}" if file.reply.status else file.reply.broken or "does not answer"


@rule(
    SeenFile,
    "file-missing",
    ERROR,
    pip=FAILS,
    uv=FAILS,
    clients="Both choose the newest file from the page and stop when it is not there: no older one is tried.",
    mend="Put the file back, or take it off the page. Files before pages: publish in that order.",
)
def file_missing(file: SeenFile) -> Iterator[Observation]:
    """A file that a page lists is there, and may be read."""
    if file.moved and file.reply.status in (404, 410):
        return  # its page was redirected: `redirect-moves-links`
    if file.reply.status != 200 or file.reply.broken:
        yield Observation(f"{_answers(file)} ({link_shown(file.entry.link)})")
    elif file.failed:
        yield Observation(f"its bytes cannot be had: {file.failed}")


@rule(
    SeenFile,
    "file-is-page",
    ERROR,
    pip=FAILS,
    uv=FAILS,
    clients="Both download it, and fail to open it or find that its hash is another.",
    mend="The server answers with a page for people (a login, or a page of its own for what is missing): let it send "
    "the file, or 404.",
)
def file_is_page(file: SeenFile) -> Iterator[Observation]:
    """A file is a file, and not an HTML page in its place."""
    if file.reply.status == 200 and file.is_page:
        yield Observation("an HTML page comes instead of the file")


@rule(
    SeenFile,
    "redirect-moves-links",
    ERROR,
    pip=FAILS,
    uv=FAILS,
    clients="Both resolve relative links against the address that the page came from in the end.",
    mend="Redirect to the same directory (only the slash may be added), or make the links of the page absolute.",
)
def redirect_moves_links(file: SeenFile) -> Iterator[Observation]:
    """A redirect of a page does not lead its relative links astray."""
    if file.moved and file.reply.status in (404, 410):
        link, page = link_shown(file.entry.link), redact(file.entry.page)
        yield Observation(f"the page was redirected to {page}, and from there {link} leads nowhere")


@rule(
    SeenFile,
    "file-hash",
    ERROR,
    pip=FAILS,
    uv=FAILS,
    clients="Both refuse the file: its bytes are not those that the page promises.",
    mend="Somebody replaced the file or damaged it: put the right one there, or make the page anew.",
)
def file_hash(file: SeenFile) -> Iterator[Observation]:
    """The bytes of a file have the hash that the page gives."""
    if not _there(file):
        return
    if file.sha256 and file.entry.sha256 not in ("", file.sha256):
        yield Observation(f"its sha256 is {file.sha256}, and the page says {file.entry.sha256}")
    if file.other and file.entry.other_hash not in ("", file.other):
        yield Observation(f"its hash is {file.other}, and the page says {file.entry.other_hash}")


@rule(
    SeenFile,
    "file-size",
    ERROR,
    clients="Neither looks at the size before it installs; progress is shown wrongly, and a lock file keeps it.",
    mend="The page was made for another file: make it anew.",
)
def file_size(file: SeenFile) -> Iterator[Observation]:
    """A file has as many bytes as the page says."""
    is_another = file.sha256 and file.entry.sha256 not in ("", file.sha256)  # `file-hash` says it
    if _there(file) and not is_another and None not in (file.size, file.entry.size) and file.size != file.entry.size:
        yield Observation(f"has {file.size:,} bytes, and the page says {file.entry.size:,}")


@rule(
    SeenFile,
    "metadata-missing",
    ERROR,
    pip=FAILS,
    uv=FAILS,
    clients="Both ask for FILE.metadata and stop when it is not there, although the wheel itself would do.",
    mend="Put the METADATA of the wheel there, or take core-metadata off the page.",
)
def metadata_missing(file: SeenFile) -> Iterator[Observation]:
    """The core metadata that a page says lies beside a wheel is there."""
    sibling = file.sibling
    if not _there(file) or sibling is None:
        return
    if sibling.status != 200 or sibling.broken:
        answer = f"answers {sibling.status}" if sibling.status and not file.local else sibling.broken or "is not there"
        yield Observation(f"{file.entry.filename}.metadata {answer}")
    elif sibling.media_type in ("text/html", "application/xhtml+xml"):
        yield Observation(f"{file.entry.filename}.metadata is an HTML page")


@rule(
    SeenFile,
    "metadata-hash",
    ERROR,
    pip=FAILS,
    uv=FAILS,
    clients="Both refuse the metadata, and with it the file.",
    mend="Copy METADATA out of the wheel byte for byte, and make the page anew.",
)
def metadata_hash(file: SeenFile) -> Iterator[Observation]:
    """Core metadata beside a wheel has the hash that the page gives."""
    if _there(file) and file.sibling_sha256 and file.entry.metadata not in (None, "", file.sibling_sha256):
        yield Observation(
            f"the sha256 of its .metadata is {file.sibling_sha256}, and the page says {file.entry.metadata}"
        )


def _sibling_counts(file: SeenFile) -> bool:
    return file.sibling_sha256 != "" and file.entry.metadata in ("", file.sibling_sha256)


@rule(
    SeenFile,
    "metadata-differs",
    ERROR,
    pip=DEPENDS,
    uv=WRONG,
    clients="uv believes the sibling: it installs dependencies that the wheel does not have, or leaves out some that "
    "it has. pip compares dependencies, and refuses the wheel; of Requires-Python it believes the sibling.",
    mend="Copy METADATA out of the wheel byte for byte, and make the page anew.",
)
def metadata_differs(file: SeenFile) -> Iterator[Observation]:
    """Core metadata beside a wheel says what METADATA in the wheel says (--files deep)."""
    inside = file.content.metadata if file.content else None
    beside = file.sibling_metadata
    if not _there(file) or inside is None or beside is None or not _sibling_counts(file):
        return
    for field in Requirements._fields:
        if getattr(inside, field) != getattr(beside, field):
            name = field.replace("_", "-").title()
            yield Observation(
                f"{name} is {_short(getattr(beside, field))} beside and {_short(getattr(inside, field))} inside"
            )


def _short(value: object) -> str:
    text = ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)
    return f"{text[:100]!r}" if text else "missing"


@rule(
    SeenFile,
    "requires-python-differs",
    ERROR,
    pip=WRONG,
    uv=WRONG,
    clients="Both decide by the page, without a look into the file: a version is hidden from a Python that it is for, "
    "or offered to one that it is not for.",
    mend="Take Requires-Python from METADATA, letter by letter: make the page anew.",
)
def requires_python_differs(file: SeenFile) -> Iterator[Observation]:
    """Requires-Python on the page is that of the file."""
    if not _there(file):
        return
    inside = file.content.metadata if file.content else None
    found = inside or (file.sibling_metadata if _sibling_counts(file) else None)
    if found is None or not file.entry.requires_python:
        return
    said = file.entry.requires_python
    if _clauses(said) != _clauses(found.requires_python):
        yield Observation(f"the page says {said!r}, the file {found.requires_python or 'nothing'!r}")


def _clauses(value: str) -> list[str]:
    """Return the clauses of a specifier, however they are ordered and spaced."""
    return sorted("".join(clause.split()) for clause in value.split(",") if clause.strip())


@rule(
    SeenFile,
    "requires-python-missing",
    WARNING,
    clients="Both have to read the metadata of each version to find out that it is not for this Python; old pips "
    "install what does not run.",
    mend="Give data-requires-python, or requires-python in JSON: make the page anew from the file.",
)
def requires_python_missing(file: SeenFile) -> Iterator[Observation]:
    """Requires-Python of a file is on its page, too."""
    inside = file.content.metadata if file.content else None
    found = inside or (file.sibling_metadata if _sibling_counts(file) else None)
    is_missing = _there(file) and found and found.requires_python and not file.entry.requires_python
    if found and is_missing and _is_specifier(found.requires_python):
        yield Observation(f"the file says {found.requires_python!r}, the page nothing")


def _is_specifier(value: str) -> bool:
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    try:
        SpecifierSet(value)
    except InvalidSpecifier:
        return False
    return True


@rule(
    SeenFile,
    "metadata-name",
    ERROR,
    pip=DEPENDS,
    uv=DEPENDS,
    clients="pip passes over the file with a warning and takes an older version; uv stops, or takes the wrong one.",
    mend="Build the file again: renaming it is not enough.",
)
def metadata_name(file: SeenFile) -> Iterator[Observation]:
    """Name and version in the metadata of a file are those of its filename."""
    inside = file.content.metadata if file.content else None
    found = inside or (file.sibling_metadata if _sibling_counts(file) else None)
    if not _there(file) or found is None or not file.entry.filename.endswith(SUFFIXES):
        return
    filename, project = file.entry.filename, canonicalize_name(found.name)
    if filename.endswith(".whl"):
        try:
            name, version, _ = parse_filename(filename)
        except InvalidWheelFilename:
            return
    else:
        # Where the name of an sdist ends and its version begins only the metadata can tell.
        name, version = (project, said) if (said := sdist_version(filename, project)) else (filename, "")
    if project != name:
        yield Observation(f"the filename says {name}, the metadata {found.name or 'nothing'}")
    elif not _same_version(found.version, version):
        yield Observation(f"the filename says version {version}, the metadata {found.version or 'nothing'}")


def _same_version(one: str, other: str) -> bool:
    try:
        return Version(one) == Version(other)
    except InvalidVersion:
        return False


@rule(
    SeenFile,
    "metadata-bytes",
    WARNING,
    clients="What is installed is the same as long as the fields agree; a lock file that knows one hash refuses the "
    "other.",
    mend="Copy METADATA out of the wheel in binary, without a change of line ends.",
)
def metadata_bytes(file: SeenFile) -> Iterator[Observation]:
    """Core metadata beside a wheel is byte for byte that in it (--files deep)."""
    content = file.content
    if not _there(file) or not content or not content.metadata_sha256 or not _sibling_counts(file):
        return
    if content.metadata_sha256 != file.sibling_sha256 and content.metadata == file.sibling_metadata:
        yield Observation("the same fields, and other bytes")


@rule(
    SeenFile,
    "wheel-broken",
    ERROR,
    pip=FAILS,
    uv=FAILS,
    clients="Both download it and cannot install it.",
    mend="Copy or build it again.",
)
def wheel_broken(file: SeenFile) -> Iterator[Observation]:
    """A wheel or an sdist can be opened (--files deep)."""
    wrong_bytes = file.sha256 and file.entry.sha256 not in ("", file.sha256)  # `file-hash` says it
    if _there(file) and file.content and file.content.broken and not wrong_bytes:
        yield Observation(file.content.broken)


@rule(
    SeenFile,
    "wheel-ambiguous",
    WARNING,
    pip=DEPENDS,
    uv=DEPENDS,
    clients="Two readers of such a zip may see different files, and what was reviewed is not what is installed; uv "
    "refuses some of them, and the public index all.",
    mend="Build the wheel again with a current build tool.",
)
def wheel_ambiguous(file: SeenFile) -> Iterator[Observation]:
    """A wheel is one zip, of which all readers see the same (--files deep)."""
    if _there(file) and file.content:
        yield from map(Observation, file.content.ambiguous)


@rule(
    SeenFile,
    "wheel-record",
    WARNING,
    clients="What RECORD does not list stays behind when the project is uninstalled; pip warns of it.",
    mend="Build the wheel again: RECORD was not brought up to date when the wheel was changed.",
)
def wheel_record(file: SeenFile) -> Iterator[Observation]:
    """RECORD of a wheel lists its members, all of them and no others (--files deep)."""
    if _there(file) and file.content:
        yield from map(Observation, file.content.record)


@rule(
    SeenFile,
    "content-encoding",
    WARNING,
    pip=FAILS,
    clients="pip unpacks it and finds that the hash is another; uv does not.",
    mend="Take Content-Encoding off wheels and sdists, those in a bucket among them: they are no compressed pages.",
)
def content_encoding(file: SeenFile) -> Iterator[Observation]:
    """A file is sent as it is, without Content-Encoding."""
    encoding = file.reply.headers.get("content-encoding", "identity")
    if _there(file) and encoding not in ("identity", ""):
        yield Observation(f"is sent with Content-Encoding: {encoding}")


@rule(
    SeenFile,
    "gpg-sig",
    WARNING,
    clients="Neither looks for signatures; other tools fail on one that is missing.",
    mend="Put FILE.asc beside the file, or take gpg-sig off the page.",
)
def gpg_sig(file: SeenFile) -> Iterator[Observation]:
    """A signature that a page says is there is there."""
    if _there(file) and file.signature is not None and file.signature.status != 200:
        yield Observation(f"{file.entry.filename}.asc is not there")


@rule(
    SeenFile,
    "provenance",
    WARNING,
    clients="Neither looks at it; tools that verify attestations fail.",
    mend="Give an absolute https address that answers, or leave it out (PEP 740).",
)
def provenance(file: SeenFile) -> Iterator[Observation]:
    """The provenance of a file is at the address that the page gives."""
    if file.provenance is not None and file.provenance.status != 200:
        yield Observation(f"{redact(file.provenance.url)} answers {file.provenance.status or 'nothing'}")
