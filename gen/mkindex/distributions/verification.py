"""Verify attestations with `pypi-attestations` and `sigstore`, the extra `attest`. Nothing is requested from a server.

The root of trust is the one that sigstore has on this machine: the copy in its package, or the newer one that one of
its own commands has downloaded.
"""

import logging
import re
from base64 import b64decode
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from threading import Lock
from typing import TYPE_CHECKING

from mkindex.distributions.attestations import Attestation
from mkindex.errors import ConfigError, Unreadable
from mkindex.model.identities import Identity, Publisher
from mkindex.text import printable

if TYPE_CHECKING:
    from cryptography.x509 import Certificate
    from sigstore.verify import Verifier

_LOCK = Lock()
_PAYLOAD = "application/vnd.in-toto+json"
# Claims of certificates: https://github.com/sigstore/fulcio/blob/main/docs/oid-info.md
_ISSUER, _SIGNER, _REPOSITORY, _WORKFLOW = (f"1.3.6.1.4.1.57264.1.{number}" for number in (8, 9, 12, 18))
_GITHUB, _GITLAB = "https://token.actions.githubusercontent.com", "https://gitlab.com"
_GOOGLE, _CIRCLECI = "https://accounts.google.com", "https://oidc.circleci.com"
_CIRCLECI_SIGNER = re.compile(
    r"https://circleci\.com/api/v2/projects/(?P<project>[\w-]+)/pipeline-definitions/(?P<definition>[\w-]+)", re.ASCII
)


@cache
def is_available() -> bool:
    """Tell whether the extra is installed."""
    from importlib.util import find_spec

    return find_spec("pypi_attestations") is not None


def verify(attestations: Iterable[Attestation], allowed: Iterable[Identity] = ()) -> list[Publisher]:
    """Verify attestations of one file: certificate, signature, transparency log, and who made them.

    Return the publisher of each. A publisher in a provenance object must be the one in the certificate. With
    `allowed`, one of the publishers must be among them. Raises Unreadable for an attestation that is not valid.
    """
    publishers = [_verify(attestation) for attestation in attestations]
    allowed = tuple(allowed)
    if allowed and not any(identity.matches(one) for one in publishers for identity in allowed):
        found = ", ".join(dict.fromkeys(map(describe, publishers)))
        raise Unreadable(f"attested by {found}, and not by one of --attested-by")
    return publishers


def describe(publisher: Publisher) -> str:
    """Return a publisher for a message."""
    name = publisher.get("repository") or publisher.get("email") or publisher.get("project_id") or "unknown"
    workflow = publisher.get("workflow") or publisher.get("workflow_filepath")
    return printable(f"{publisher.get('kind')} {name}{f' ({workflow})' if workflow else ''}")


class _AnySigner:
    """A policy of sigstore that says nothing about who signed: that is compared when the certificate is known."""

    def verify(self, cert: "Certificate") -> None:
        """Accept a certificate of which everything else is valid."""


def _verify(attestation: Attestation) -> Publisher:
    from pypi_attestations import Attestation as Model

    verifier = _verifier()
    try:
        bundle = Model.model_validate(attestation.raw).to_bundle()
        kind, payload = verifier.verify_dsse(bundle, _AnySigner())
    except Exception as error:  # no error of a parser may stop the other files
        raise Unreadable(f"not valid: {_sentence(error)}") from error
    if kind != _PAYLOAD or payload != _statement(attestation):
        raise Unreadable("not valid: what is signed is not its statement")
    publisher = publisher_of(bundle.signing_certificate)
    said = attestation.publisher
    if said is not None and any(said.get(key) != value for key, value in publisher.items()):
        raise Unreadable(f"the provenance names {describe(said)}, and the certificate {describe(publisher)}")
    return publisher


def _verifier() -> "Verifier":
    with _LOCK, _silenced():
        return _one_verifier()


@cache
def _one_verifier() -> "Verifier":
    from sigstore.models import ClientTrustConfig
    from sigstore.verify import Verifier

    try:
        return Verifier(trusted_root=ClientTrustConfig.production(offline=True).trusted_root)
    except OSError as error:
        raise ConfigError(f"sigstore cannot write its root of trust into the user's directories: {error}") from error


def _statement(attestation: Attestation) -> bytes:
    return b64decode("".join(attestation.raw["envelope"]["statement"].split()))


def publisher_of(certificate: "Certificate") -> Publisher:
    """Return the Trusted Publisher that a valid certificate names. Raises Unreadable for anybody else."""
    claims = dict(_claims(certificate))
    issuer, repository, workflow = (claims.get(one, "") for one in (_ISSUER, _REPOSITORY, _WORKFLOW))
    if issuer == _GITHUB:
        name, file = repository.removeprefix("https://github.com/"), f"{repository}/.github/workflows/"
        if name != repository and workflow.startswith(file):
            path = workflow.removeprefix(file).partition("@")[0]
            return {"kind": "GitHub", "repository": name, "workflow": path}
    elif issuer == _GITLAB:
        name, file = repository.removeprefix("https://gitlab.com/"), f"{repository}//"
        if name != repository and workflow.startswith(file):
            path = workflow.removeprefix(file).partition("@")[0]
            return {"kind": "GitLab", "repository": name, "workflow_filepath": path}
    elif issuer == _GOOGLE and len(emails := _emails(certificate)) == 1:
        return {"kind": "Google", "email": emails[0]}
    elif issuer == _CIRCLECI and (found := _CIRCLECI_SIGNER.fullmatch(claims.get(_SIGNER, ""))):
        return {
            "kind": "CircleCI",
            "project_id": found["project"],
            "pipeline_definition_id": found["definition"],
        }
    who = ", ".join(_emails(certificate)) or repository or "unknown"
    raise Unreadable(f"signed by {printable(who)} (of {printable(issuer)}), which is not a Trusted Publisher")


def _claims(certificate: "Certificate") -> Iterator[tuple[str, str]]:
    """Yield the claims of a certificate that are in use, which are strings in DER."""
    from cryptography.x509 import UnrecognizedExtension

    for extension in certificate.extensions:
        name, value = extension.oid.dotted_string, extension.value
        if name in (_ISSUER, _SIGNER, _REPOSITORY, _WORKFLOW) and isinstance(value, UnrecognizedExtension):
            yield name, _utf8_string(value.value)


def _utf8_string(der: bytes) -> str:
    """Return a UTF8String in DER of up to 65,535 bytes; "" for anything else."""
    if len(der) < 2 or der[0] != 0x0C:
        return ""
    head = 2 if der[1] < 0x80 else 2 + (der[1] & 0x7F)
    if head > 4 or len(der) < head:
        return ""
    length = der[1] if head == 2 else int.from_bytes(der[2:head], "big")
    return der[head:].decode("utf-8", "replace") if len(der) - head == length else ""


def _emails(certificate: "Certificate") -> list[str]:
    from cryptography.x509 import ExtensionNotFound, RFC822Name, SubjectAlternativeName

    try:
        names = certificate.extensions.get_extension_for_class(SubjectAlternativeName).value
    except ExtensionNotFound:
        return []
    return names.get_values_for_type(RFC822Name)


def _sentence(error: Exception) -> str:
    return printable(" ".join(str(error).split())[:200])


@contextmanager
def _silenced() -> Iterator[None]:
    """Keep sigstore from warning about being offline, which is what is wanted."""
    logger = logging.getLogger("sigstore")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)
