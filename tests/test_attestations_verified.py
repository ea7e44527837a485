"""Attestations that are verified, with real ones: --require-attestations, --attested-by, and `.attestation` files."""

from __future__ import annotations

import datetime
import hashlib
import json
from typing import TYPE_CHECKING

import pypi_attestations
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from mkindex.config import Config
from mkindex.distributions import verification
from mkindex.distributions.attestations import read_provenance
from mkindex.distributions.verification import publisher_of, verify
from mkindex.errors import ConfigError, Note, NotPublished, Rejected, Unreadable
from mkindex.model.identities import Identity
from support.attestations import (
    BY_GITHUB,
    BY_GITHUB_PROVENANCE,
    BY_GITHUB_SHA256,
    REAL,
    REAL_PROVENANCE,
    REAL_PUBLISHER,
    REAL_SHA256,
    attest,
    copy_real,
    real_attestations,
)
from support.builds import publish
from support.growing import add
from support.trees import read_tree
from support.wheels import write_wheel

if TYPE_CHECKING:
    from pathlib import Path

    from mkindex.model.identities import Publisher

WHEEL = "demo-1.0-py3-none-any.whl"
EMAIL = REAL_PUBLISHER["email"]
BY_GOOGLE = f"google:{EMAIL}"
SHOWN = f"Google {EMAIL}"
ATTESTATION = f"{REAL}.publish.attestation"


