"""Rules on the provenance of a file: its attestations (PEP 740)."""

from collections.abc import Iterator

from mkindex.check.findings import NOTE, WARNING, Violation, rule
from mkindex.check.observations import SeenFile
from mkindex.text import printable, redact

_IMPACT = "pip and uv ignore it. Tools that verify attestations fail."


@rule(
    SeenFile,
    "provenance",
    WARNING,
    impact=_IMPACT,
    fix="Use an absolute https address that exists (mkindex --url), or remove the field (PEP 740).",
)
def provenance(file: SeenFile) -> Iterator[Violation]:
    """The address of the provenance of a file is absolute, begins with https, and exists."""
    address = file.entry.provenance
    if address and not address.startswith("https://"):
        yield Violation(f"{printable(redact(address))[:200]} is not an absolute https address")
    if file.provenance is not None and file.provenance.status != 200:
        status = file.provenance.status
        answer = f"answers {status}" if status else "does not answer"
        yield Violation(f"{redact(file.provenance.url)} {answer}")


@rule(
    SeenFile,
    "provenance-content",
    WARNING,
    impact=_IMPACT,
    fix="Publish the provenance object that belongs to this file: JSON of version 1, whose attestations have its "
    "filename and its sha256 (PEP 740).",
)
def provenance_content(file: SeenFile) -> Iterator[Violation]:
    """The provenance of a file is a provenance object with attestations of exactly this file."""
    if file.provenance_error:
        yield Violation(file.provenance_error)


@rule(
    SeenFile,
    "attestation",
    WARNING,
    impact="pip and uv install the file. Tools that verify attestations reject it: it may not come from its publisher.",
    fix="Find out who changed the file or its attestations, and publish them again from their source. If Sigstore has "
    "new keys, update the package: pip install --upgrade sigstore.",
)
def attestation(file: SeenFile) -> Iterator[Violation]:
    """The attestations of a file are valid, and by the publisher that its provenance names (--files deep)."""
    if file.signature_error:
        yield Violation(file.signature_error)


@rule(
    SeenFile,
    "attestation-unverified",
    NOTE,
    impact="It is not known whether its attestations are valid.",
    fix="Install the extra: pip install 'mkindex[attest]'.",
)
def attestation_unverified(file: SeenFile) -> Iterator[Violation]:
    """The attestations of a file can be verified (--files deep)."""
    if file.is_unverified:
        yield Violation("its attestations are not verified, since the extra attest is not installed")
