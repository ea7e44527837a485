"""What Windows and macOS lack or do differently, simulated on this system. mkindex was not tried there."""

from __future__ import annotations

import errno
import importlib.util
import os
import sys
from types import ModuleType
from typing import TYPE_CHECKING

import pytest

from mkindex import parallel
from mkindex.errors import DestinationError
from mkindex.publish import filesystem, lock, root
from mkindex.publish.root import Root
from mkindex.sources.open import local_path
from support.builds import publish
from support.trees import read_tree
from support.wheels import write_sdist, write_wheel

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def wheels(tmp_path: Path) -> Path:
    """Wheels and sdists whose names have capital letters."""
    directory = tmp_path / "wheels"
    directory.mkdir()
    write_wheel(directory, "Demo", "1.0").rename(directory / "Demo-1.0-py3-none-any.whl")
    write_sdist(directory, "Demo_App", "2.0").rename(directory / "Demo_App-2.0.tar.gz")
    return directory


def test_no_two_published_paths_differ_only_in_case(wheels: Path, tmp_path: Path) -> None:
    write_wheel(wheels, "demo", "1.1")
    write_wheel(wheels, "DEMO.app", "2.1")
    publish(wheels, tmp_path / "public", links=True, site=True)
    paths = sorted(read_tree(tmp_path / "public"))
    assert sorted({path.casefold() for path in paths}) == sorted(path.casefold() for path in paths)


def test_a_build_without_fork_and_descriptors_publishes_the_same_tree(
    wheels: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(wheels, tmp_path / "public")
    monkeypatch.setattr(parallel, "_MIN_ITEMS", 1)
    monkeypatch.delattr(os, "fork")
    monkeypatch.setattr(root, "_HAS_DESCRIPTORS", False)
    monkeypatch.setattr(filesystem.Filesystem, "flush_directory", lambda self, path: None)
    publish(wheels, tmp_path / "elsewhere", jobs=2)
    assert read_tree(tmp_path / "elsewhere") == read_tree(tmp_path / "public")


@pytest.mark.parametrize("path", ["C:\\wheels", "c:/wheels", "\\\\server\\share\\wheels", "wheels\\linux"])
def test_a_path_of_windows_is_not_taken_for_an_address(path: str) -> None:
    assert local_path(path) == path


def _is_open(descriptor: int, status: os.stat_result) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), status)
    except OSError:
        return False


class _Windows(ModuleType):
    """The module msvcrt: only one open file can have the lock of a file, until it is closed."""

    LK_NBLCK = 2

    def __init__(self) -> None:
        super().__init__("msvcrt")
        self.held: dict[int, os.stat_result] = {}

    def locking(self, descriptor: int, mode: int, count: int) -> None:
        assert (mode, count) == (self.LK_NBLCK, 1)
        status = os.fstat(descriptor)
        for other, locked in self.held.items():
            if other != descriptor and os.path.samestat(status, locked) and _is_open(other, locked):
                raise OSError(errno.EACCES, "Permission denied")
        self.held[descriptor] = status


@pytest.fixture
def windows_lock(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The module `lock`, as it is imported on Windows."""
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setitem(sys.modules, "msvcrt", _Windows())
    spec = importlib.util.spec_from_file_location("lock_of_windows", lock.__file__)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_one_writer_at_a_time_with_the_locks_of_windows(windows_lock: ModuleType, tmp_path: Path) -> None:
    first, second = Root(str(tmp_path / "public")), Root(str(tmp_path / "public"))
    waiting = windows_lock.exclusive(second, patience=0)
    with windows_lock.exclusive(first, patience=0), pytest.raises(DestinationError, match="process has held"):
        waiting.__enter__()
    with windows_lock.exclusive(second, patience=0):
        pass


def test_a_lock_file_that_cannot_be_removed_while_it_is_open_does_no_harm(
    windows_lock: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, "The process cannot access the file because it is being used")

    monkeypatch.setattr(windows_lock.os, "unlink", refuse)
    for _ in range(2):
        with windows_lock.exclusive(Root(str(tmp_path / "public")), patience=0):
            pass


def test_a_page_that_a_reader_holds_open_stops_a_build_which_the_next_one_finishes(
    wheels: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    public = tmp_path / "public"
    publish(wheels, public)
    write_wheel(wheels, "demo", "1.1")
    replace = os.replace

    def refuse(source: str, target: str, **options: int) -> None:
        if os.path.basename(target) == "index.html":
            raise PermissionError(errno.EACCES, "The process cannot access the file because it is being used", target)
        replace(source, target, **options)

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", refuse)
        with pytest.raises(DestinationError, match=r"index\.html"):
            publish(wheels, public)
    publish(wheels, public)
    publish(wheels, tmp_path / "cold")
    assert read_tree(public) == read_tree(tmp_path / "cold")
