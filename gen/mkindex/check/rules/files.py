"""Rules on one file: it exists, and page, metadata and contents agree."""

from collections.abc import Iterator

from packaging.utils import InvalidWheelFilename, canonicalize_name
from packaging.version import InvalidVersion

from mkindex.check.addresses import display_link
from mkindex.check.findings import DEPENDS, ERROR, FAILS, WARNING, WRONG, Violation, rule
from mkindex.check.observations import Requirements, SeenFile
from mkindex.check.specifiers import same_specifiers
from mkindex.distributions.filenames import SUFFIXES, parse_filename, sdist_version
from mkindex.distributions.specifiers import why_unusable
from mkindex.model.index import parse_version
from mkindex.text import redact

_COMPARED = ("name", "version", "requires_python", "requires_dist", "extras")


def _answer(file: SeenFile) -> str:
    """Describe what came instead of the file."""
    if file.is_local:
        return "cannot be read" if file.reply.status == 403 else "is missing"
    return f"answers {file.reply.status}" if file.reply.status else file.reply.broken or "does not answer"


@rule(
    SeenFile,
    "file-missing",
    ERROR,
    pip=FAILS,
    uv=FAILS,
    impact="pip and uv choose the newest file on the page and stop if it is missing. They do not try an older one.",
    fix="Put the file back, or remove it from the page. When publishing, upload files before pages.",
)
def file_missing(file: SeenFile) -> Iterator[Violation]:
    """A file that a page lists exists and can be read."""
    if file.page_redirected and file.reply.status in (404, 410):
        return  # `redirect-moves-links` reports it
    if file.reply.status != 200 or file.reply.broken:
        yield Violation(f"{_answer(file)} ({display_link(file.entry.link)})")
    elif file.read_error:
        yield Violation(f"cannot be read: {file.read_error}")


@rule(
    SeenFile,
    "file-is-page",
    ERROR,
    pip=FAILS,
    uv=FAILS,
    impact="pip and uv download the page, then cannot open it or report a hash mismatch.",
    fix="The server answers with a page for people, such as a login page or its own error page. Make it send the "
    "file, or 404.",
)
def file_is_page(file: SeenFile) -> Iterator[Violation]:
    """The address of a file returns the file, not an HTML page."""
    if file.reply.status == 200 and file.is_page:
        yield Violation("is an HTML page")


@rule(
    SeenFile,
    "redirect-moves-links",
    ERROR,
    pip=FAILS,
    uv=FAILS,
    impact="pip and uv resolve relative links against the final address of the page, after redirects.",
    fix="Redirect to the same directory (only a slash at the end may be added), or use absolute links on the page.",
)
def redirect_moves_links(file: SeenFile) -> Iterator[Violation]:
    """A redirect of a page does not break its relative links."""
    if file.page_redirected and file.reply.status in (404, 410):
        link, page = display_link(file.entry.link), redact(file.entry.page)
        yield Violation(f"the page was redirected to {page}, where {link} does not exist")


@rule(
    SeenFile,
    "file-hash",
    ERROR,
    pip=FAILS,
    uv=FAILS,
    impact="pip and uv reject the file: its contents are not those that the page describes.",
    fix="The file was replaced or damaged. Restore it, or rebuild the page.",
)
def file_hash(file: SeenFile) -> Iterator[Violation]:
    """A file has the hash that the page gives."""
    if not file.exists:
        return
    if file.sha256 and file.entry.sha256 not in ("", file.sha256):
        yield Violation(f"its sha256 is {file.sha256}, but the page says {file.entry.sha256}")
    if file.other_hash and file.entry.other_hash not in ("", file.other_hash):
        yield Violation(f"its hash is {file.other_hash}, but the page says {file.entry.other_hash}")


@rule(
    SeenFile,
    "file-size",
    ERROR,
    impact="pip and uv do not check the size before they install. Progress bars are wrong, and lock files store the "
    "wrong size.",
    fix="The page was made for another file. Rebuild the page.",
)
def file_size(file: SeenFile) -> Iterator[Violation]:
    """A file has the size that the page gives."""
    is_another = file.sha256 and file.entry.sha256 not in ("", file.sha256)  # `file-hash` reports it
    if file.exists and not is_another and None not in (file.size, file.entry.size) and file.size != file.entry.size:
        yield Violation(f"has {file.size:,} bytes, but the page says {file.entry.size:,}")


