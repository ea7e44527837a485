"""Wheels of a bucket that are mirrored into an index in a bucket."""

from __future__ import annotations

import hashlib
import random
from typing import TYPE_CHECKING, Any, Literal

import pytest

from mkindex.build.pipeline import build
from mkindex.config import Config
from mkindex.errors import DestinationError
from mkindex.publish.object_headers import FILE_HEADERS
from support.builds import cold_build
from support.fake_store import ADDRESS, FakeStore, tree_in, use
from support.wheels import wheel, write_sdist, write_wheel

if TYPE_CHECKING:
    from pathlib import Path

    from mkindex.build.report import Report

HASHED, UNHASHED = "demo-1.0-py3-none-any.whl", "demo-2.0-py3-none-any.whl"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    directory = tmp_path / "wheels"
    directory.mkdir()
    write_wheel(directory, "demo", "1.0", summary="what it does", requires_python=">=3.8")
    write_wheel(directory, "demo", "2.0", summary="what it does", files={"demo/data": bytes(range(256)) * 8_000})
    return directory


def filled(source: Path, address: str) -> FakeStore:
    """Return a store with the files of a source; the metadata of one of them has its hash."""
    made = FakeStore(address=address, url=f"https://{address.partition('://')[2]}.example/")
    for path in source.iterdir():
        made.put(path.name, path.read_bytes(), FILE_HEADERS)
    made.sha256[HASHED] = hashlib.sha256((source / HASHED).read_bytes()).hexdigest()
    made.requests.clear()
    return made


def mirror(address: str, **options: Any) -> Report:  # noqa: ANN401 (the fields of Config)
    return build(Config(sources=(address,), destination=ADDRESS, remote="mirror", upload_time="none", **options))


def whole_reads(store: FakeStore) -> list[str]:
    return [request for request in store.requests if request.startswith("STREAM")]


@pytest.fixture
def no_downloads(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object, **options: object) -> None:
        raise AssertionError

    monkeypatch.setattr("mkindex.publish.bucket.TemporaryDirectory", refuse)


@pytest.mark.usefixtures("no_downloads")
def test_a_store_copies_its_own_objects_itself(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    there, store = filled(source, "s3://wheels"), FakeStore()
    use(monkeypatch, store, others={"s3://wheels": there})
    cached = {"cache_dir": str(tmp_path / "cache"), "site": True}
    mirror("s3://wheels", **cached)
    expected = cold_build(source, upload_time="none", site=True)
    assert tree_in(store) == expected
    assert whole_reads(there) == [f"STREAM {UNHASHED}"]
    copies = [request for request in store.requests if request.startswith("COPY")]
    assert sorted(copies) == sorted(f"COPY {path}" for path in expected if path.endswith(".whl"))
    assert {store.objects[path].headers for path in expected if path.endswith(".whl")} == {FILE_HEADERS}
    there.requests.clear()
    assert mirror("s3://wheels", **cached).written == 0
    assert there.requests == ["LIST "]


@pytest.mark.usefixtures("no_downloads")
def test_objects_of_another_store_are_uploaded_while_they_are_read(
    source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there, store = filled(source, "az://wheels"), FakeStore()
    use(monkeypatch, store, others={"az://wheels": there})
    mirror("az://wheels")
    assert tree_in(store) == cold_build(source, upload_time="none")
    assert sorted(whole_reads(there)) == [f"STREAM {HASHED}", *[f"STREAM {UNHASHED}"] * 2]


@pytest.mark.usefixtures("no_downloads")
@pytest.mark.parametrize("scheme", ["s3", "az"])
@pytest.mark.parametrize("suffix", [".tar.gz", ".zip"])
@pytest.mark.parametrize("site", [False, True])
def test_an_sdist_is_not_written_to_this_machine(
    scheme: str, suffix: Literal[".tar.gz", ".zip"], source: Path, monkeypatch: pytest.MonkeyPatch, *, site: bool
) -> None:
    data = random.Random(1)
    files = {f"data-{number}": data.randbytes(1 << 20) for number in range(3)}
    sdist = write_sdist(source, "demo", "1.0", files=files, suffix=suffix)
    there, store = filled(source, f"{scheme}://wheels"), FakeStore()
    use(monkeypatch, store, others={f"{scheme}://wheels": there})
    mirror(f"{scheme}://wheels", site=site)
    assert tree_in(store) == cold_build(source, upload_time="none", site=site)
    reads = [request for request in there.requests if request.endswith(sdist.name)]
    if not site:
        assert [read for read in reads if read.split()[0] in ("STREAM", "READ")] == [f"STREAM {sdist.name}"] * (
            1 if scheme == "s3" else 2
        )


def test_only_what_passes_through_this_machine_is_announced(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    announced: list[str] = []
    for address in "s3://wheels", "az://wheels":
        use(monkeypatch, FakeStore(), others={address: filled(source, address)})
        config = Config(sources=(address,), destination=ADDRESS, remote="mirror")
        build(config, announce=lambda note: announced.append(note.text))
    sizes = {name: (source / name).stat().st_size for name in (HASHED, UNHASHED)}
    assert announced == [
        f"{sizes[UNHASHED]:,} bytes in 1 file will be read to mirror them",
        f"{sum(sizes.values()):,} bytes in 2 files will be read to mirror them",
    ]


@pytest.mark.parametrize("scheme", ["s3", "az"])
def test_an_object_that_is_replaced_before_it_is_copied_is_examined_again(
    scheme: str, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = f"{scheme}://wheels"
    there, store = filled(source, address), FakeStore()
    use(monkeypatch, store, others={address: there})
    newer = wheel("demo", "1.0", summary="another")

    def replace_once(number: int, request: str) -> None:
        if request == "LIST /":  # the plan is made
            there.sha256[HASHED] = hashlib.sha256(newer).hexdigest()
            there.objects[HASHED] = replace_object(there, newer)

    store.fails = replace_once
    mirror(address)
    (source / HASHED).write_bytes(newer)
    assert tree_in(store) == cold_build(source, upload_time="none")


def replace_object(store: FakeStore, data: bytes) -> Any:  # noqa: ANN401 (an object of the fake store)
    return store.objects[HASHED]._replace(data=data, etag='"another"')


def test_a_wrong_hash_in_the_metadata_is_noticed_while_an_object_is_uploaded(
    source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there, store = filled(source, "az://wheels"), FakeStore()
    use(monkeypatch, store, others={"az://wheels": there})
    there.sha256[HASHED] = "0" * 64
    with pytest.raises(DestinationError, match=rf"^az://wheels/{HASHED}: the sha256 in the metadata of the object is"):
        mirror("az://wheels")
    assert [key for key in store.objects if key.startswith("simple/")] == []


def test_sdists_and_damaged_wheels_of_a_bucket_are_judged_as_those_of_a_directory(
    source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_sdist(source, "other", "1.0")
    (source / "broken-1.0-py3-none-any.whl").write_bytes(b"PK not a wheel")
    use(monkeypatch, store := FakeStore(), others={"s3://wheels": filled(source, "s3://wheels")})
    report = mirror("s3://wheels", keep_going=True)
    expected = build(Config(sources=(str(source),), destination=str(source.parent / "out"), keep_going=True))
    reasons = [finding.reason for finding in report.findings if hasattr(finding, "reason")]
    assert reasons == [finding.reason for finding in expected.findings if hasattr(finding, "reason")] != []
    (source / "broken-1.0-py3-none-any.whl").unlink()
    assert tree_in(store) == cold_build(source, upload_time="none")
