"""The fast reader of plain addresses, compared with what reads all others."""

from __future__ import annotations

from itertools import product
from urllib.parse import urljoin

import pytest

from mkindex.check import addresses
from mkindex.simple.links import filename_in, normalize_url
from mkindex.simple.plain_files import PlainFiles

WHEEL = "demo-1.0-py3-none-any.whl"
BASES = (
    "https://host.example/simple/demo/",
    "http://host.example:8000/links.html",
    "https://HOST.example/a%7Eb/c/../d/?page=2",
    "http://[::1]/x",
    "https://b\u00fccher.example/",
    "https://user:secret@host.example/",
    "http://host.example:99999/",
    "file:///srv/index/",
    "file://localhost/srv/",
    "ftp://host.example/",
)
STARTS = (
    *("", "files/", "a/b.c/~d/", "../", "../../files/ab/", "../../../../../", "./", "/", "/files/", "//other.example/"),
    *("https://other.example/", "http://OTHER.example:8080/p/", "https://other.example:99999/", "https://a@b.example/"),
    *(
        "HTTPS://other.example/",
        "a//b/",
        ".a/",
        "a/../b/",
        "a/./b/",
        "a%2Fb/",
        "a b/",
        "\u00fc/",
        "a\\b/",
        "file:///etc/",
    ),
)
NAMES = (
    *(WHEEL, "demo-1.0%2Bcu118-py3-none-any.whl", "demo-1.0+cu118-py3-none-any.whl", "demo-1.0%2bx.tar.gz", "%2Bx.whl"),
    *(
        "demo-1.0.tar.gz",
        "demo.html",
        "",
        "..",
        f"{WHEEL}?x=1",
        f"{WHEEL};x",
        f"{WHEEL}\n",
        "d\u00e9mo-1.0.tar.gz",
        "a%00.whl",
    ),
)


def slowly(base: str, address: str, *, allow_local: bool) -> tuple[str, str]:
    target = urljoin(base, address)
    name = filename_in(target.partition("?")[0])
    return normalize_url(target, name, allow_local=allow_local), name


@pytest.mark.parametrize("base", BASES)
@pytest.mark.parametrize("allow_local", [True, False])
def test_a_plain_address_is_read_as_any_other(base: str, allow_local: bool) -> None:
    plain = PlainFiles(base, allow_local=allow_local)
    for start, name in product(STARTS, NAMES):
        if (found := plain.read(start + name)) != ("", ""):
            assert found == slowly(base, start + name, allow_local=allow_local)


@pytest.mark.parametrize("name", [WHEEL, "demo-1.0%2Bcu118-py3-none-any.whl"])
@pytest.mark.parametrize(
    "start", ["", "files/ab/", "../../files/ab/", "/files/", "https://files.example/p/", "http://files.example:80/"]
)
def test_the_addresses_of_nearly_all_indexes_are_plain(start: str, name: str) -> None:
    base = "https://host.example/simple/demo/"
    found = PlainFiles(base, allow_local=False).read(start + name)
    assert found == slowly(base, start + name, allow_local=False)


@pytest.mark.parametrize("base", BASES)
@pytest.mark.parametrize("root", ["", "file:///srv/index/"])
def test_a_check_resolves_a_plain_address_as_any_other(base: str, root: str) -> None:
    for start, name, fragment in product(STARTS, NAMES, ("", "#sha256=00", "#a\tb")):
        link = start + name + fragment
        assert addresses.resolve(base, link, root) == addresses._resolve(base, link.strip(), root)