@rule(
    SeenFile,
    "metadata-missing",
    ERROR,
    pip=FAILS,
    uv=FAILS,
    impact="pip and uv request FILE.metadata and stop if it is missing, although the wheel would be enough.",
    fix="Publish the METADATA of the wheel as FILE.metadata, or remove core-metadata from the page.",
)
def metadata_missing(file: SeenFile) -> Iterator[Violation]:
    """If a page announces core metadata for a wheel, the .metadata file exists."""
    sibling = file.sibling
    if not file.exists or sibling is None:
        return
    if sibling.status != 200 or sibling.broken:
        answer = f"answers {sibling.status}" if sibling.status and not file.is_local else sibling.broken or "is missing"
        yield Violation(f"{file.entry.filename}.metadata {answer}")
    elif sibling.media_type in ("text/html", "application/xhtml+xml"):
        yield Violation(f"{file.entry.filename}.metadata is an HTML page")


@rule(
    SeenFile,
    "metadata-hash",
    ERROR,
    pip=FAILS,
    uv=FAILS,
    impact="pip and uv reject the metadata, and the file with it.",
    fix="Copy METADATA byte for byte out of the wheel, then rebuild the page.",
)
def metadata_hash(file: SeenFile) -> Iterator[Violation]:
    """A .metadata file has the hash that the page gives."""
    if file.exists and file.sibling_sha256 and file.entry.metadata not in (None, "", file.sibling_sha256):
        yield Violation(
            f"the sha256 of its .metadata is {file.sibling_sha256}, but the page says {file.entry.metadata}"
        )


def is_sibling_used(file: SeenFile) -> bool:
    """Tell whether clients use the sibling: they reject it if its hash is not the one on the page."""
    return file.sibling_sha256 != "" and file.entry.metadata in ("", file.sibling_sha256)


def metadata_of(file: SeenFile) -> Requirements | None:
    """Return the core metadata of a file: from the file if it was opened, else from the sibling."""
    if file.content and file.content.metadata:
        return file.content.metadata
    return file.sibling_metadata if is_sibling_used(file) else None


@rule(
    SeenFile,
    "metadata-differs",
    ERROR,
    pip=DEPENDS,
    uv=WRONG,
    impact="uv trusts the .metadata file: it installs dependencies that the wheel does not have, or misses some that "
    "it has. pip compares the dependencies and rejects the wheel, but trusts the .metadata file for Requires-Python.",
    fix="Copy METADATA byte for byte out of the wheel, then rebuild the page.",
)
def metadata_differs(file: SeenFile) -> Iterator[Violation]:
    """A .metadata file has the same fields as METADATA in the wheel (--files deep)."""
    inside = file.content.metadata if file.content else None
    beside = file.sibling_metadata
    if not file.exists or inside is None or beside is None or not is_sibling_used(file):
        return
    for field in _differing_fields(inside, beside):
        name = field.replace("_", "-").title()
        ours, theirs = _short(getattr(beside, field)), _short(getattr(inside, field))
        yield Violation(f"{name} is {ours} in the .metadata file, but {theirs} in the wheel")


def _differing_fields(one: Requirements, other: Requirements) -> list[str]:
    differing = [field for field in _COMPARED if getattr(one, field) != getattr(other, field)]
    if same_specifiers(one.requires_python, other.requires_python):
        differing = [field for field in differing if field != "requires_python"]
    return differing


def _short(value: object) -> str:
    text = ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)
    return f"{text[:100]!r}" if text else "missing"


@rule(
    SeenFile,
    "requires-python-differs",
    ERROR,
    pip=WRONG,
    uv=WRONG,
    impact="pip and uv decide by the page, without looking into the file. A version is hidden from a Python that it "
    "supports, or offered to one that it does not support.",
    fix="Copy Requires-Python unchanged from METADATA: rebuild the page.",
)
def requires_python_differs(file: SeenFile) -> Iterator[Violation]:
    """Requires-Python on the page is that of the file."""
    metadata, on_page = metadata_of(file), file.entry.requires_python
    if not file.exists or metadata is None or not on_page:
        return
    if not same_specifiers(on_page, metadata.requires_python):
        yield Violation(f"the page says {on_page!r}, but the file says {metadata.requires_python or 'nothing'!r}")


