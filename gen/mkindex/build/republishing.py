"""Grow a site that each deployment replaces: what it lists is published again, and nothing of it is lost.

Each deployment has a number and a digest of what it lists, its generation. The last one that was deployed is remembered
in the cache directory, which a workflow keeps only if the deployment succeeded. An older site, or another one with the
same number, is what a cache sent, or what another run deployed at the same time.
"""

import json
import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from mkindex.build.examining import examine_all
from mkindex.build.growing import Published
from mkindex.build.listing import sort_listing
from mkindex.build.workspace import Workspace
from mkindex.config import Config
from mkindex.errors import Note, Rejected, SourceError
from mkindex.model.files import Artifact, File, Link
from mkindex.sources.generation import Generation
from mkindex.sources.published_site import SiteContent, read_site
from mkindex.text import printable, redact

_KNOWN = "generations.json"  # in the cache directory: the last generation of each site, by address
_LARGEST = 1 << 20  # bytes


def list_site(work: Workspace, *, first: bool) -> Published:
    """Return what the --previous site lists. Its files are downloaded into the destination, and verified.

    Raises SourceError if the site cannot be read as a whole, or is not the one that was deployed last.
    """
    config, site = work.config, work.config.previous or ""
    try:
        content = read_site(site, simple_path=config.simple_path, web=work.web, executor=work.connections)
    except SourceError as error:
        raise SourceError(f"--previous: {error}") from error
    _refuse_older(config, site, content, first=first)
    if content is None:
        note = Note(location=redact(site), text="nothing is published there yet")
        return Published([], [], [note], Generation(1))
    artifacts, _, statuses, _, _ = sort_listing(content.items)
    files = _examined(work, artifacts, content.roots)
    number = content.generation.number + 1 if content.generation else 1
    with_files = {file.project for file in files}
    text = "quarantined: the site lists no file of it, so none is published again. If it has files, add them"
    notes: list[Rejected | Note] = [
        Note(location=marker.project, text=text)
        for marker in statuses
        # A generation records the files of quarantined projects.
        if not content.generation and marker.status.status == "quarantined" and marker.project not in with_files
    ]
    return Published(files, statuses, notes, Generation(number))


def _examined(work: Workspace, artifacts: Sequence[Artifact | Link], roots: tuple[str, ...]) -> list[File]:
    """Return the files of a site: those below one of its addresses are downloaded, others stay where they are."""
    mirror = work._replace(config=replace(work.config, remote="mirror", files_url=None, keep_going=False))
    refer = work._replace(config=replace(work.config, remote="reference", keep_going=False))
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
            f"--previous: {redact(site)} has generation {now.number or 'none'}, but generation {last.number} was "
            "deployed last, with other files. A cache sent an older site, or two runs deployed at the same time. Run "
            f"again in ten minutes. If the last deployment failed, delete {where}"
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
        temporary.write_text(json.dumps(known))
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
            content = json.loads(file.read(_LARGEST))
        return {site: Generation(int(number), str(listing)) for site, (number, listing) in content.items()}
    except (OSError, ValueError, TypeError, AttributeError, RecursionError):
        return {}
