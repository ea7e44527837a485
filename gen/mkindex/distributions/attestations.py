"""Read attestations and provenance objects (PEP 740), and make provenance objects. No signature is verified here.

A file of attestations is beside its distribution: NAME.publish.attestation or another NAME.KIND.attestation, as the
tools that sign write them, has one attestation; NAME.provenance has a whole provenance object.
"""

import binascii
import json
import re
from base64 import b64decode
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, NoReturn

from mkindex.distributions.filenames import SUFFIXES
from mkindex.errors import Unreadable
from mkindex.model.identities import Publisher

MAX_PROVENANCE = 1 << 20  # bytes; an attestation has some 6,000
MOST_ATTESTATIONS = 100  # of one file
_MOST_NESTED = 500  # arrays and objects in one attestation, which has 11; more might be nested too deeply to be written
_MAX_CLAIM = 1000  # characters that are shown or compared
_ENDING = re.compile(r"(?:\.provenance|\.[A-Za-z0-9_-]+\.attestation)\Z")
_STATEMENT = "https://in-toto.io/Statement/v1"
_SHA256 = re.compile(r"[0-9a-f]{64}")


class Attestation(NamedTuple):
    """One attestation, with what it says of itself."""

    raw: dict[str, Any]  # as in a provenance object
    publisher: Publisher | None  # None: it is not from a provenance object
    subject: str  # the filename that it is about
    sha256: str  # of that file, in lower case
    predicate_type: str


def attested_filename(name: str) -> str:
    """Return the name of the file that a file of attestations is about; "" for any other file."""
    found = _ENDING.search(name)
    subject = name[: found.start()] if found else ""
    return subject if subject.endswith(SUFFIXES) else ""


def read_provenance(raw: bytes, filename: str, sha256: str) -> list[Attestation]:
    """Return the attestations of a provenance object. `filename`, `sha256`: the file that they must be about; "": any.

    Raises Unreadable.
    """
    found = _object(_load(raw, "provenance object"), "it")
    if type(found.get("version")) is not int or found["version"] != 1:
        raise Unreadable(f"version {_shown(found.get('version'))}; the specification has only version 1 (PEP 740)")
    attestations = []
    for bundle in _array(found.get("attestation_bundles"), "attestation_bundles"):
        fields = _object(bundle, "an item of attestation_bundles")
        publisher = _object(fields.get("publisher"), "publisher")
        if not isinstance(publisher.get("kind"), str) or not publisher["kind"]:
            raise Unreadable("a publisher has no kind")
        attestations += [_attestation(one, publisher) for one in _array(fields.get("attestations"), "attestations")]
    refuse_many(len(attestations))
    for attestation in attestations:
        _require_subject(attestation, filename, sha256)
    return attestations


def refuse_many(attestations: int) -> None:
    """Raise Unreadable for more attestations of a file than are read."""
    if attestations > MOST_ATTESTATIONS:
        raise Unreadable(f"more than {MOST_ATTESTATIONS} attestations, the limit of mkindex")


def read_attestation(raw: bytes, filename: str, sha256: str) -> Attestation:
    """Return the attestation of a `.attestation` file about the file with this name and hash. Raises Unreadable."""
    if raw.count(b"[") + raw.count(b"{") > _MOST_NESTED:
        raise Unreadable(f"an attestation with more than {_MOST_NESTED} arrays and objects, the limit of mkindex")
    attestation = _attestation(_load(raw, "attestation"), None)
    _require_subject(attestation, filename, sha256)
    return attestation


def make_provenance(attestations: Iterable[tuple[str, bytes]]) -> bytes:
    """Return the provenance object of attestations, each given as its publisher in JSON and its own bytes.

    Raises Unreadable for one that would be too large to be read.
    """
    bundles: dict[str, list[Any]] = {}
    for publisher, raw in attestations:
        bundles.setdefault(publisher, []).append(json.loads(raw))
    found = {
        "version": 1,
        "attestation_bundles": [
            {"publisher": json.loads(publisher), "attestations": bundles[publisher]} for publisher in bundles
        ],
    }
    data = json.dumps(found, separators=(",", ":"), ensure_ascii=True).encode("ascii") + b"\n"
    _refuse_large(data)
    return data


