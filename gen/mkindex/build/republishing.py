"""Grow a site that each deployment replaces: what it lists is published again, and nothing of it is lost.

Each deployment has a number and a digest of what it lists, its generation. The last one that was deployed is remembered
in the cache directory, which a workflow keeps only if the deployment succeeded; elsewhere, it is the last one that was
built, whether or not it was deployed. An older site, or another one with the
same number, is what a cache sent, or what another run deployed at the same time.
"""

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from mkindex.build.attesting import attest, has_attestations
from mkindex.build.examining import examine_all
from mkindex.build.growing import Published, list_published
from mkindex.build.listing import sort_listing
from mkindex.build.workspace import Workspace
from mkindex.config import Config
from mkindex.errors import Note, Rejected, SourceError
from mkindex.model.files import Artifact, AttestationFile, File, Fingerprint, Link
from mkindex.sources.generation import MOST, Generation
from mkindex.sources.published_site import OtherPage, SiteContent, has_page, read_site
from mkindex.text import printable, redact
from mkindex.tree.names import FILES_DIRECTORY, GENERATION_TXT, INDEX_HTML, LICENSES_HTML, LINKS_HTML, PYODIDE_JSON

_KNOWN = "generations.json"  # in the cache directory: a line for each site, with its address and last generation
_JSON_ROOT = "json/simple"  # where the documentation puts it
_LARGEST = 1 << 20  # bytes


def list_site(work: Workspace, *, first: bool) -> Published:
    """Return what the --previous site lists. Its files are downloaded into the destination, and verified.

    If the destination has what was built here last, and the site is older, that is returned: perhaps it was deployed,
    and a cache sent the older site. Raises SourceError if the site cannot be read as a whole, or is not the one that
    was deployed last. `first`: it may be another page, or missing.
    """
    config, site = work.config, work.config.previous or ""
    content, notes = _read(work, first=first)
    last = _known(config).get(_directory(site), Generation(0))
    now = (content and content.generation) or Generation(0)
    if now.number < last.number and not first and (built := _built_last(work, last)):
        text = f"has generation {now.number or 'none'}; {printable(config.destination)} has generation {last.number}, "
        text += "which was built here last: its files are kept, whether or not it was deployed"
        note = Note(location=redact(site), text=text)
        return built._replace(findings=[*built.findings, note], generation=Generation(last.number + 1))
    _refuse_older(config, site, content, first=first)
    if content is None:
        return Published([], [], notes, Generation(1))
    artifacts, statuses = (listed := sort_listing(content.items)).artifacts, listed.statuses
    files, of_attestations = _attested(work, _examined(work, artifacts, content.roots))
    notes += of_attestations
    with_files = {file.project for file in files}
    text = "quarantined: the site lists no file of it, so none is published again. If it has files, add them"
    notes += [
        Note(location=marker.project, text=text)
        for marker in statuses
        # A generation records the files of quarantined projects.
        if not content.generation and marker.status.status == "quarantined" and marker.project not in with_files
    ]
    notes += _note_lost_pages(work, site, content.base)
    return Published(files, statuses, notes, Generation(now.number + 1))


def _read(work: Workspace, *, first: bool) -> tuple[SiteContent | None, list[Rejected | Note]]:
    """Return what the --previous site lists, None if nothing is published there, and notes about that."""
    config, site = work.config, work.config.previous or ""
    try:
        content = read_site(site, simple_path=config.simple_path, web=work.web, executor=work.connections)
    except OtherPage as error:
        if first:
            return None, [Note(location=redact(site), text="another page is published there, which is replaced")]
        advice = ". To replace it, use --first" if config.sources else ""  # only `add` has the option
        raise SourceError(f"--previous: {error}. Another page is published there{advice}") from error
    except SourceError as error:
        raise SourceError(f"--previous: {error}") from error
    return content, [] if content else [Note(location=redact(site), text="nothing is published there yet")]


def _built_last(work: Workspace, last: Generation) -> Published | None:
    """Return what the destination lists if it has the generation that was built here last, and all of its files."""
    recorded = Generation.parse(work.destination.read(GENERATION_TXT, MOST), "")
    if recorded is None or recorded[0] != last:
        return None
    published = list_published(work)
    return None if any(isinstance(finding, Rejected) for finding in published.findings) else published


def _note_lost_pages(work: Workspace, site: str, base: str) -> Iterator[Note]:
    """Yield a note if the site has pages that are not of the index, and that this build does not write."""
    config = work.config
    pages = [
        (LINKS_HTML, "--links", config.links),
        (LICENSES_HTML, "--site", config.site),
        (f"{_JSON_ROOT}/{INDEX_HTML}", f"--json-root {_JSON_ROOT}", config.json_root is not None),
        (PYODIDE_JSON, "--pyodide-json", config.pyodide_json),
    ]
    lost = [option for path, option, is_written in pages if not is_written and has_page(f"{base}{path}", work.web)]
    if lost:
        text = f"the site has pages that this run does not write. To keep them, give {' '.join(lost)}"
        yield Note(location=redact(site), text=text)


