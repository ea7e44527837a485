"""Attestations beside files (PEP 740): what is published, named and rejected. Nothing here verifies a signature."""

from __future__ import annotations

import hashlib
import json
import os
from base64 import b64encode
from functools import partial
from typing import TYPE_CHECKING, Any

import pypi_attestations
import pytest

from mkindex.build.pipeline import build
from mkindex.config import Config
from mkindex.distributions.attestations import attested_filename, make_provenance, read_attestation, read_provenance
from mkindex.errors import Note, Rejected, Unreadable
from mkindex.simple.reader import parse_html
from support.attestations import REAL, REAL_PROVENANCE, REAL_SHA256, attest, attestation, copy_real, provenance
from support.builds import cold_build, publish
from support.growing import add, remove
from support.trees import anchors, read_tree
from support.wheels import TIMESTAMP, write_sdist, write_wheel

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

HOST = "https://packages.example.com/pypi"
WHEEL = "demo-1.0-py3-none-any.whl"
SHA256 = "a" * 64
OLD = TIMESTAMP  # mtimes long ago, so that facts are remembered


def path_of(data: bytes, filename: str = WHEEL) -> str:
    """The path at which a provenance object is published."""
    sha256 = hashlib.sha256(data).hexdigest()
    return f"files/{sha256[:2]}/{sha256[2:]}/{filename}.provenance"


def named(public: Path, project: str = "demo") -> list[tuple[str | None, str | None]]:
    """The provenance of each file on the HTML page and on the JSON page."""
    page = public / "simple" / project
    html = [anchor.attributes.get("data-provenance") for anchor in anchors((page / "index.html").read_bytes())]
    files = json.loads((page / "index.v1_json").read_text())["files"]
    return list(zip(html, [file.get("provenance") for file in files], strict=True))


def published(public: Path) -> dict[str, bytes]:
    """The provenance objects of a tree."""
    return {path: data for path, data in read_tree(public).items() if path.endswith(".provenance")}


def wheel_in(directory: Path, name: str, version: str) -> Path:
    """A new directory with a wheel."""
    directory.mkdir()
    write_wheel(directory, name, version, mtime=OLD)
    return directory


@pytest.fixture
def wheels(tmp_path: Path) -> Path:
    """A directory with a wheel."""
    return wheel_in(tmp_path / "wheels", "demo", "1.0")


# --- which files are attestations -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "subject"),
    [
        (f"{WHEEL}.provenance", WHEEL),
        (f"{WHEEL}.publish.attestation", WHEEL),
        (f"{WHEEL}.slsa.attestation", WHEEL),
        ("demo-1.0.tar.gz.publish.attestation", "demo-1.0.tar.gz"),
        ("demo-1.0.zip.provenance", "demo-1.0.zip"),
        (f"{WHEEL}.attestation", ""),
        (f"{WHEEL}.metadata", ""),
        ("notes.txt.provenance", ""),
        (WHEEL, ""),
    ],
)
def test_a_file_of_attestations_is_recognized_by_its_name(name: str, subject: str) -> None:
    assert attested_filename(name) == subject


# --- publishing -------------------------------------------------------------------------------------------------------


def test_a_provenance_object_is_published_and_named_absolutely(wheels: Path, tmp_path: Path) -> None:
    data = attest(wheels / WHEEL)
    report = publish(wheels, tmp_path / "public", url=f"{HOST}/")
    address = f"{HOST}/{path_of(data)}"
    assert (published(tmp_path / "public"), named(tmp_path / "public"), report.findings) == (
        {path_of(data): data},
        [(address, address)],
        (),
    )


def test_an_sdist_has_provenance_too(tmp_path: Path) -> None:
    (tmp_path / "dist").mkdir()
    copy_real(tmp_path / "dist")
    publish(tmp_path / "dist", tmp_path / "public", url=HOST)
    path = path_of(REAL_PROVENANCE.read_bytes(), REAL)
    assert published(tmp_path / "public") == {path: REAL_PROVENANCE.read_bytes()}
    assert named(tmp_path / "public", "gcb-attestation-test") == [(f"{HOST}/{path}", f"{HOST}/{path}")]