@pytest.fixture(autouse=True)
def own_root_of_trust(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let sigstore use the root of trust in its package, and not a newer one of the user."""
    for name in ("XDG_CACHE_HOME", "XDG_DATA_HOME"):
        monkeypatch.setenv(name, str(tmp_path_factory.mktemp("xdg")))


@pytest.fixture
def without_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """The extra `attest` is not installed."""
    monkeypatch.setattr(verification, "is_available", lambda: False)


@pytest.fixture
def dist(tmp_path: Path) -> Path:
    """A directory with the real sdist and its provenance object."""
    (tmp_path / "dist").mkdir()
    copy_real(tmp_path / "dist")
    return tmp_path / "dist"


@pytest.fixture
def signed(tmp_path: Path) -> Path:
    """A directory with the real sdist and its attestation, as a tool that signs leaves them."""
    (tmp_path / "signed").mkdir()
    copy_real(tmp_path / "signed", REAL)
    (tmp_path / "signed" / ATTESTATION).write_text(json.dumps(real_attestations()[0]))
    return tmp_path / "signed"


def filenames(public: Path) -> set[str]:
    """The names of the published files."""
    return {path.rpartition("/")[2] for path in read_tree(public) if path.startswith("files/")}


# --- signatures -------------------------------------------------------------------------------------------------------


def test_a_real_attestation_is_verified_without_a_network(caplog: pytest.LogCaptureFixture) -> None:
    real = read_provenance(REAL_PROVENANCE.read_bytes(), REAL, REAL_SHA256)
    of_github = read_provenance(BY_GITHUB_PROVENANCE.read_bytes(), BY_GITHUB, BY_GITHUB_SHA256)
    assert (verify(real), verify(of_github)) == (
        [REAL_PUBLISHER],
        [{"kind": "GitHub", "repository": "trailofbits/pypi-attestations", "workflow": "release.yml"}],
    )
    assert caplog.records == []


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ('"signature":"MEUCIQDvmv1O', '"signature":"MEUCIQDvmv2O', "not valid: DSSE: invalid signature"),
        ('"integratedTime":"1745247747"', '"integratedTime":"1945247747"', "not valid: "),
        ('"logIndex":"78266105"', '"logIndex":"78266104"', "not valid: "),
        ('"rootHash":"yTVQ', '"rootHash":"zTVQ', "not valid: "),
        ("rekor.sigstore.dev wNI9", "rekor.sigstore.dev wNI8", "not valid: "),
        ('"signedEntryTimestamp":"MEUCIQD7', '"signedEntryTimestamp":"MEUCIQD8', "not valid: "),
        ('"certificate":"MIIC7DCC', '"certificate":"MIIC7DCD', "not valid: "),
        ('"kind":"Google"', '"kind":"GitHub"', f"the provenance names GitHub {EMAIL}, and the certificate {SHOWN}"),
        (
            f'"email":"{EMAIL}"',
            '"email":"eve@example.com"',
            f"the provenance names Google eve@example.com, and the certificate {SHOWN}",
        ),
    ],
)
def test_a_changed_attestation_is_not_valid(old: str, new: str, reason: str) -> None:
    text = REAL_PROVENANCE.read_text("utf-8")
    changed = text.replace(old, new).encode()
    assert changed != text.encode()
    with pytest.raises(Unreadable) as error:
        verify(read_provenance(changed, REAL, REAL_SHA256))
    assert str(error.value).startswith(reason)


# --- who attests ------------------------------------------------------------------------------------------------------


GITHUB: Publisher = {"kind": "GitHub", "repository": "Acme/demo", "workflow": "release.yml"}


@pytest.mark.parametrize(
    ("text", "matching"),
    [
        ("github:acme/demo", True),
        ("github:Acme/*", True),
        ("github:acme/dem", False),
        ("github:other/demo", False),
        ("gitlab:acme/demo", False),
        ("google:acme@demo", False),
    ],
)
def test_an_identity_matches_a_publisher(text: str, matching: bool) -> None:
    identity = Identity.parse(text)
    assert identity
    assert identity.matches(GITHUB) is matching


@pytest.mark.parametrize(
    "text", ["", "acme/demo", "github:acme", "google:acme", "github:a@b", "pypi:acme/demo", "github:a/b c"]
)
def test_another_text_is_not_an_identity(text: str) -> None:
    with pytest.raises(ConfigError) as error:
        Config(sources=("a",), destination="b", require_attestations=True, attested_by=(text,))
    wanted = "must be github:OWNER/REPO, gitlab:GROUP/PROJECT or google:ADDRESS"
    assert str(error.value) == f"attested_by {wanted}, not {text!r}"


def test_an_identity_alone_demands_nothing() -> None:
    with pytest.raises(ConfigError) as error:
        Config(sources=("a",), destination="b", attested_by=("github:acme/demo",))
    assert str(error.value) == "attested_by requires require_attestations"


def certificate(claims: dict[int, str], email: str = "") -> x509.Certificate:
    """A certificate with claims, which a certificate authority did not sign."""
    key, day = ec.generate_private_key(ec.SECP256R1()), datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    builder = x509.CertificateBuilder().subject_name(x509.Name([])).issuer_name(x509.Name([])).serial_number(1)
    builder = builder.not_valid_before(day).not_valid_after(day).public_key(key.public_key())
    for number, text in claims.items():
        data = text.encode()
        length = bytes([len(data)]) if len(data) < 0x80 else bytes([0x81, len(data)])
        oid = x509.ObjectIdentifier(f"1.3.6.1.4.1.57264.1.{number}")
        builder = builder.add_extension(x509.UnrecognizedExtension(oid, b"\x0c" + length + data), critical=False)
    if email:
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.RFC822Name(email)]), critical=False)
    return builder.sign(key, hashes.SHA256())


GITHUB_ISSUER, GITLAB_ISSUER = "https://token.actions.githubusercontent.com", "https://gitlab.com"
REPOSITORY = "https://github.com/acme/demo"


@pytest.mark.parametrize(
    ("claims", "publisher"),
    [
        (
            {8: GITHUB_ISSUER, 12: REPOSITORY, 18: f"{REPOSITORY}/.github/workflows/release.yml@refs/tags/v1"},
            {"kind": "GitHub", "repository": "acme/demo", "workflow": "release.yml"},
        ),
        (
            {
                8: GITLAB_ISSUER,
                12: "https://gitlab.com/a/b/c",
                18: "https://gitlab.com/a/b/c//ci/x.yml@refs/heads/main",
            },
            {"kind": "GitLab", "repository": "a/b/c", "workflow_filepath": "ci/x.yml"},
        ),
        (
            {
                8: "https://oidc.circleci.com",
                9: "https://circleci.com/api/v2/projects/p-1/pipeline-definitions/d-2",
            },
            {"kind": "CircleCI", "project_id": "p-1", "pipeline_definition_id": "d-2"},
        ),
    ],
)
def test_the_publisher_is_the_one_in_the_certificate(claims: dict[int, str], publisher: Publisher) -> None:
    assert publisher_of(certificate(claims)) == publisher
    model = pypi_attestations.AttestationBundle.model_validate({"publisher": publisher, "attestations": []})
    assert model.publisher.model_dump(exclude_none=True) == publisher


@pytest.mark.parametrize(
    ("claims", "email", "who"),
    [
        ({8: "https://github.com/login/oauth"}, "a@example.com", "a@example.com (of https://github.com/login/oauth)"),
        # A workflow of another repository than the one that was built.
        (
            {8: GITHUB_ISSUER, 12: REPOSITORY, 18: "https://github.com/eve/x/.github/workflows/release.yml@main"},
            "",
            f"{REPOSITORY} (of {GITHUB_ISSUER})",
        ),
        # A repository of another host whose name begins in the same way.
        (
            {8: GITHUB_ISSUER, 12: "https://github.com.example/a/b", 18: "https://github.com.example/a/b/x@main"},
            "",
            f"https://github.com.example/a/b (of {GITHUB_ISSUER})",
        ),
        ({}, "", "unknown (of )"),
    ],
)
def test_anybody_else_is_not_a_trusted_publisher(claims: dict[int, str], email: str, who: str) -> None:
    with pytest.raises(Unreadable) as error:
        publisher_of(certificate(claims, email))
    assert str(error.value) == f"signed by {who}, which is not a Trusted Publisher"


# --- attestations that tools leave beside files -----------------------------------------------------------------------


def test_an_attestation_becomes_a_provenance_object_with_its_publisher(signed: Path, tmp_path: Path) -> None:
    report = publish(signed, tmp_path / "public", url="https://packages.example.com")
    (data,) = [data for path, data in read_tree(tmp_path / "public").items() if path.endswith(".provenance")]
    bundle = {"publisher": REAL_PUBLISHER, "attestations": list(real_attestations())}
    assert (json.loads(data), report.findings) == ({"version": 1, "attestation_bundles": [bundle]}, ())
    model = pypi_attestations.Provenance.model_validate_json(data)
    distribution = pypi_attestations.Distribution(name=REAL, digest=REAL_SHA256)
    for one in model.attestation_bundles:
        for attestation in one.attestations:
            attestation.verify(one.publisher, distribution, offline=True)


def test_a_verified_attestation_is_not_verified_again(
    signed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import os

    for path in signed.iterdir():
        os.utime(path, (1, 1))
    calls: list[object] = []

    def count(*arguments: object) -> list[Publisher]:
        calls.append(arguments)
        return [REAL_PUBLISHER]

    monkeypatch.setattr(verification, "verify", count)
    monkeypatch.setattr("mkindex.examine.attestations.is_settled", lambda *_: True)
    for _ in range(2):
        publish(signed, tmp_path / "public", cache_dir=str(tmp_path / "cache"))
    assert len(calls) == 1


@pytest.mark.usefixtures("without_extra")
def test_without_the_extra_an_attestation_is_not_published(signed: Path, tmp_path: Path) -> None:
    report = publish(signed, tmp_path / "public")
    install = "pip install 'mkindex[attest]'"
    text = f"not published: its publisher is known only when it is verified. To publish it: {install}"
    of_many = f"not published: their publisher is known only when they are verified. To publish them: {install}"
    assert report.findings == (Note(location=str(signed / ATTESTATION), text=text, text_of_many=of_many),)
    assert filenames(tmp_path / "public") == {REAL}


def test_without_the_extra_a_cache_publishes_no_more_than_a_cold_build(
    signed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mkindex.examine.attestations.is_settled", lambda *_: True)
    publish(signed, tmp_path / "public", cache_dir=str(tmp_path / "cache"))
    monkeypatch.setattr(verification, "is_available", lambda: False)
    publish(signed, tmp_path / "public", cache_dir=str(tmp_path / "cache"))
    assert filenames(tmp_path / "public") == {REAL}


def test_beside_a_provenance_object_attestations_are_skipped(signed: Path, tmp_path: Path) -> None:
    copy_real(signed)
    report = publish(signed, tmp_path / "public", url="https://packages.example.com")
    text = "skipped: the .provenance file beside it is used"
    assert report.findings == (Note(location=str(signed / ATTESTATION), text=text, detail=True),)
    sha256 = hashlib.sha256(REAL_PROVENANCE.read_bytes()).hexdigest()
    assert f"files/{sha256[:2]}/{sha256[2:]}/{REAL}.provenance" in read_tree(tmp_path / "public")


# --- --require-attestations -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("allowed", [(), (BY_GOOGLE,), ("github:acme/*", "google:*@developer.gserviceaccount.com")])
def test_a_file_with_a_valid_attestation_is_published(allowed: tuple[str, ...], dist: Path, tmp_path: Path) -> None:
    report = publish(dist, tmp_path / "public", require_attestations=True, attested_by=allowed)
    assert (filenames(tmp_path / "public"), report.rejected) == ({REAL, f"{REAL}.provenance"}, ())


def test_a_file_without_an_attestation_is_rejected(dist: Path, tmp_path: Path) -> None:
    write_wheel(dist, "demo", "1.0")
    report = publish(dist, tmp_path / "public", require_attestations=True)
    reason = (
        "has no attestation, which --require-attestations demands. Put the file NAME.publish.attestation or "
        "NAME.provenance beside it"
    )
    assert report.rejected == (Rejected(location=str(dist / WHEEL), reason=reason),)
    assert filenames(tmp_path / "public") == {REAL, f"{REAL}.provenance"}


def test_a_file_with_an_attestation_that_is_not_valid_is_rejected(dist: Path, tmp_path: Path) -> None:
    write_wheel(dist, "demo", "1.0")
    attest(dist / WHEEL)
    report = publish(dist, tmp_path / "public", require_attestations=True)
    (rejected,) = report.rejected
    assert rejected.location == str(dist / WHEEL)
    assert rejected.reason.startswith(f"has no valid attestation: {WHEEL}.provenance: not valid: ")
    assert filenames(tmp_path / "public") == {REAL, f"{REAL}.provenance"}


def test_a_file_that_somebody_else_attests_is_rejected(dist: Path, tmp_path: Path) -> None:
    with pytest.raises(NotPublished) as error:
        publish(dist, tmp_path / "public", require_attestations=True, attested_by=("github:acme/demo",))
    (rejected,) = error.value.findings
    assert rejected == Rejected(
        location=str(dist / REAL),
        reason=f"has no valid attestation: {REAL}.provenance: attested by {SHOWN}, and not by one of --attested-by",
        reason_of_many="have no valid attestation (-v: why)",
    )


def test_what_was_verified_for_one_identity_is_not_valid_for_another(dist: Path, tmp_path: Path) -> None:
    options = {"require_attestations": True, "cache_dir": str(tmp_path / "cache"), "allow_empty": True}
    for allowed, expected in ((BY_GOOGLE, True), ("github:acme/demo", False), (BY_GOOGLE, True)):
        report = publish(dist, tmp_path / "public", attested_by=(allowed,), prune=True, **options)
        assert bool(report.files) is expected


def test_add_demands_what_the_index_demands(dist: Path, tmp_path: Path) -> None:
    public = tmp_path / "public"
    publish(dist, public, require_attestations=True, attested_by=(BY_GOOGLE,))
    (tmp_path / "more").mkdir()
    write_wheel(tmp_path / "more", "demo", "1.0")
    report = add(tmp_path / "more", public, require_attestations=True, attested_by=(BY_GOOGLE,))
    assert [rejected.location for rejected in report.rejected] == [str(tmp_path / "more" / WHEEL)]
    assert filenames(public) == {REAL, f"{REAL}.provenance"}


@pytest.mark.usefixtures("without_extra")
def test_without_the_extra_attestations_cannot_be_required(dist: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as error:
        publish(dist, tmp_path / "public", require_attestations=True)
    assert str(error.value) == "require_attestations requires an extra: pip install 'mkindex[attest]'"