def _examined(work: Workspace, artifacts: Sequence[Artifact | Link], roots: tuple[str, ...]) -> list[File]:
    """Return the files of a site: those below one of its addresses are downloaded, others stay where they are."""
    mirror = work._replace(config=work.config.replace(remote="mirror", files_url=None, keep_going=False))
    refer = work._replace(config=work.config.replace(remote="reference", keep_going=False))
    own = [one for one in artifacts if isinstance(one, Artifact) or one.url.startswith(roots)]
    others = [one for one in artifacts if isinstance(one, Link) and not one.url.startswith(roots)]
    files = []
    for outcome in (*examine_all(own, mirror), *examine_all(others, refer)):
        if isinstance(outcome, Rejected):
            raise SourceError(
                f"--previous: {outcome.location}: {outcome.reason}. Nothing is published, since the site lists this "
                "file: publish it again, or remove it from the site"
            )
        files.append(outcome)
    return files


def _attested(work: Workspace, files: list[File]) -> tuple[list[File], list[Rejected | Note]]:
    """Return the files of a site with the provenance objects that the site has of them, and findings."""
    # Nothing of the site stays at its address, and what was demanded of its files was demanded before.
    config = work.config.replace(
        remote="mirror", require_attestations=False, attested_by=(), files_url=None, keep_going=False
    )
    placed = [file for file in files if isinstance(file.artifact, Artifact)]
    beside = [one for file in placed if (one := _own_provenance(file))]
    here = {one.subject for one in beside}
    wanted = [file for file in placed if file.local.path in here or (file.listing and file.listing.is_elsewhere)]
    if not has_attestations(wanted, beside, config):
        return files, []
    attested, findings = attest(wanted, beside, work._replace(config=config))
    by_path = {file.local.path: file for file in attested}
    return [
        by_path.get(file.local.path, file) if isinstance(file.artifact, Artifact) else file for file in files
    ], findings


def _own_provenance(file: File) -> AttestationFile | None:
    """Return the provenance object that a site in a directory has of a file."""
    root, files, _ = file.local.path.rpartition(f"/{FILES_DIRECTORY}/")
    _, names, rest = file.provenance.rpartition(f"/{FILES_DIRECTORY}/")
    path = f"{root}/{FILES_DIRECTORY}/{rest}"
    if not (files and names) or ".." in rest or not os.path.isfile(path):
        return None
    return AttestationFile(path, file.local.path, Fingerprint.of(os.stat(path)))


def _refuse_older(config: Config, site: str, content: SiteContent | None, *, first: bool) -> None:
    """Raise SourceError for a site that cannot be the one that was deployed last."""
    known = _known(config)
    where = printable(os.path.join(config.cache_dir or "", _KNOWN))
    if content is None:
        if known and not first:
            other, last = next(iter(known.items()))
            raise SourceError(
                f"--previous: nothing is published at {redact(site)}, but {where} has generation {last.number} of "
                f"{redact(other)}. Check the address. If nothing was published there yet, use --first"
            )
        return
    last = known.get(_directory(site), Generation(0))
    now = content.generation or Generation(0)
    if now.number < last.number or (now.number == last.number != 0 and now.listing != last.listing):
        raise SourceError(
            f"--previous: {redact(site)} has generation {now.number or 'none'}, but generation {last.number} was built "
            "here last, with other files. If it was deployed, a cache sent an older site, or two runs deployed at the "
            "same time: run again in ten minutes. If it was not, continue with the published site: delete the line of "
            f"{_directory(site)} in {where}"
        )


def remember_generation(config: Config, generation: Generation) -> None:
    """Remember what was built to be deployed at --previous."""
    if config.cache_dir is None:
        return
    known = _known(config) | {_directory(config.previous or ""): generation}
    path = Path(config.cache_dir) / _KNOWN
    with suppress(OSError):  # without it, only an older site is not noticed
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{_KNOWN}-{os.getpid()}")
        temporary.write_text("".join(f"{json.dumps({one: known[one]})}\n" for one in known))
        temporary.replace(path)


def _directory(site: str) -> str:
    """Return the address of a site as generations are kept under it, however its end is typed."""
    return f"{redact(site).rstrip('/')}/"


def _known(config: Config) -> dict[str, Generation]:
    """Return the generations that the cache directory has, by address; none if it has no valid record."""
    if config.cache_dir is None:
        return {}
    try:
        with (Path(config.cache_dir) / _KNOWN).open("rb") as file:
            lines = [json.loads(line) for line in file.read(_LARGEST).splitlines() if line.strip()]
        return {
            site: Generation(int(number), str(listing)) for line in lines for site, (number, listing) in line.items()
        }
    except (OSError, ValueError, TypeError, AttributeError, RecursionError):
        return {}
