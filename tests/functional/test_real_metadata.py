"""The full core metadata of real wheels: every field that pkginfo or packaging reads is there."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain
from typing import TYPE_CHECKING
from zipfile import ZipFile

from packaging.metadata import parse_email
from pkginfo import Distribution

from mkindex.distributions.core_metadata import read_details, read_readme
from mkindex.text import displayed
from support.clients import CLIENTS
from support.requirements import skip_or_fail

if TYPE_CHECKING:
    from collections.abc import Iterator


def texts(value: object) -> Iterator[str]:
    """Yield the texts in a value of pkginfo or packaging."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        yield from chain.from_iterable(value.items())
    elif isinstance(value, (list, tuple)):
        yield from chain.from_iterable(map(texts, value))


def test_no_field_of_real_files_is_lost() -> None:
    directory = CLIENTS / "real-wheels"
    if not (directory / ".ready").exists():
        skip_or_fail("real wheels: make clients")
    lost = {}
    for path in sorted(directory.glob("*.whl")):
        with ZipFile(path) as wheel:
            raw = wheel.read(next(name for name in wheel.namelist() if name.endswith(".dist-info/METADATA")))
        details, readme = read_details(raw), read_readme(raw)
        shown = " ".join([*texts(tuple(details)), ",".join(details.keywords)])
        known = Distribution()
        known.parse(raw)
        wanted = {name: getattr(known, name) for name in known} | dict(parse_email(raw)[0])
        description = str(wanted.pop("description") or "").replace("UNKNOWN", "")
        assert readme.text.split() == description.split(), path.name
        # A label is separated from its address.
        wanted["project_urls"] = [text.replace(", ", ",").split(",", 1) for text in known.project_urls]
        for name in ("version", "metadata_version"):
            del wanted[name]
        keywords = wanted.pop("keywords", None)
        if keywords:
            found = set(details.keywords)
            assert {word.strip() for text in texts(keywords) for word in text.replace(",", " ").split()} == {
                part for word in found for part in word.replace(",", " ").split()
            }, path.name
        lost[path.name] = {
            text for value in wanted.values() for text in texts(value) if displayed(text) not in shown
        } - {"UNKNOWN", ""}
    assert {name: missing for name, missing in lost.items() if missing} == {}