@rule(
    SeenFile,
    "requires-python-missing",
    WARNING,
    impact="pip and uv have to read the metadata of every version to find out that it does not support this Python. "
    "Old versions of pip install files that do not run.",
    fix="Add data-requires-python (HTML) or requires-python (JSON): rebuild the page from the file.",
)
def requires_python_missing(file: SeenFile) -> Iterator[Violation]:
    """If a file has Requires-Python, its page has it, too."""
    metadata = metadata_of(file)
    if not file.exists or metadata is None or not metadata.requires_python or file.entry.requires_python:
        return
    if not why_unusable(metadata.requires_python):
        yield Violation(f"the file says {metadata.requires_python!r}, but the page says nothing")


@rule(
    SeenFile,
    "metadata-name",
    ERROR,
    pip=DEPENDS,
    uv=DEPENDS,
    impact="pip ignores the file with a warning and takes an older version. uv stops, or takes the wrong version.",
    fix="Build the file again. Renaming it is not enough.",
)
def metadata_name(file: SeenFile) -> Iterator[Violation]:
    """Name and version in the metadata of a file match its filename."""
    metadata, filename = metadata_of(file), file.entry.filename
    if not file.exists or metadata is None or not filename.endswith(SUFFIXES):
        return
    project = canonicalize_name(metadata.name)
    if filename.endswith(".whl"):
        try:
            name, version, _ = parse_filename(filename)
        except InvalidWheelFilename:
            return
    else:
        # Only the metadata can tell where the name in the filename of an sdist ends.
        found = sdist_version(filename, project)
        name, version = (project, found) if found else (filename, "")
    if project != name:
        yield Violation(f"the filename says {name}, but the metadata says {metadata.name or 'nothing'}")
    elif not _same_version(metadata.version, version):
        yield Violation(f"the filename says version {version}, but the metadata says {metadata.version or 'nothing'}")


def _same_version(one: str, other: str) -> bool:
    try:
        return parse_version(one) == parse_version(other)
    except InvalidVersion:
        return False


@rule(
    SeenFile,
    "metadata-bytes",
    WARNING,
    impact="What is installed is the same as long as the fields agree. But a lock file that has the hash of one "
    "rejects the other.",
    fix="Copy METADATA out of the wheel as binary data, without changing line endings.",
)
def metadata_bytes(file: SeenFile) -> Iterator[Violation]:
    """A .metadata file is byte for byte METADATA in the wheel (--files deep)."""
    content = file.content
    if not file.exists or not content or not content.metadata_sha256 or not is_sibling_used(file):
        return
    inside, beside = content.metadata, file.sibling_metadata
    is_same = inside == beside or (inside and beside and not _differing_fields(inside, beside))
    if content.metadata_sha256 != file.sibling_sha256 and is_same:
        yield Violation("the fields are the same, but the bytes differ")


@rule(
    SeenFile,
    "content-encoding",
    WARNING,
    pip=FAILS,
    impact="pip decompresses the file and reports a hash mismatch. uv does not decompress it.",
    fix="Remove Content-Encoding from wheels and sdists, also from those in a bucket: they are not compressed pages.",
)
def content_encoding(file: SeenFile) -> Iterator[Violation]:
    """A file is sent without Content-Encoding."""
    encoding = file.reply.headers.get("content-encoding", "identity")
    if file.exists and encoding not in ("identity", ""):
        yield Violation(f"is sent with Content-Encoding: {encoding}")


@rule(
    SeenFile,
    "gpg-sig",
    WARNING,
    impact="pip and uv do not look for signatures. Other tools fail if one is missing.",
    fix="Put FILE.asc beside the file, or remove gpg-sig from the page.",
)
def gpg_sig(file: SeenFile) -> Iterator[Violation]:
    """If a page announces a signature, the signature exists."""
    if file.exists and file.signature is not None and file.signature.status != 200:
        yield Violation(f"{file.entry.filename}.asc is missing")