@pytest.mark.parametrize(
    ("url", "advice"),
    [(None, "give --url to name them, as https://…"), ("http://packages.example.com", "--url must begin with https")],
)
def test_without_an_https_address_provenance_is_published_and_not_named(
    url: str | None, advice: str, wheels: Path, tmp_path: Path
) -> None:
    data = attest(wheels / WHEEL)
    report = publish(wheels, tmp_path / "public", url=url)
    text = f"1 file has attestations that pages can name only by an absolute https address: {advice}"
    assert (list(published(tmp_path / "public")), named(tmp_path / "public"), report.findings) == (
        [path_of(data)],
        [(None, None)],
        (Note(location="attestations", text=text),),
    )


def test_pages_for_people_link_to_provenance_without_an_address(wheels: Path, tmp_path: Path) -> None:
    data = attest(wheels / WHEEL)
    publish(wheels, tmp_path / "public", site=True)
    assert f'href="../../{path_of(data)}"' in (tmp_path / "public/project/demo/index.html").read_text()


def test_with_files_url_provenance_is_in_the_tree(wheels: Path, tmp_path: Path) -> None:
    data = attest(wheels / WHEEL)
    publish(wheels, tmp_path / "public", url=HOST, files_url="https://files.example.com")
    address = f"{HOST}/{path_of(data)}"
    assert (list(published(tmp_path / "public")), named(tmp_path / "public")) == ([path_of(data)], [(address, address)])


@pytest.mark.parametrize("has_url", [True, False])
def test_every_change_gives_the_tree_of_a_cold_build(has_url: bool, wheels: Path, tmp_path: Path) -> None:
    url, cache = (HOST if has_url else None), str(tmp_path / "cache")
    beside = wheels / f"{WHEEL}.provenance"

    def replace_all() -> None:
        attest(wheels / WHEEL)
        (wheels / WHEEL).unlink()
        write_sdist(wheels, "demo", "2.0", mtime=OLD)

    changes: list[Callable[[], object]] = [
        partial(attest, wheels / WHEEL),
        partial(attest, wheels / WHEEL, comment="another"),
        partial(beside.write_bytes, b"{"),
        partial(attest, wheels / WHEEL),
        beside.unlink,
        replace_all,
    ]
    for change in changes:
        change()
        publish(wheels, tmp_path / "public", url=url, cache_dir=cache)
        assert read_tree(tmp_path / "public") == cold_build(wheels, url=url)


def test_nothing_is_written_if_nothing_has_changed(wheels: Path, tmp_path: Path) -> None:
    attest(wheels / WHEEL)
    first, second = (publish(wheels, tmp_path / "public", url=HOST).written for _ in range(2))
    assert (first > 0, second) == (True, 0)


def test_a_replaced_provenance_object_stays_for_the_grace_time(wheels: Path, tmp_path: Path) -> None:
    old = attest(wheels / WHEEL)
    publish(wheels, tmp_path / "public", url=HOST, grace=900)
    new = attest(wheels / WHEEL, comment="another")
    report = publish(wheels, tmp_path / "public", url=HOST, grace=900)
    assert (set(published(tmp_path / "public")), report.removed_files) == ({path_of(old), path_of(new)}, ())
    publish(wheels, tmp_path / "public", url=HOST)
    assert set(published(tmp_path / "public")) == {path_of(new)}


def test_a_dry_run_writes_nothing(wheels: Path, tmp_path: Path) -> None:
    data = attest(wheels / WHEEL)
    report = publish(wheels, tmp_path / "public", url=HOST, dry_run=True)
    assert path_of(data) in [put.resource.path for put in report.plan.puts]
    assert not (tmp_path / "public").exists()


# --- growth -----------------------------------------------------------------------------------------------------------


