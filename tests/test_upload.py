"""upload.sh, with a bucket that is a directory: stopped at every single call, it never leaves a link that dangles."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from support.builds import publish
from support.trees import find_broken_links, read_tree
from support.wheels import wheel, write_sdist, write_wheel

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.slow

# As far as upload.sh uses it. A key with a slash at its end is a file named "@"; call $DIES_AT and all later ones fail.
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
    case "$*" in
    *--delete*)
        (cd "./$key" && find . -type f) | while read -r path; do
            [ ! -e "$from/$path" ] || continue
            case "$*" in *--dryrun*) echo "(dryrun) delete: $path" ;; *) rm "./$key/$path" ;; esac
        done
        ;;
    *) cp -R "$from/." "./$key" ;;
    esac
    ;;
*) exit 2 ;;
esac
"""


class Store:
    """A bucket in a directory, and the calls since it was made."""

    def __init__(self, root: Path) -> None:
        self._root = root
        (root / "bin").mkdir(parents=True)
        (root / "bin/aws").write_text(AWS)
        (root / "bin/aws").chmod(0o755)
        (root / "store").mkdir()

    def upload(self, public: Path, to: str = "s3://bucket/", *, dies_at: int = 999, **variables: str) -> int:
        """Run the script; return its exit status."""
        (self._root / "calls").write_text("")
        environment = {"PATH": f"{self._root / 'bin'}:{os.environ['PATH']}", "STORE": str(self._root / "store")}
        done = subprocess.run(
            ["sh", public / "upload.sh", to],
            env=environment | {"DIES_AT": str(dies_at), "UPLOAD_GRACE": "0"} | variables,
            capture_output=True,
            timeout=60,
            check=False,
        )
        return done.returncode

    @property
    def calls(self) -> int:
        return len((self._root / "calls").read_text().splitlines())

    def content(self) -> dict[str, bytes]:
        """What is there, by its key."""
        return {
            key.removesuffix("@"): content for key, content in read_tree(self._root / "store").items() if key[-1] != "/"
        }

    def copy(self, root: Path) -> Store:
        copy = Store(root)
        shutil.copytree(self._root / "store", root / "store", dirs_exist_ok=True)
        return copy


def uploaded(content: dict[str, bytes]) -> dict[str, bytes]:
    """What a tree is in a bucket."""
    pages = {path: page for path, page in content.items() if path not in (".nojekyll", "upload.sh")}
    keys = {path.removesuffix("index.html"): page for path, page in pages.items() if path.endswith("index.html")}
    return {key: page for key, page in (pages | keys).items() if key}


def seen(content: dict[str, bytes]) -> Iterator[dict[str, bytes]]:
    """A bucket as it is seen: by its index documents, and by its keys that end with a slash."""
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
def test_an_upload_stopped_anywhere_leaves_nothing_dangling_and_the_next_one_finishes_it(
    source: Path, tmp_path: Path, options: dict[str, Any]
) -> None:
    public, before = tmp_path / "the public", Store(tmp_path / "before")
    publish(source, public, host="s3", **options)
    assert before.upload(public) == 0
    assert before.content() == uploaded(read_tree(public))
    (source / "old-1.0.tar.gz").unlink()
    write_wheel(source, "new", "1.0")
    # Another hash on pages of the same size, with an older time: a comparison of those would not see it.
    (source / "demo-1.0-py3-none-any.whl").write_bytes(
        wheel("demo", "1.0", files={"demo.py": b"__version__ = '1.1'\n"})
    )
    publish(source, public, host="s3", **options)
    for path in public.rglob("index.*"):
        os.utime(path, (0, 0))
    dies_at = 1
    while True:
        store = before.copy(tmp_path / f"store-{dies_at}")
        status = store.upload(public, dies_at=dies_at)
        assert [wrong for pages in seen(store.content()) for wrong in find_broken_links(pages)] == []
        if status == 0:
            break
        assert store.upload(public) == 0
        assert store.content() == uploaded(read_tree(public))
        dies_at += 1
    assert dies_at == store.calls + 1
    assert store.content() == uploaded(read_tree(public))


def test_files_that_are_elsewhere_stay_there_and_those_of_before_in_the_bucket(source: Path, tmp_path: Path) -> None:
    store, public = Store(tmp_path / "store"), tmp_path / "public"
    publish(source, public, host="s3")
    assert store.upload(public, "s3://bucket/a/b") == 0
    files = {key: content for key, content in store.content().items() if "/files/" in key}
    publish(source, public, host="s3", files_url="https://files.example.com/")
    assert store.upload(public, "s3://bucket/a/b/") == 0
    pages = {f"a/b/{key}": page for key, page in uploaded(read_tree(public)).items()} | {
        "a/b/": read_tree(public)["index.html"]
    }
    assert store.content() == files | pages


def test_projects_may_be_called_as_parts_of_the_tree_are(source: Path, tmp_path: Path) -> None:
    for name in "files", "simple", "index", "json", "links":
        write_wheel(source, name, "1.0")
    store, public = Store(tmp_path / "store"), tmp_path / "public"
    publish(source, public, host="s3", json_root="json")
    assert (store.upload(public), store.upload(public)) == (0, 0)
    assert store.content() == uploaded(read_tree(public))


def test_all_is_uploaded_again_where_that_is_wanted(source: Path, tmp_path: Path) -> None:
    store, public = Store(tmp_path / "store"), tmp_path / "public"
    publish(source, public, host="s3")
    assert store.upload(public) == 0
    first = store.calls
    assert store.upload(public) == 0
    assert store.calls < first
    assert store.upload(public, UPLOAD_ALL="1") == 0
    assert store.calls == first
    assert store.content() == uploaded(read_tree(public))


@pytest.mark.parametrize("to", ["", "bucket", "s3://", "https://bucket"])
def test_what_is_no_address_of_a_bucket_is_a_mistake(source: Path, tmp_path: Path, to: str) -> None:
    publish(source, tmp_path / "public", host="s3")
    store = Store(tmp_path / "store")
    assert (store.upload(tmp_path / "public", to), store.calls) == (2, 0)


def test_without_an_index_beside_it_nothing_is_removed(source: Path, tmp_path: Path) -> None:
    publish(source, tmp_path / "public", host="s3")
    store = Store(tmp_path / "store")
    (tmp_path / "public/simple/index.html").unlink()
    assert (store.upload(tmp_path / "public"), store.calls) == (1, 0)
