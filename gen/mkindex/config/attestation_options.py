"""The options for attestations of files (PEP 740)."""

from mkindex.options import Options, option

ATTESTATIONS = "Attestations"  # the heading


class AttestationOptions(Options, heading=ATTESTATIONS):
    """The options for attestations, with which files are published only if it is known who made them."""

    require_attestations: bool = option(
        False,
        "Reject files without a valid attestation, that is, one signed by a Trusted Publisher for exactly this file. "
        "Requires the extra attest.",
        shapes=True,
    )
    attested_by: tuple[str, ...] = option(
        (),
        "With --require-attestations: who may have signed it: github:OWNER/REPO, github:OWNER/*, gitlab:GROUP/PROJECT "
        "or google:ADDRESS. May be repeated.",
        metavar="IDENTITY",
        automatic="any Trusted Publisher",
        shapes=True,
    )