def test_add_keeps_provenance_and_remove_removes_it(wheels: Path, tmp_path: Path) -> None:
    public = tmp_path / "public"
    data = attest(wheels / WHEEL)
    publish(wheels, public, url=HOST)
    wheel_in(tmp_path / "more", "demo", "2.0")
    more = attest(tmp_path / "more/demo-2.0-py3-none-any.whl")
    for path in wheels.iterdir():
        path.unlink()
    add(tmp_path / "more", public, url=HOST)
    second = path_of(more, "demo-2.0-py3-none-any.whl")
    assert published(public) == {path_of(data): data, second: more}
    assert named(public) == [(f"{HOST}/{path}",) * 2 for path in (path_of(data), second)]
    remove(public, lambda file: file.version == "1.0", url=HOST)
    assert published(public) == {second: more}


def test_changes_without_an_address_keep_the_names_of_provenance(wheels: Path, tmp_path: Path) -> None:
    public = tmp_path / "public"
    data = attest(wheels / WHEEL)
    publish(wheels, public, url=HOST, legacy_json=True)
    before = read_tree(public)
    wheel_in(tmp_path / "more", "demo", "2.0")
    report = add(tmp_path / "more", public)
    assert (report.notes, report.config.url) == ((), HOST)
    assert named(public) == [(f"{HOST}/{path_of(data)}",) * 2, (None, None)]
    remove(public, lambda file: file.version == "2.0")
    assert {path: data for path, data in read_tree(public).items() if "2.0" not in path} == before


def test_add_gives_provenance_to_a_published_file(wheels: Path, tmp_path: Path) -> None:
    publish(wheels, tmp_path / "public", url=HOST)
    data = attest(wheels / WHEEL)
    add(wheels, tmp_path / "public", url=HOST)
    other = attest(wheels / WHEEL, comment="another")
    assert published(tmp_path / "public") == {path_of(data): data}
    add(wheels, tmp_path / "public", url=HOST)
    assert published(tmp_path / "public") == {path_of(other): other}


def test_add_names_what_was_published_without_an_address(wheels: Path, tmp_path: Path) -> None:
    data = attest(wheels / WHEEL)
    publish(wheels, tmp_path / "public")
    wheel_in(tmp_path / "more", "other", "1.0")
    add(tmp_path / "more", tmp_path / "public", url=HOST)
    assert named(tmp_path / "public") == [(f"{HOST}/{path_of(data)}",) * 2]


def test_add_does_not_list_provenance_that_somebody_changed(wheels: Path, tmp_path: Path) -> None:
    data = attest(wheels / WHEEL)
    publish(wheels, tmp_path / "public", url=HOST)
    (tmp_path / "public" / path_of(data)).write_bytes(b"{}")
    wheel_in(tmp_path / "more", "other", "1.0")
    add(tmp_path / "more", tmp_path / "public", url=HOST)
    assert named(tmp_path / "public") == [(None, None)]


def test_of_several_sources_one_with_provenance_suffices(wheels: Path, tmp_path: Path) -> None:
    (tmp_path / "copy").mkdir()
    (tmp_path / "copy" / WHEEL).write_bytes((wheels / WHEEL).read_bytes())
    data = attest(tmp_path / "copy" / WHEEL)
    sources = (str(wheels), str(tmp_path / "copy"))
    build(Config(sources=sources, destination=str(tmp_path / "public"), url=HOST))
    assert named(tmp_path / "public") == [(f"{HOST}/{path_of(data)}",) * 2]


# --- what is wrong with attestations ----------------------------------------------------------------------------------


def test_a_malformed_provenance_object_is_rejected_and_its_file_published(wheels: Path, tmp_path: Path) -> None:
    (wheels / f"{WHEEL}.provenance").write_bytes(b'{"version": 1')
    report = publish(wheels, tmp_path / "public", url=HOST)
    reason = "attestation not published: the provenance object is not JSON (damaged or truncated)"
    assert report.findings == (Rejected(location=str(wheels / f"{WHEEL}.provenance"), reason=reason),)
    assert (published(tmp_path / "public"), named(tmp_path / "public")) == ({}, [(None, None)])


