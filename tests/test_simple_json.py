"""Reading JSON pages: every key, values of wrong types, and hostile values."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mkindex.distributions.filenames import STRANGE_NAME
from mkindex.errors import Rejected
from mkindex.model.files import Link
from mkindex.simple.reader import Malformed, Page, parse_json
from mkindex.simple.roots import ProjectLink
from support.simple_pages import (
    CREDENTIALS,
    DEMO,
    FILE,
    MD5,
    NO_HOST,
    PAGE,
    URL,
    A,
    B,
    json_file_page,
    json_result,
    malformed_hash,
    scheme_not_allowed,
)


def test_every_key_of_a_file_is_read() -> None:
    assert json_file_page(
        hashes={"sha256": A, "md5": MD5},
        requires_python=">=3.9, <4",
        yanked='broken & "old"',
        core_metadata={"sha256": B},
        dist_info_metadata=True,
        size=1234,
        upload_time="2026-01-02T03:04:05.5Z",
        provenance="https://host.example/p",
        gpg_sig=True,
        _unknown=[1],
    ) == json_result(
        Link(
            url=URL,
            filename=FILE,
            sha256=A,
            requires_python=">=3.9, <4",
            yanked='broken & "old"',
            core_metadata=B,
            size=1234,
            upload_time="2026-01-02T03:04:05.500000Z",
            provenance="https://host.example/p",
        )
    )


GARBAGE: list[Any] = [
    None,
    True,
    False,
    0,
    1,
    -1,
    1.5,
    "",
    "garbage",
    [],
    [1],
    {},
    {"x": 1},
    {"sha256": 1},
    {"sha256": "z"},
]


@pytest.mark.parametrize(
    ("key", "field", "known"),
    [
        ("hashes", "sha256", {}),
        ("requires-python", "requires_python", {"garbage": "garbage"}),
        ("size", "size", {"0": 0, "1": 1}),
        ("upload-time", "upload_time", {}),
        ("provenance", "provenance", {}),
    ],
)
@pytest.mark.parametrize(
    "value", [value for value in GARBAGE if not (isinstance(value, dict) and "sha256" in value)], ids=repr
)
def test_a_value_of_the_wrong_type_is_ignored(key: str, field: str, known: dict[str, Any], value: object) -> None:
    expected = known.get(str(value), getattr(DEMO, field))
    assert json_file_page(**{key: value}) == json_result(DEMO._replace(**{field: expected}))


@pytest.mark.parametrize(
    ("hashes", "kind", "value"),
    [
        ({"sha256": A[:-1]}, "sha256", repr(A[:-1])),
        ({"sha256": f"{A[:-1]}g"}, "sha256", repr(f"{A[:-1]}g")),
        ({"sha256": ""}, "sha256", repr("")),
        ({"sha256": None}, "sha256", "NoneType"),
        ({"sha256": 1}, "sha256", "int"),
        ({"sha256": [A]}, "sha256", "list"),
        ({"sha256": A, "md5": MD5[:-1]}, "md5", repr(MD5[:-1])),
    ],
)
def test_a_malformed_hash_rejects_its_entry_and_is_not_replaced(
    hashes: dict[str, object], kind: str, value: str
) -> None:
    rejected = Rejected(location=f"{PAGE}: {FILE}", reason=malformed_hash(kind, value))
    assert json_file_page(hashes=hashes) == json_result(rejected=(rejected,))


@pytest.mark.parametrize("value", GARBAGE, ids=repr)
def test_any_true_value_of_yanked_yanks_a_file(value: object) -> None:
    yanked = None if not value else value if isinstance(value, str) else ""
    assert json_file_page(yanked=value) == json_result(DEMO._replace(yanked=yanked))


@pytest.mark.parametrize(
    ("keys", "core_metadata"),
    [
        ({}, None),
        ({"core-metadata": True}, ""),
        ({"core-metadata": False}, None),
        ({"core-metadata": None}, None),
        ({"core-metadata": {}}, ""),
        ({"core-metadata": {"sha256": A}}, A),
        ({"core-metadata": {"sha256": A.upper()}}, A),
        ({"core-metadata": {"sha512": "e" * 128}}, ""),
        ({"core-metadata": {"sha256": None}}, ""),
        ({"dist-info-metadata": {"sha256": A}}, A),
        ({"dist-info-metadata": True}, ""),
        ({"core-metadata": {"sha256": A}, "dist-info-metadata": {"sha256": B}}, A),
        ({"core-metadata": False, "dist-info-metadata": {"sha256": B}}, None),
    ],
)
def test_core_metadata_in_json_is_read_with_or_without_a_hash(keys: dict[str, Any], core_metadata: str | None) -> None:
    assert json_file_page(**keys) == json_result(DEMO._replace(core_metadata=core_metadata))


def test_a_size_that_clients_cannot_read_is_ignored() -> None:
    assert [json_file_page(size=size).links[0].size for size in (2**53, 10**30)] == [2**53, None]


def test_characters_that_clients_cannot_read_are_removed_from_texts() -> None:
    (link,) = json_file_page(yanked="a\ud800b\x00c", requires_python=">=3\ud800").links
    texts = (link.yanked or "", link.requires_python)
    assert [text for text in texts if "\ud800" in text or "\x00" in text] == []
    assert link.yanked is not None


@pytest.mark.parametrize(
    "file",
    [
        None,
        True,
        1,
        "x",
        [],
        {},
        {"filename": FILE},
        {"url": FILE},
        {"filename": 1, "url": FILE},
        {"filename": FILE, "url": None},
        {"filename": None, "url": FILE},
    ],
    ids=repr,
)
def test_a_malformed_entry_is_rejected_and_the_others_are_read(file: object) -> None:
    page = parse_json(json.dumps({"files": [file, {"filename": FILE, "url": FILE}], "name": "demo"}), PAGE)
    wrong = "has no filename or url" if isinstance(file, dict) else "is not an object"
    wrong = f"an entry of `files` {wrong}. Ask the operator of the server"
    assert page == json_result(DEMO, rejected=(Rejected(location=PAGE, reason=wrong),))


@pytest.mark.parametrize(
    ("filename", "url", "reason"),
    [
        (FILE, f"file:///srv/{FILE}", scheme_not_allowed("file")),
        (FILE, f"javascript:{FILE}", scheme_not_allowed("javascript")),
        (FILE, f"https://user:secret@host.example/{FILE}", CREDENTIALS),
        (FILE, f"http:///{FILE}", NO_HOST),
        (f"../{FILE}", FILE, STRANGE_NAME),
        ('"-1.0.zip', FILE, STRANGE_NAME),
        ("a\n-1.0.zip", FILE, STRANGE_NAME),
        ("ä-1.0.zip", FILE, STRANGE_NAME),
        (f"{'a' * 300}.zip", FILE, STRANGE_NAME),
    ],
)
def test_a_hostile_entry_is_rejected(filename: str, url: str, reason: str) -> None:
    page = json_file_page(filename=filename, url=url)
    assert [(rejected.reason, "secret" in rejected.location) for rejected in page.rejected] == [(reason, False)]
    assert page.links == ()


MALFORMED_HOSTS = [
    "[x",
    "host:port",
    "ho st",
    "host:99999",
    f"{'a' * 70}.ä",
    "user:se\u2100cret@host",
    "u:secret@ho\u2100st",
]


@pytest.mark.parametrize("host", MALFORMED_HOSTS)
def test_the_reason_for_a_malformed_host_never_shows_it(host: str) -> None:
    page = json_file_page(filename="a.zip", url=f"https://{host}/a.zip")
    assert (page.links, [rejected.reason for rejected in page.rejected]) == ((), [NO_HOST])


@pytest.mark.parametrize("url", ["https://[x/a.zip", "https://host:port/a.zip", "https://ho st/a.zip", "\ud800/a.zip"])
def test_an_entry_with_a_malformed_url_is_rejected(url: str) -> None:
    page = json_file_page(filename="a.zip", url=url)
    assert (page.links, len(page.rejected)) == ((), 1)


def test_a_file_that_is_not_a_wheel_or_sdist_is_listed_apart() -> None:
    assert json_file_page(filename="demo-1.0.exe", url="demo-1.0.exe") == json_result(other_files=("demo-1.0.exe",))


def test_a_root_lists_its_projects_as_they_are_spelled() -> None:
    document = {
        "meta": {"api-version": "1.0"},
        "projects": [{"name": "De.Mo"}, None, {}, {"name": 1}, "x", {"name": "a"}],
    }
    assert parse_json(json.dumps(document), PAGE) == Page(
        projects=(ProjectLink("De.Mo"), ProjectLink("a")), is_json=True, is_index=True
    )


@pytest.mark.parametrize(
    ("text", "wrong"),
    {
        "": "is not valid JSON: damaged or truncated (",
        "{": "is not valid JSON: damaged or truncated (",
        '{"files": []}}': "is not valid JSON: damaged or truncated (",
        "<html>": "is not valid JSON: damaged or truncated (",
        "[" * 100_000: "is not valid JSON: damaged or truncated (",
        '{"files":' * 100_000: "is not valid JSON: damaged or truncated (",
        '{"files": [' + "9" * 5000 + "]}": "is not valid JSON: damaged or truncated (",
        "[]": "is JSON, but not a page of the Simple API",
        "null": "is JSON, but not a page of the Simple API",
        '"files"': "is JSON, but not a page of the Simple API",
        "{}": "is JSON, but has neither projects nor files",
        '{"files": null}': "is JSON, but has neither projects nor files",
        '{"files": {}}': "is JSON, but has neither projects nor files",
        '{"projects": "x"}': "is JSON, but has neither projects nor files",
        '{"meta": {"api-version": "2.0"}, "files": []}': "is of version 2.0 of the Simple API",
        '{"meta": {"api-version": "10.1"}, "files": []}': "is of version 10.1 of the Simple API",
        '{"meta": {"api-version": ""}, "files": []}': "is of version  of the Simple API",
    }.items(),
    ids=lambda text: text[:20],
)
def test_a_json_page_that_is_not_of_the_simple_api_is_an_error(text: str, wrong: str) -> None:
    with pytest.raises(Malformed) as error:
        parse_json(text, PAGE)
    assert str(error.value).startswith(wrong)


@pytest.mark.parametrize(
    "meta", [None, 1, [], {}, {"api-version": None}, {"api-version": "1.99"}, {"api-version": "1"}]
)
def test_a_missing_api_version_and_any_minor_version_are_read(meta: object) -> None:
    document = {"meta": meta, "name": "demo", "files": [{"filename": FILE, "url": FILE}]}
    assert parse_json(json.dumps(document), PAGE) == json_result(DEMO)


@pytest.mark.parametrize("name", [None, 1, [], {}])
@pytest.mark.parametrize("marker", [None, 1, "archived", [], {}, *({"status": value} for value in GARBAGE)], ids=repr)
def test_a_malformed_name_or_status_is_ignored(name: object, marker: object) -> None:
    document = {"name": name, "project-status": marker, "files": [{"filename": FILE, "url": FILE}]}
    assert parse_json(json.dumps(document), PAGE) == json_result(DEMO, name="")


@pytest.mark.parametrize("value", ["[],", "{},", "1,", '{"a":1},', "[[]],"])
def test_a_page_that_would_become_far_larger_in_memory_is_refused_before_decoding(value: str) -> None:
    with pytest.raises(Malformed, match="has more values than a page of its size needs"):
        parse_json(f'{{"files": [{value * 200_000}0]}}', "https://host.example/")


def test_a_page_of_many_short_projects_is_read() -> None:
    text = json.dumps({"projects": [{"name": f"p{number}"} for number in range(30_000)]}, separators=(",", ":"))
    assert len(parse_json(text, "https://host.example/").projects) == 30_000