def _attestation(found: object, publisher: Publisher | None) -> Attestation:
    fields = _object(found, "an attestation")
    if type(fields.get("version")) is not int or fields["version"] != 1:
        raise Unreadable(
            f"an attestation of version {_shown(fields.get('version'))}; the specification has only version 1 (PEP 740)"
        )
    material = _object(fields.get("verification_material"), "verification_material")
    _bytes(material.get("certificate"), "certificate")
    for entry in _array(material.get("transparency_entries"), "transparency_entries"):
        _object(entry, "an item of transparency_entries")
    envelope = _object(fields.get("envelope"), "envelope")
    _bytes(envelope.get("signature"), "signature")
    statement = _object(_load(_bytes(envelope.get("statement"), "statement"), "statement"), "statement")
    subjects = statement.get("subject")
    if statement.get("_type") != _STATEMENT or not isinstance(subjects, list) or len(subjects) != 1:
        raise Unreadable("a statement is not an in-toto Statement v1 with exactly one subject")
    subject = _object(subjects[0], "subject")
    name, sha256 = subject.get("name"), _object(subject.get("digest"), "digest").get("sha256")
    if not isinstance(name, str) or not isinstance(sha256, str) or not _SHA256.fullmatch(sha256.lower()):
        raise Unreadable("the subject of a statement has no filename, or no sha256")
    predicate_type = statement.get("predicateType")
    if not isinstance(predicate_type, str):
        raise Unreadable("a statement has no predicateType")
    return Attestation(fields, publisher, name[:_MAX_CLAIM], sha256.lower(), predicate_type[:_MAX_CLAIM])


def _require_subject(attestation: Attestation, filename: str, sha256: str) -> None:
    """Raise Unreadable for an attestation of another file. The filename may be spelled in another way (PEP 740)."""
    if sha256 and attestation.sha256 != sha256:
        raise Unreadable(f"it attests a file with sha256 {attestation.sha256}; this file has {sha256}")
    if attestation.subject != filename and _parsed(attestation.subject) != _parsed(filename):
        raise Unreadable(f"it attests {_shown(attestation.subject)}, not this filename")


def _parsed(filename: str) -> Sequence[object]:
    from packaging.utils import parse_sdist_filename, parse_wheel_filename

    try:
        return parse_wheel_filename(filename) if filename.endswith(".whl") else parse_sdist_filename(filename)
    except ValueError:
        return (filename,)


def _load(raw: bytes, what: str) -> object:
    _refuse_large(raw)
    try:
        found: object = json.loads(raw.decode("utf-8"), parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"the {what} is not JSON (damaged or truncated)") from error
    return found


def _refuse_large(data: bytes) -> None:
    if len(data) > MAX_PROVENANCE:
        raise Unreadable(f"larger than {MAX_PROVENANCE >> 20} MiB, the limit for attestations")


def _refuse_constant(text: str) -> NoReturn:
    raise ValueError(text)  # NaN or Infinity: other readers of JSON refuse the whole text


def _object(found: object, what: str) -> dict[str, Any]:
    if not isinstance(found, dict):
        raise Unreadable(f"{what} is not a JSON object")
    return found


def _array(found: object, what: str) -> list[Any]:
    if not isinstance(found, list) or not found:
        raise Unreadable(f"{what} is not a JSON array with at least one item")
    return found


def _bytes(found: object, what: str) -> bytes:
    """Return what a string has in base64. White space is ignored, as other readers do."""
    try:
        decoded = b64decode("".join(found.split()), validate=True) if isinstance(found, str) else b""
    except (binascii.Error, ValueError):
        decoded = b""
    if not decoded:
        raise Unreadable(f"{what} is not base64")
    return decoded


def _shown(value: object) -> str:
    return ascii(value)[:60]