def test_a_pipe_in_the_place_of_attestations_is_not_waited_for(
    wheels: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    beside = wheels / f"{WHEEL}.provenance"
    attest(wheels / WHEEL)

    def replace_by_pipe(*_: object) -> bool:
        beside.unlink()
        os.mkfifo(beside)
        return True

    monkeypatch.setattr("mkindex.build.collecting.has_attestations", replace_by_pipe)
    report = publish(wheels, tmp_path / "public", url=HOST)
    reason = "attestation not published: cannot be read: not a regular file"
    assert report.findings == (Rejected(location=str(beside), reason=reason),)


def test_attestations_of_a_file_that_is_not_there_are_a_detail(wheels: Path, tmp_path: Path) -> None:
    beside = wheels / "gone-1.0.tar.gz.provenance"
    beside.write_bytes(b"{}")
    text = "skipped: the file that it attests is not published from here"
    assert publish(wheels, tmp_path / "public").findings == (Note(location=str(beside), text=text, detail=True),)


def test_a_selection_leaves_out_attestations_with_their_files(wheels: Path, tmp_path: Path) -> None:
    (wheels / "other-1.0.tar.gz.provenance").write_bytes(b"{")
    assert publish(wheels, tmp_path / "public", include=("demo",)).findings == ()


def replaced(*path: str | int, value: object) -> bytes:
    """The bytes of a provenance object in which one value is another; DELETE: is missing."""
    found: Any = provenance(WHEEL, SHA256)
    place = found
    for part in path[:-1]:
        place = place[part]
    if value is ...:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    return json.dumps(found).encode()


BUNDLE = ("attestation_bundles", 0)
ONE = (*BUNDLE, "attestations", 0)


def signed(value: object) -> bytes:
    """The bytes of a provenance object whose statement is another value."""
    return replaced(*ONE, "envelope", "statement", value=b64encode(json.dumps(value).encode()).decode())


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "the provenance object is not JSON (damaged or truncated)"),
        (b"\xff\xfe", "the provenance object is not JSON (damaged or truncated)"),
        (b"[" * 100_000, "the provenance object is not JSON (damaged or truncated)"),
        (b'{"version": ' + b"9" * 5000 + b"}", "the provenance object is not JSON (damaged or truncated)"),
        (b'{"version": NaN}', "the provenance object is not JSON (damaged or truncated)"),
        (b" " * ((1 << 20) + 1), "larger than 1 MiB, the limit for attestations"),
        (b"[]", "it is not a JSON object"),
        (replaced("version", value=2), "version 2; the specification has only version 1 (PEP 740)"),
        (replaced("version", value=True), "version True; the specification has only version 1 (PEP 740)"),
        (replaced("version", value=...), "version None; the specification has only version 1 (PEP 740)"),
        (
            replaced("attestation_bundles", value=[]),
            "attestation_bundles is not a JSON array with at least one item",
        ),
        (replaced(*BUNDLE, value=1), "an item of attestation_bundles is not a JSON object"),
        (replaced(*BUNDLE, "publisher", value=None), "publisher is not a JSON object"),
        (replaced(*BUNDLE, "publisher", "kind", value=""), "a publisher has no kind"),
        (replaced(*BUNDLE, "attestations", value={}), "attestations is not a JSON array with at least one item"),
        (
            replaced(*BUNDLE, "attestations", value=[attestation(WHEEL, SHA256)] * 101),
            "more than 100 attestations, the limit of mkindex",
        ),
        (replaced(*ONE, value=None), "an attestation is not a JSON object"),
        (
            replaced(*ONE, "version", value="1"),
            "an attestation of version '1'; the specification has only version 1 (PEP 740)",
        ),
        (replaced(*ONE, "verification_material", value=...), "verification_material is not a JSON object"),
        (replaced(*ONE, "verification_material", "certificate", value="!"), "certificate is not base64"),
        (
            replaced(*ONE, "verification_material", "transparency_entries", value=[]),
            "transparency_entries is not a JSON array with at least one item",
        ),
        (replaced(*ONE, "envelope", "signature", value=1), "signature is not base64"),
        (replaced(*ONE, "envelope", "statement", value="Zm8="), "the statement is not JSON (damaged or truncated)"),
        (signed([]), "statement is not a JSON object"),
        (signed({}), "a statement is not an in-toto Statement v1 with exactly one subject"),
        (
            signed({"_type": "https://in-toto.io/Statement/v1", "subject": [{"name": WHEEL, "digest": {}}]}),
            "the subject of a statement has no filename, or no sha256",
        ),
        (
            json.dumps(provenance(WHEEL, "b" * 64)).encode(),
            f"it attests a file with sha256 {'b' * 64}; this file has {SHA256}",
        ),
        (
            json.dumps(provenance("demo-1.1-py3-none-any.whl", SHA256)).encode(),
            "it attests 'demo-1.1-py3-none-any.whl', not this filename",
        ),
    ],
    ids=lambda value: value[:40] if isinstance(value, str) else "",
)
def test_a_provenance_object_with_a_wrong_form_is_refused(data: bytes, reason: str) -> None:
    with pytest.raises(Unreadable) as error:
        read_provenance(data, WHEEL, SHA256)
    assert str(error.value) == reason


