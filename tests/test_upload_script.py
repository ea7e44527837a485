"""upload.sh with a directory as bucket: stopped at any of its calls, it never leaves a broken link."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from support.builds import publish, write_files
from support.trees import find_broken_links, read_tree
from support.wheels import wheel, write_sdist, write_wheel

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.slow

# The commands that upload.sh uses. The file for a key with a slash at its end is named "@". From call number $DIES_AT
# on, all calls fail.
AWS = """#!/bin/sh
cd "$STORE" || exit
echo "$*" >>../calls
[ "$(wc -l <../calls)" -lt "$DIES_AT" ] || exit 1
at() { case $1 in */ | "") echo "$1@" ;; *) echo "$1" ;; esac; }
below() { key=${1#s3://*/}; mkdir -p "./$key"; }
case "$1 $2" in
"s3api list-objects-v2")
    find . -type f | while read -r path; do
        key=${path#./}
        key=${key%@}
        case $key in "$6"*) ;; *) continue ;; esac
        if [ "$7" = --delimiter ]; then case ${key#"$6"} in */*) continue ;; esac; fi
        sum=$(md5sum <"$path")
        printf '"%s"\\t%s\\n' "${sum%% *}" "$key"
    done
    ;;
"s3api put-object") path=$(at "$6"); mkdir -p "./$(dirname "$path")"; cp "$8" "./$path" ;;
"s3api delete-object") rm -f "./$(at "$6")" ;;
"s3 cp") case $3 in /*) from=$3 ;; *) from=$OLDPWD/$3 ;; esac; below "$4"; cp -R "$from/." "./$key" ;;
"s3 sync")
    from=$OLDPWD/$3
    below "$4"
    cp -R "$from/." "./$key"
    ;;
*) exit 2 ;;
esac
"""


class Store:
    """A bucket in a directory, and the calls of the last upload."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self.printed = ""
        (root / "bin").mkdir(parents=True)
        (root / "bin/aws").write_text(AWS)
        (root / "bin/aws").chmod(0o755)
        (root / "store").mkdir()

    def upload(self, public: Path, to: str = "s3://bucket/", *, dies_at: int = 999, **variables: str) -> int:
        """Run the script; return its exit status. `printed` is its output."""
        (self._root / "calls").write_text("")
        environment = {"PATH": f"{self._root / 'bin'}:{os.environ['PATH']}", "STORE": str(self._root / "store")}
        done = subprocess.run(
            ["sh", public / "upload.sh", to],
            env=environment | {"DIES_AT": str(dies_at), "UPLOAD_GRACE": "0"} | variables,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        self.printed = done.stdout
        return done.returncode

    @property
    def calls(self) -> int:
        return len((self._root / "calls").read_text().splitlines())

    def content(self) -> dict[str, bytes]:
        """The objects by key."""
        return {
            key.removesuffix("@"): content for key, content in read_tree(self._root / "store").items() if key[-1] != "/"
        }

    def copy(self, root: Path) -> Store:
        copy = Store(root)
        shutil.copytree(self._root / "store", root / "store", dirs_exist_ok=True)
        return copy


def objects_of(content: dict[str, bytes]) -> dict[str, bytes]:
    """The objects that a tree becomes in a bucket."""
    pages = {path: page for path, page in content.items() if path not in (".nojekyll", "upload.sh")}
    keys = {path.removesuffix("index.html"): page for path, page in pages.items() if path.endswith("index.html")}
    return {key: page for key, page in (pages | keys).items() if key}


def views(content: dict[str, bytes]) -> Iterator[dict[str, bytes]]:
    """A bucket as readers see it: by index documents, and by keys that end with a slash."""
    yield content
    yield content | {f"{key}index.html": page for key, page in content.items() if key.endswith("/")}


@pytest.fixture
def source(tmp_path: Path) -> Path:
    directory = tmp_path / "wheels"
    directory.mkdir()
    write_wheel(directory, "demo", "1.0")
    write_sdist(directory, "old", "1.0")
    return directory


@pytest.mark.parametrize("options", [{}, {"json_root": "json"}], ids=["one root", "two roots"])
def test_an_upload_stopped_anywhere_leaves_no_broken_link_and_the_next_one_completes_it(
    source: Path, tmp_path: Path, options: dict[str, Any]
) -> None:
    public, before = tmp_path / "the public", Store(tmp_path / "before")
    publish(source, public, host="s3", **options)
    assert before.upload(public) == 0
    assert before.content() == objects_of(read_tree(public))
    (source / "old-1.0.tar.gz").unlink()
    write_wheel(source, "new", "1.0")
    # Another hash on pages with the same size and an older time: comparing size and time would miss the change.
    (source / "demo-1.0-py3-none-any.whl").write_bytes(
        wheel("demo", "1.0", files={"demo.py": b"__version__ = '1.1'\n"})
    )
    publish(source, public, host="s3", **options)
    for path in public.rglob("index.*"):
        os.utime(path, (0, 0))
    dies_at = 1
    while True:
        store = before.copy(tmp_path / f"store-{dies_at}")
        status = store.upload(public, dies_at=dies_at, PRUNE="1")
        assert [wrong for pages in views(store.content()) for wrong in find_broken_links(pages)] == []
        if status == 0:
            break
        assert store.upload(public, PRUNE="1") == 0
        assert store.content() == objects_of(read_tree(public))
        dies_at += 1
    assert dies_at == store.calls + 1
    assert store.content() == objects_of(read_tree(public))


def test_pages_for_people_are_uploaded_and_removed_with_their_projects(source: Path, tmp_path: Path) -> None:
    store, public = Store(tmp_path / "store"), tmp_path / "public"
    publish(source, public, host="s3", site=True, url="https://packages.example/")
    assert store.upload(public) == 0
    assert store.content() == objects_of(read_tree(public))
    (source / "old-1.0.tar.gz").unlink()
    publish(source, public, host="s3", site=True)
    assert store.upload(public, PRUNE="1") == 0
    assert store.content() == objects_of(read_tree(public))
    publish(source, public, host="s3")
    assert store.upload(public) == 0
    assert store.content() == objects_of(read_tree(public))


def test_legacy_json_is_uploaded_and_removed_with_its_projects(source: Path, tmp_path: Path) -> None:
    store, public = Store(tmp_path / "store"), tmp_path / "public"
    publish(source, public, host="s3", legacy_json=True)
    assert store.upload(public) == 0
    assert store.content() == objects_of(read_tree(public))
    (source / "old-1.0.tar.gz").unlink()
    publish(source, public, host="s3", legacy_json=True)
    assert store.upload(public, PRUNE="1") == 0
    assert store.content() == objects_of(read_tree(public))


def test_with_files_url_no_file_is_uploaded_or_removed(source: Path, tmp_path: Path) -> None:
    store, public = Store(tmp_path / "store"), tmp_path / "public"
    publish(source, public, host="s3")
    assert store.upload(public, "s3://bucket/a/b") == 0
    files = {key: content for key, content in store.content().items() if "/files/" in key}
    publish(source, public, host="s3", files_url="https://files.example.com/")
    assert store.upload(public, "s3://bucket/a/b/") == 0
    pages = {f"a/b/{key}": page for key, page in objects_of(read_tree(public)).items()} | {
        "a/b/": read_tree(public)["index.html"]
    }
    assert store.content() == files | pages


def test_projects_may_have_the_names_of_parts_of_the_tree(source: Path, tmp_path: Path) -> None:
    for name in "files", "simple", "index", "json", "links":
        write_wheel(source, name, "1.0")
    store, public = Store(tmp_path / "store"), tmp_path / "public"
    publish(source, public, host="s3", json_root="json")
    assert (store.upload(public), store.upload(public)) == (0, 0)
    assert store.content() == objects_of(read_tree(public))


def test_everything_is_uploaded_again_on_request(source: Path, tmp_path: Path) -> None:
    store, public = Store(tmp_path / "store"), tmp_path / "public"
    publish(source, public, host="s3")
    assert store.upload(public) == 0
    first = store.calls
    assert store.upload(public) == 0
    assert store.calls < first
    assert store.upload(public, UPLOAD_ALL="1") == 0
    assert store.calls == first
    assert store.content() == objects_of(read_tree(public))


def test_uploading_a_tree_with_one_new_wheel_deletes_no_other_wheel_without_prune(source: Path, tmp_path: Path) -> None:
    store, public = Store(tmp_path / "store"), tmp_path / "public"
    publish(source, public, host="s3")
    assert store.upload(public) == 0
    files = {key: content for key, content in store.content().items() if key.startswith("files/")}
    runner, dist = tmp_path / "runner", tmp_path / "dist"
    dist.mkdir()
    write_wheel(dist, "demo", "2.0")
    publish(dist, runner, host="s3")
    new = objects_of(read_tree(runner))
    foreign = {"files/notes.txt": b"theirs", "files/ab/cd/demo.whl": b"theirs"}
    write_files(tmp_path / "store/store", foreign.items())
    assert store.upload(runner) == 0
    assert store.content() == new | files | foreign
    assert store.printed == (
        "uploaded to s3://bucket/: 7 pages, 3 pages deleted, 0 files deleted\n"
        "3 files in the bucket are listed by no page of this tree. They stay; PRUNE=1 sh upload.sh s3://bucket/ "
        "deletes them\n"
    )
    assert store.upload(runner, PRUNE="1") == 0
    assert store.content() == new | foreign
    assert store.printed == "uploaded to s3://bucket/: 0 pages, 0 pages deleted, 3 files deleted\n"


@pytest.mark.parametrize("hashed", [True, False], ids=["with hashes", "without hashes"])
def test_files_of_the_bucket_that_a_page_of_the_tree_names_are_never_deleted(
    source: Path, tmp_path: Path, *, hashed: bool
) -> None:
    store, public = Store(tmp_path / "store"), tmp_path / "public"
    publish(source, public, host="s3")
    assert store.upload(public) == 0
    before = {key: content for key, content in store.content().items() if key.startswith("files/")}
    # As a build from the address of the published index: pages that link to the files in the bucket.
    reference = shutil.copytree(public, tmp_path / "reference", ignore=shutil.ignore_patterns("files"))
    for page in reference.rglob("index.*"):
        text = page.read_text().replace("../../files/", "https://bucket.example.com/files/")
        page.write_text(text if hashed else re.sub("(?<![0-9a-f/])[0-9a-f]{64}", "", text))
    assert store.upload(reference, PRUNE="1") == 0
    kept = {key: content for key, content in store.content().items() if key.startswith("files/")}
    assert kept == before


@pytest.mark.parametrize("to", ["", "bucket", "s3://", "https://bucket"])
def test_an_invalid_bucket_address_is_an_error(source: Path, tmp_path: Path, to: str) -> None:
    publish(source, tmp_path / "public", host="s3")
    store = Store(tmp_path / "store")
    assert (store.upload(tmp_path / "public", to), store.calls) == (2, 0)


def test_nothing_is_removed_without_an_index_beside_the_script(source: Path, tmp_path: Path) -> None:
    publish(source, tmp_path / "public", host="s3")
    store = Store(tmp_path / "store")
    (tmp_path / "public/simple/index.html").unlink()
    assert (store.upload(tmp_path / "public"), store.calls) == (1, 0)
