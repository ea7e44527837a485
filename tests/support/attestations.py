"""Files with attestations: real ones, and provenance objects that are right in form and that nobody signed."""

from __future__ import annotations

import hashlib
import json
from base64 import b64encode
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

FIXTURES = Path(__file__).parents[1] / "fixtures/attestations"
REAL = "gcb_attestation_test-0.0.0.tar.gz"  # signed by a build of Google Cloud
REAL_SDIST = FIXTURES / REAL
REAL_PROVENANCE = FIXTURES / f"{REAL}.provenance"
REAL_SHA256 = hashlib.sha256(REAL_SDIST.read_bytes()).hexdigest()
REAL_PUBLISHER = {"kind": "Google", "email": "919436158236-compute@developer.gserviceaccount.com"}


def statement(filename: str, sha256: str, **other: object) -> dict[str, Any]:
    """An in-toto Statement about a file."""
    return {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": filename, "digest": {"sha256": sha256}}],
        "predicateType": "https://docs.pypi.org/attestations/publish/v1",
        "predicate": None,
        **other,
    }


def attestation(filename: str, sha256: str, **other: object) -> dict[str, Any]:
    """An attestation of a file, with a signature that verifies nowhere."""
    text = json.dumps(statement(filename, sha256)).encode()
    return {
        "version": 1,
        "verification_material": {"certificate": "MIIB", "transparency_entries": [{"logIndex": "1"}]},
        "envelope": {"statement": b64encode(text).decode(), "signature": "MEUC"},
        **other,
    }


def provenance(filename: str, sha256: str, **other: object) -> dict[str, Any]:
    """A provenance object with one attestation of a file."""
    bundle = {
        "publisher": {"kind": "GitHub", "repository": "acme/demo", "workflow": "release.yml", "environment": None},
        "attestations": [attestation(filename, sha256)],
    }
    return {"version": 1, "attestation_bundles": [bundle], **other}


def attest(file: Path, *, comment: str = "") -> bytes:
    """Write a provenance object beside a file, and return its bytes. `comment`: makes them differ."""
    found = provenance(file.name, hashlib.sha256(file.read_bytes()).hexdigest(), **({"_c": comment} if comment else {}))
    data = json.dumps(found).encode()
    file.with_name(f"{file.name}.provenance").write_bytes(data)
    return data


def copy_real(directory: Path, *names: str) -> None:
    """Copy the real sdist, and with other names files beside it."""
    for name in names or (REAL, f"{REAL}.provenance"):
        (directory / name).write_bytes((FIXTURES / name).read_bytes())


def real_attestations() -> Sequence[dict[str, Any]]:
    """The attestations in the real provenance object."""
    (bundle,) = json.loads(REAL_PROVENANCE.read_bytes())["attestation_bundles"]
    found: Sequence[dict[str, Any]] = bundle["attestations"]
    return found


BY_GITHUB = "pypi_attestations-0.0.19.tar.gz"  # signed by a workflow; only its provenance object is here
BY_GITHUB_PROVENANCE = FIXTURES / f"{BY_GITHUB}.provenance"
BY_GITHUB_SHA256 = "9bb1add04b1b4e182be6b0b80931593f7a291eb49d69b4fd728a5d4cbcdc4bd3"
