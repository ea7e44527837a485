"""Core metadata: read as email.parser and packaging read it, or refused."""

from __future__ import annotations

import email
import itertools

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from packaging.metadata import parse_email

from mkindex.distributions.metadata import Metadata, parse_metadata
from mkindex.errors import Unreadable
from support.archives import MIB, peak_below, refusal
from support.wheels import metadata

FIELDS = ("metadata-version", "name", "version", "requires-python")
KEYS = st.one_of(
    st.sampled_from(["Metadata-Version", "Name", "Version", "Requires-Python", "name", "REQUIRES-PYTHON"]),
    st.sampled_from(["Summary", "Requires-Dist", "X-Ünknown", "Na:me"]),
)
VALUES = st.one_of(
    st.sampled_from(
        ["2.1", "2.9", "3.0", "1.0", "foo", "Foo.Bar", ">=3.9", ">=3.9,\n <4", ">=3\r\n\t,<4", "x\n y\r z", ""]
    ),
    st.text(st.characters(codec="utf-8"), max_size=12),
)
LINES = st.one_of(
    st.tuples(KEYS, st.sampled_from([": ", ":", ":\t", " : ", ":\n "]), VALUES).map("".join),
    st.sampled_from(["", "no colon", "From here on", ":", " indented", "\tName: indented", "\ufeffName: bom", "-- "]),
)
ENDS = st.sampled_from(["\n", "\n", "\n", "\r\n", "\r", "\n\r"])
GOOD = st.just(["Metadata-Version: 2.1\n", "Name: foo\n", "Version: 1.0\n"])


@st.composite
def metadata_files(draw: st.DrawFn) -> bytes:
    lines = draw(GOOD if draw(st.booleans()) else st.just([]))
    lines = [*lines, *draw(st.lists(st.tuples(LINES, ENDS).map("".join), max_size=8))]
    text = "".join(draw(st.permutations(lines)) if draw(st.booleans()) else lines)
    return text.encode(draw(st.sampled_from(["utf-8", "utf-8", "latin-1"])), "replace")


def plain(value: object) -> str:
    """A value as email.parser found it, its line folding undone."""
    return " ".join(str(value).encode("utf-8", "surrogateescape").decode("utf-8", "replace").split())


@given(metadata_files())
@example(b"Metadata-Version: 2.1\nName: foo\nVersion: 1.0\nFrom here on\nRequires-Python: >=3.9\n")
def test_metadata_is_read_as_email_parser_reads_it_or_refused(raw: bytes) -> None:
    message = email.message_from_bytes(raw)
    found: dict[str, set[str]] = {key: set() for key in FIELDS}
    for key, value in message.raw_items():
        if key.lower() in found:
            found[key.lower()].add(plain(value))
    try:
        ours = parse_metadata(raw)
    except Unreadable:
        required = [found[key] for key in FIELDS[:3]]
        right = all(len(values) == 1 and all(values) for values in required)
        assert not (right and len(found["requires-python"]) < 2)
    else:
        assert {key: {value or ""} for key, value in zip(FIELDS, ours[:4], strict=True)} == {
            key: values or {""} for key, values in found.items()
        }


@given(metadata_files())
def test_metadata_is_read_as_packaging_reads_it_or_refused(raw: bytes) -> None:
    try:
        ours = parse_metadata(raw)
    except Unreadable:
        return
    theirs, unparsed = parse_email(raw)
    for key, value in zip(FIELDS, ours[:4], strict=True):
        other = theirs.get(key.replace("-", "_"))
        # Duplicate fields, and fields that are not UTF-8, are "unparsed" to packaging.
        assert other is None if key in unparsed else plain(other or "") == (value or "")


@pytest.mark.parametrize("version", ["1.0", "1.2", "2.0", "2.1", "2.4", "2.5", "2.17"])
def test_metadata_of_a_known_or_a_later_minor_version_is_read(version: str) -> None:
    raw = metadata("Foo", "1.0", metadata_version=version, requires_python=">= 3.9", headers=["New-Field: x"], body="b")
    assert parse_metadata(raw) == Metadata(version, "Foo", "1.0", ">= 3.9")


def test_only_requirements_that_may_be_invalid_are_kept_with_their_line_breaks() -> None:
    raw = metadata(
        "foo",
        "1.0",
        requires_dist=["a", "b[c,d] (>=1.0,<2)", "six~=1", "e>=1;\n extra == 'x'", "", "f ; EXTRA == 'x'"],
        headers=["REQUIRES-DIST:\tg ; extra == 'x' and (os_name == \"nt\" or python_version<'3')", "Requires-Dist: ~é"],
        body="Requires-Dist: h~=1",
    )
    assert parse_metadata(raw).unusual_requirements == ("six~=1", "e>=1;\n extra == 'x'", "", "f ; EXTRA == 'x'", "~é")


def test_a_requirement_may_be_longer_than_other_fields() -> None:
    long = "(" * 20_000
    assert parse_metadata(metadata("foo", "1.0", requires_dist=[long])) == Metadata("2.1", "foo", "1.0", None, (long,))


def test_metadata_without_a_required_field_is_refused() -> None:
    lines = [b"Name: foo\n", b"Version: 1.0\n"]
    raws = {b"".join(some) for n in range(2) for some in itertools.combinations(lines, n)} | {b"\n" + b"".join(lines)}
    reasons = {raw: refusal(parse_metadata, raw) for raw in raws}
    assert reasons == {
        raw: "its metadata has no "
        + ", ".join(line.partition(b":")[0].decode() for line in lines if line not in raw or raw.startswith(b"\n"))
        + ": build it again"
        for raw in raws
    }


def test_a_duplicate_field_is_refused_if_its_values_differ() -> None:
    same, other = (metadata("foo", "1.0", headers=[f"Name: {name}"]) for name in ("foo", "bar"))
    assert parse_metadata(same) == Metadata("2.1", "foo", "1.0", None)
    assert refusal(parse_metadata, other) == "its metadata has two different Name fields: build it again"


def test_a_value_is_hidden_neither_by_a_continuation_nor_in_the_description() -> None:
    raw = metadata("foo", "1.0", headers=["Description: x", " Name: bar"], body="Version: 2.0\nRequires-Python: >=4\n")
    assert parse_metadata(raw) == Metadata("2.1", "foo", "1.0", None)


@pytest.mark.parametrize("line", ["Requires-Dist: a", "X-{}: a", " folded"])
def test_thirty_thousand_header_lines_are_refused(line: str) -> None:
    raw = metadata("foo", "1.0", headers=[line.format(n) for n in range(30_000)])
    assert refusal(parse_metadata, raw) == "its metadata has more than 10,000 header lines: build it again"


@pytest.mark.parametrize(
    "raw",
    [
        b"Name:" + b" " * 8 * MIB,
        b"Name:" + b" ab" * (8 * MIB // 3),
        b"\n ".join([b"Name: x"] * 9000),
        b"Requires-Dist: " + b"a" * 8 * MIB,
        b"Requires-Dist: a; " + b"(" * 8 * MIB,
        b"x" * 8 * MIB,
        b":" * 8 * MIB,
        b"\r" * 8 * MIB,
    ],
    ids=["blanks", "words", "folds", "a requirement", "brackets", "a word", "colons", "line ends"],
)
def test_eight_mib_of_invalid_metadata_are_refused_in_bounded_memory(raw: bytes) -> None:
    with peak_below(64 * MIB):
        assert refusal(parse_metadata, raw) is not None