def test_of_many_attestations_beside_a_file_none_is_read(wheels: Path, tmp_path: Path) -> None:
    for number in range(101):
        (wheels / f"{WHEEL}.k{number:03d}.attestation").write_bytes(b"{")
    reason = "attestation not published: more than 100 attestations, the limit of mkindex"
    expected = (Rejected(location=str(wheels / f"{WHEEL}.k000.attestation"), reason=reason),)
    assert publish(wheels, tmp_path / "public", url=HOST).findings == expected


def test_a_page_gives_each_file_no_more_attestations_than_are_refused() -> None:
    beside = "".join(f'<a href="{WHEEL}.k{number}.attestation">x</a>' for number in range(300))
    page = parse_html(f'<!DOCTYPE html>\n<a href="{WHEEL}">x</a>{beside}', "https://example.com/simple/demo/")
    assert [len(link.attestations) for link in page.links] == [101]


def test_an_attestation_is_not_nested_so_deeply_that_it_could_not_be_written() -> None:
    data = json.dumps(attestation(WHEEL, SHA256)).removesuffix("}") + f', "x": {"[" * 600}{"]" * 600}}}'
    with pytest.raises(Unreadable, match=r"^an attestation with more than 500 arrays and objects, the limit"):
        read_attestation(data.encode(), WHEEL, SHA256)


def test_no_provenance_object_is_made_that_would_be_too_large_to_be_read() -> None:
    data = json.dumps(attestation(WHEEL, SHA256, x="y" * 600_000)).encode()
    with pytest.raises(Unreadable, match=r"^larger than 1 MiB, the limit for attestations$"):
        make_provenance([("{}", data), ("{}", data)])


def test_the_subject_may_spell_the_filename_in_another_way() -> None:
    data = json.dumps(provenance("Demo-1.0-py3-none-any.whl", SHA256)).encode()
    assert [one.subject for one in read_provenance(data, WHEEL, SHA256)] == ["Demo-1.0-py3-none-any.whl"]


def test_the_reference_implementation_reads_what_is_accepted() -> None:
    data = json.dumps(provenance(WHEEL, SHA256)).encode()
    model = pypi_attestations.Provenance.model_validate_json(data)
    ours = read_provenance(data, WHEEL, SHA256)
    theirs = [one for bundle in model.attestation_bundles for one in bundle.attestations]
    assert [one.statement["subject"] for one in theirs] == [
        [{"name": one.subject, "digest": {"sha256": one.sha256}}] for one in ours
    ]


def test_a_real_provenance_object_is_read() -> None:
    (found,) = read_provenance(REAL_PROVENANCE.read_bytes(), REAL, REAL_SHA256)
    alone = read_attestation(json.dumps(found.raw).encode(), REAL, REAL_SHA256)
    assert (found.subject, found.sha256, found.predicate_type, alone) == (
        REAL,
        REAL_SHA256,
        "https://docs.pypi.org/attestations/publish/v1",
        found._replace(publisher=None),
    )
