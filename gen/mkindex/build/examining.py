"""The second step of a build: what is found becomes files with facts, or is rejected."""

from collections.abc import Iterable, Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING

from mkindex.build.workspace import Workspace, processes
from mkindex.config import Config
from mkindex.distributions.filenames import split_label
from mkindex.errors import Note, Rejected, nothing
from mkindex.examine.local import scan
from mkindex.model.files import Artifact, File, Link, judge_filename

if TYPE_CHECKING:
    from mkindex.examine.links_elsewhere import LinkWorkers


def examine_all(artifacts: Sequence[Artifact | Link], work: Workspace) -> list[File | Rejected]:
    """Return the File of each artifact and link, or its rejection, in their order."""
    local = [artifact for artifact in artifacts if isinstance(artifact, Artifact)]
    if len(local) == len(artifacts):
        return _examine_local(local, work)
    files = iter(_examine_local(local, work))
    links = iter(_examine_links([link for link in artifacts if isinstance(link, Link)], work))
    return [next(links if isinstance(artifact, Link) else files) for artifact in artifacts]


def _examine_local(artifacts: Sequence[Artifact], work: Workspace) -> list[File | Rejected]:
    config = work.config
    copies = config.files_url is None and config.link_mode == "copy" and not config.dry_run
    size = sum(artifact.fingerprint.size for artifact in artifacts)
    hasher = work.destination.take if copies else None
    elsewhere = None
    if work.workers:
        from mkindex.examine.files_elsewhere import FileWorkers  # here, since most builds have no workers

        elsewhere = FileWorkers(work.workers, work.destination.copies if copies else None, hasher, work.announce)
    with work.progress("reading", size) if artifacts else nullcontext(nothing) as advance:
        return scan(
            artifacts,
            cache=work.cache,
            executor=work.executor,
            progress=advance,
            processes=0 if config.engine == "threads" else processes(config),
            hasher=hasher,
            elsewhere=elsewhere,
        )


def _examine_links(links: Sequence[Link], work: Workspace) -> list[File | Rejected]:
    if not links:
        return []
    from mkindex.examine.remote import Remote

    config = work.config
    remote = Remote(
        web=work.web,
        cache=work.cache,
        executor=work.connections,
        announce=work.announce,
        progress=work.progress,
        max_download=config.max_download,
        allow_unhashed=config.allow_unhashed,
        keep_going=config.keep_going,
        dry_run=config.dry_run,
        elsewhere=_link_workers(work),
    )
    return remote.mirror(links, work.destination) if config.remote == "mirror" else remote.refer(links)


def _link_workers(work: Workspace) -> "LinkWorkers | None":
    """Return the workers for links: only those elsewhere, since threads of this machine wait for servers as well."""
    if work.workers is None or work.workers.share_environment:
        return None
    from mkindex.examine.links_elsewhere import LinkWorkers

    return LinkWorkers(work.workers, work.announce)


def sort_outcomes(
    outcomes: Iterable[File | Rejected | Note], config: Config
) -> tuple[list[File], list[Rejected | Note]]:
    """Separate files and findings. A file with another filename than its metadata says is judged."""
    files: list[File] = []
    findings: list[Rejected | Note] = []
    for outcome in outcomes:
        if isinstance(outcome, File) and not (outcome.facts.right_filename or outcome.facts.variant):
            files.append(outcome)
        elif isinstance(outcome, File) and outcome.facts.variant:
            if config.wheel_variants:
                files.append(outcome)
            else:
                findings.append(_reject_variant(outcome))
        elif isinstance(outcome, File):
            is_placed = config.remote == "mirror" or (isinstance(outcome.artifact, Artifact) and not config.files_url)
            finding = judge_filename(outcome, fix_names=config.fix_names, is_placed=is_placed)
            findings.append(finding)
            files += [outcome] if isinstance(finding, Note) else []
        else:
            findings.append(outcome)
    return files, findings


def _reject_variant(file: File) -> Rejected:
    """Return the rejection of a wheel variant, for the reason that most clients do not know them yet."""
    clients = "pip, poetry and PDM ignore {}, and so does uv without --preview-features wheel-variants"
    advice = "--wheel-variants publishes {}"
    return Rejected(
        location=file.artifact.location,
        reason=f"a wheel variant with the label {split_label(file.filename)[1]} (PEP 825, a draft): "
        f"{clients.format('it')}. {advice.format('it')}",
        reason_of_many=f"wheel variants (PEP 825, a draft): {clients.format('them')}. {advice.format('them')}",
    )
