"""The contract of an object store, as functions of an empty one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mkindex.stores.objects import ABSENT, Conflict, Content, End, Headers, LargeObject, MissingObject, Original

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mkindex.stores.objects import ObjectStore

HEADERS = Headers("text/html; charset=utf-8", "max-age=60")
ODD = "simple/a+b 1!ü/index.html"


def what_is_put_can_be_read(store: ObjectStore) -> None:
    for data in b"one", b"another":
        etag = store.put(ODD, data, HEADERS)
        head = store.head(ODD)
        assert head is not None
        assert store.get(ODD, most=100) == Content(data, etag, head.modified)
        assert (head.key, head.size, head.etag) == (ODD, len(data), etag)


def what_is_missing_is_none(store: ObjectStore) -> None:
    assert store.get(ODD, most=100) is None
    assert store.head(ODD) is None
    assert list(store.list()) == []
    assert list(store.names()) == []


def what_is_larger_than_asked_for_is_not_read(store: ObjectStore) -> None:
    store.put("a", b"four", HEADERS)
    with pytest.raises(LargeObject, match=r"^a is larger than 3 bytes$"):
        store.get("a", most=3)


def the_end_of_a_short_object_is_all_of_it(store: ObjectStore) -> None:
    for data in b"short", b"":
        store.put(ODD, data, HEADERS)
        assert store.read_end(ODD, 1000) == End(data, "")


def an_object_is_created_only_once(store: ObjectStore) -> None:
    store.put("a", b"one", HEADERS, condition=ABSENT)
    with pytest.raises(Conflict):
        store.put("a", b"two", HEADERS, condition=ABSENT)
    found = store.get("a", most=100)
    assert found is not None
    assert found.data == b"one"


def an_object_is_replaced_only_as_it_was_read(store: ObjectStore) -> None:
    before = store.put("a", b"one", HEADERS)
    now = store.put("a", b"two", HEADERS, condition=before)
    for etag in before, '"unknown"':
        with pytest.raises(Conflict):
            store.put("a", b"three", HEADERS, condition=etag)
    with pytest.raises(Conflict):
        store.put("gone", b"three", HEADERS, condition=before)
    found = store.get("a", most=100)
    assert found is not None
    assert (found.data, found.etag) == (b"two", now)
    assert store.get("gone", most=100) is None


def what_is_deleted_is_gone_and_what_is_missing_is_no_error(store: ObjectStore) -> None:
    for key in "a/1", "a/2", "b":
        store.put(key, b"data", HEADERS)
    store.delete(["a/1", "missing", "b"])
    assert [one.key for one in store.list()] == ["a/2"]


def keys_are_listed_below_a_prefix(store: ObjectStore) -> None:
    for key in "a/1", "a/b/2", "ab", ODD:
        store.put(key, b"data", HEADERS)
    assert sorted(one.key for one in store.list()) == ["a/1", "a/b/2", "ab", ODD]
    assert sorted(one.key for one in store.list("a/")) == ["a/1", "a/b/2"]
    assert sorted(store.names()) == ["a", "ab", "simple"]


def an_upload_is_whole_or_missing(store: ObjectStore) -> None:
    size = 9 << 20

    def parts(error: Exception | None = None) -> Iterator[bytes]:
        for _ in range(9):
            yield b"x" * (1 << 20)
        if error:
            raise error

    store.upload("files/whole", parts(), HEADERS, size=size, sha256="0" * 64)
    head = store.head("files/whole")
    assert head is not None
    assert head.size == size
    store.upload("files/again", store.stream("files/whole", 0, etag=head.etag), HEADERS, size=size, sha256="0" * 64)
    again = store.get("files/again", most=size)
    assert again is not None
    assert again.data == b"x" * size
    with pytest.raises(LookupError):
        store.upload("files/broken", parts(LookupError()), HEADERS, size=size, sha256="0" * 64)
    assert store.head("files/broken") is None
    store.upload("files/small", iter([b"one", b"two"]), HEADERS, size=6, sha256="0" * 64)
    found = store.get("files/small", most=6)
    assert found is not None
    assert found.data == b"onetwo"
    store.abort_uploads("files/", silent_for=0.0)


def a_store_copies_its_own_objects_as_they_were(store: ObjectStore) -> None:
    if not store.copies_from(store.address):
        return
    etag = store.put(ODD, b"one", HEADERS)
    original = Original(store, ODD, size=3, etag=etag, sha256="0" * 64)
    store.copy("files/copy", original, HEADERS)
    copied = store.get("files/copy", most=100)
    assert copied is not None
    assert copied.data == b"one"
    assert store.read_end("files/copy", 100).sha256 == original.sha256
    with pytest.raises(MissingObject):
        store.copy("files/another", original._replace(key="missing"), HEADERS)
    assert store.get("files/another", most=100) is None


def directories_have_keys_of_their_own_if_the_store_has_them(store: ObjectStore) -> None:
    key = store.directory_key("simple/demo/")
    if key is None:
        return
    store.put("simple/demo/index.html", b"page", HEADERS)
    for one in key, store.directory_key(""):
        assert one is not None
        store.put(one, b"page", HEADERS)
    store.delete(["simple/demo/index.html"])
    assert len(list(store.list())) == 2
    store.delete([key, ""])
    assert list(store.list()) == []


CONTRACT = [
    what_is_put_can_be_read,
    what_is_missing_is_none,
    what_is_larger_than_asked_for_is_not_read,
    the_end_of_a_short_object_is_all_of_it,
    an_object_is_created_only_once,
    an_object_is_replaced_only_as_it_was_read,
    what_is_deleted_is_gone_and_what_is_missing_is_no_error,
    keys_are_listed_below_a_prefix,
    an_upload_is_whole_or_missing,
    a_store_copies_its_own_objects_as_they_were,
    directories_have_keys_of_their_own_if_the_store_has_them,
]

CONTRACT_OF_CONDITIONS = [
    what_is_put_can_be_read,
    an_object_is_created_only_once,
    an_object_is_replaced_only_as_it_was_read,
]
