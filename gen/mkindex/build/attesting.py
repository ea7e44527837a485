"""Attestations of files (PEP 740), between examining them and assembling the index."""

from collections.abc import Iterable, Sequence

from mkindex.build.workspace import Workspace
from mkindex.config import Config
from mkindex.errors import Note, Rejected
from mkindex.model.files import AttestationFile, File, Link
from mkindex.options import InvalidOption
from mkindex.site.layout import names_provenance


def has_attestations(files: Iterable[File], beside: Sequence[AttestationFile], config: Config) -> bool:
    """Tell whether there is anything to do for attestations, in a time that every build can spend."""
    if beside or config.require_attestations:
        return True
    is_mirrored = _copies_provenance(config)
    for artifact, _, _, _ in files:
        link = artifact if isinstance(artifact, Link) else artifact.link
        if link and (link.attestations or (is_mirrored and link.provenance)):
            return True
    return False


def attest(
    files: Sequence[File], beside: Sequence[AttestationFile], work: Workspace
) -> tuple[list[File], list[Rejected | Note]]:
    """Return the files with their provenance objects, and findings. Raises ConfigError without the extra `attest`."""
    from mkindex.distributions.verification import is_available
    from mkindex.examine.attestations import AttestationWork, Demand, attach_attestations
    from mkindex.model.identities import Identity

    config, demand = work.config, None
    if config.require_attestations:
        if not is_available():
            raise InvalidOption("require_attestations", "requires an extra: pip install 'mkindex[attest]'")
        demand = Demand(tuple(one for text in config.attested_by if (one := Identity.parse(text))))
    tools = AttestationWork(
        web=work.web,
        cache=work.cache,
        executor=work.connections,
        tree=work.destination,
        is_mirrored=_copies_provenance(config),
        demand=demand,
        keep_going=config.keep_going,
        dry_run=config.dry_run,
    )
    return attach_attestations(files, beside, tools)


def _copies_provenance(config: Config) -> bool:
    """Tell whether provenance objects of mirrored files are copied: if pages name the copies, or did so before."""
    return config.remote == "mirror" and (names_provenance(config.url) or config.previous is not None)
