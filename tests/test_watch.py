"""The decisions of a watch: when it takes which files, which events trigger a build, and how it reports one."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest
from watchdog.events import (
    DirAttribEvent,
    DirCreatedEvent,
    DirDeletedEvent,
    FileAttribEvent,
    FileClosedEvent,
    FileCreatedEvent,
    FileDeletedEvent,
    FileModifiedEvent,
    FileMovedEvent,
    FileSystemEvent,
)

from mkindex.build.examining import examine_all
from mkindex.build.pipeline import build
from mkindex.config import Config
from mkindex.errors import MkindexError, Note, Rejected, SourceError
from mkindex.model.files import Artifact, Fingerprint, Link
from mkindex.reports.events import as_json_line, as_text
from mkindex.sources.selection import EVERYTHING, Selection
from mkindex.watch import remembered, triggers, young_files
from mkindex.watch.loop import BuildEvent
from mkindex.watch.remembered import Answers, Remembered
from mkindex.watch.triggers import Triggers
from mkindex.watch.young_files import YOUNG, HoldBack, LastBuild, YoungFiles
from support.builds import publish
from support.trees import read_tree
from support.watch_process import wait_until
from support.wheels import wheel, write_wheel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from mkindex.build.report import Report
    from mkindex.build.workspace import Workspace

NAME = "demo-1.0-py3-none-any.whl"
SETTLE = 0.3


class Clock:
    """The two clocks of the time module, set by hand."""

    def __init__(self) -> None:
        self.now = 1_000_000.0

    def time(self) -> float:
        return self.now

    def time_ns(self) -> int:
        return int(self.now * 1e9)

    def monotonic(self) -> float:
        return self.now - 900_000


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(young_files, "time", clock)
    return clock


@pytest.fixture
def config(tmp_path: Path) -> Config:
    (tmp_path / "wheels").mkdir()
    write_wheel(tmp_path / "wheels", "demo", "1.0")
    return Config(sources=(str(tmp_path / "wheels"),), destination=str(tmp_path / "public"), grace=0)


def artifact(clock: Clock, *, age: float, size: int = 1) -> Artifact:
    changed = int((clock.now - age) * 1e9)
    return Artifact("/wheels", NAME, Fingerprint(1, size, changed, changed))


# --- incomplete files -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("age", "held"), [(0.0, True), (0.29, True), (0.31, False), (1e6, False)])
def test_a_file_is_taken_when_it_has_not_changed_for_a_while(clock: Clock, age: float, held: bool) -> None:
    files = YoungFiles(SETTLE)
    files.begin(hasty=False)
    assert files.holds(artifact(clock, age=age)) == held
    assert files.held == (("/wheels/" + NAME,) if held else ())


def test_a_file_from_the_future_is_taken_when_it_stays_as_it_is(clock: Clock) -> None:
    files = YoungFiles(SETTLE)
    future = artifact(clock, age=-3600)
    found = []
    for _ in range(4):
        files.begin(hasty=False)
        found.append(files.holds(future))
        clock.now += 0.16
    assert found == [True, True, False, False]


@pytest.mark.parametrize(("age", "held"), [(1, True), (YOUNG - 1, True), (YOUNG + 1, False)])
def test_a_file_that_cannot_be_read_is_held_back_while_it_is_young(clock: Clock, age: float, held: bool) -> None:
    files = YoungFiles(SETTLE)
    files.begin(hasty=False)
    half = artifact(clock, age=age)
    assert (files.holds(half), files.holds(half, "cut off")) == (False, held)


@pytest.mark.slow
def test_files_taken_in_haste_are_looked_at_again(config: Config) -> None:
    path = Path(config.sources[0], NAME)
    for change, moved in ((False, False), (True, True)):
        files = YoungFiles(0.5)
        files.begin(hasty=True)
        path.write_bytes(path.read_bytes())
        taken = Artifact(config.sources[0], NAME, Fingerprint.of(path.stat()))
        assert not files.holds(taken)
        assert 0 < files.seconds_to_wait() <= 0.5
        time.sleep(0.55)
        if change:
            path.write_bytes(b"other")
        assert files.has_changed() == moved
        if moved:  # and is then no longer taken in haste
            files.begin(hasty=True)
            assert files.holds(Artifact(config.sources[0], NAME, Fingerprint.of(path.stat())))


def test_a_held_back_file_is_due_when_it_has_not_changed_for_a_while(config: Config) -> None:
    path = Path(config.sources[0], NAME)
    files = YoungFiles(0.2)
    files.begin(hasty=False)
    path.write_bytes(b"half")
    assert files.holds(Artifact(config.sources[0], NAME, Fingerprint.of(path.stat())))
    path.write_bytes(b"more")
    assert not files.is_due()
    time.sleep(0.25)
    assert files.is_due()
    path.unlink()
    assert not files.is_due()  # it has just changed
    assert files.is_due()  # and is gone


def test_each_further_attempt_of_a_build_demands_twice_the_age(clock: Clock) -> None:
    files = YoungFiles(SETTLE)
    old = artifact(clock, age=SETTLE * 3)
    held = []
    for begin in (True, False, False, True):
        if begin:
            files.begin(hasty=True)
        files.begin_attempt()
        held.append(files.holds(old))
    assert held == [False, False, True, False]


def test_after_an_attempt_that_failed_no_file_is_taken_in_haste(clock: Clock) -> None:
    files = YoungFiles(SETTLE)
    files.begin(hasty=True)
    young, held = artifact(clock, age=0), []
    for _ in range(2):
        files.begin_attempt()
        held.append((files.holds(young), files.seconds_to_wait() > 0))
    assert held == [(False, True), (True, False)]


def test_a_hard_link_does_not_count_as_a_change(config: Config, tmp_path: Path) -> None:
    path = Path(config.sources[0], NAME)
    files = YoungFiles(0.05)
    files.begin(hasty=True)
    path.write_bytes(path.read_bytes())
    assert not files.holds(Artifact(config.sources[0], NAME, Fingerprint.of(path.stat())))
    os.link(path, tmp_path / "link")
    time.sleep(0.06)
    assert not files.has_changed()


def test_a_source_directory_that_has_lost_all_files_is_an_error(config: Config) -> None:
    last = LastBuild()
    last.end(build(config).files)
    roots = set(config.sources)
    with pytest.raises(SourceError, match=r"wheels has become empty: the index stays as it is"):
        last.refuse_emptied([], roots)
    last.refuse_emptied([], set())  # a list may name fewer files than before
    last.restricted(set(), EVERYTHING).refuse_emptied([], roots)  # it is not a source any more
    last.restricted(roots, Selection(exclude=("demo",))).refuse_emptied([], roots)  # none of its files is selected


def test_a_build_that_is_stopped_before_it_commits_changes_nothing(config: Config, tmp_path: Path) -> None:
    def stop() -> None:
        raise LookupError

    build(config)
    before = read_tree(tmp_path / "public")
    write_wheel(tmp_path / "wheels", "demo", "2.0")
    write_wheel(tmp_path / "wheels", "other", "2.0")
    with pytest.raises(LookupError):
        build(config, before_commit=stop)
    assert read_tree(tmp_path / "public") == before
    build(config)
    assert "simple/other/index.html" in read_tree(tmp_path / "public")


@pytest.mark.parametrize("mode", ["copy", "hardlink"])
def test_a_file_that_is_being_overwritten_stays_listed_while_its_bytes_are_published(tmp_path: Path, mode: str) -> None:
    (tmp_path / "wheels").mkdir()
    write_wheel(tmp_path / "wheels", "demo", "1.0")
    write_wheel(tmp_path / "wheels", "demo", "2.0")
    where = {"sources": (str(tmp_path / "wheels"),), "destination": str(tmp_path / "public")}
    config = Config(**where, grace=0, link_mode=mode)  # type: ignore[arg-type]
    young, last = YoungFiles(0), LastBuild()

    def build_as_watch() -> Report:
        young.begin(hasty=False)
        last.begin(thorough=True)
        return build(config, examine=HoldBack(examine_all, young, last))

    last.end(build_as_watch().files)
    with (tmp_path / "wheels" / NAME).open("r+b") as file:
        file.truncate(100)
    report = build_as_watch()
    # A hard link is the very file that is being overwritten.
    kept = [NAME] if mode == "copy" else []
    assert [file.filename for file in report.files] == [*kept, "demo-2.0-py3-none-any.whl"]
    assert [note.location for note in report.notes][:1] == [str(tmp_path / "wheels" / NAME)]
    assert report.rejected == ()


# --- triggers -------------------------------------------------------------------------------------------------------


def triggers_build(config: Config, event: FileSystemEvent, last: LastBuild | None = None) -> bool:
    """Whether an event of the first source triggers a build."""
    fired: list[bool] = []
    directory = triggers._Directory(config.sources[0], config.recursive, (0, 0))
    handler = triggers._Handler(lambda: fired.append(True), directory, config, YoungFiles(SETTLE), last or LastBuild())
    handler.dispatch(event)
    return bool(fired)


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (FileCreatedEvent(f"/s/{NAME}"), True),
        (FileClosedEvent(f"/s/{NAME}"), True),
        (FileDeletedEvent("/s/a.tar.gz"), True),
        (FileAttribEvent("/s/a.zip"), True),
        (FileModifiedEvent("/s/a.zip"), True),
        (FileMovedEvent("/s/.tmp", f"/s/{NAME}"), True),
        (FileMovedEvent(f"/s/{NAME}", "/s/old"), True),
        (FileCreatedEvent("/s/a.egg"), True),
        (FileCreatedEvent("/s/a-1.0-py3-none-any.whl.provenance"), True),
        (FileDeletedEvent("/s/a-1.0-py3-none-any.whl.publish.attestation"), True),
        (FileCreatedEvent("/s/README.md"), False),
        (FileCreatedEvent("/s/.a.whl"), False),
        (FileCreatedEvent("/s/a.whl.part"), False),
        (DirCreatedEvent("/s/sub"), False),
        (DirAttribEvent("/s"), True),
        (DirDeletedEvent("/s"), True),
        (FileCreatedEvent(f"/s/public/files/aa/bb/{NAME}"), False),
        (DirCreatedEvent("/s/public"), False),
    ],
    ids=lambda value: f"{type(value).__name__} {getattr(value, 'src_path', value)}",
)
def test_an_event_triggers_a_build_if_it_can_make_a_difference(event: FileSystemEvent, expected: bool) -> None:
    assert triggers_build(Config(sources=("/s",), destination="/s/public"), event) == expected


def test_events_of_directories_trigger_a_build_with_recursive() -> None:
    config = Config(sources=("/s",), destination="/s/public", recursive=True)
    paths = ("/s/a", "/s/public", "/s/public/files/aa", "/s/publicity")
    assert [triggers_build(config, DirCreatedEvent(path)) for path in paths] == [True, False, False, True]


def test_making_a_hard_link_does_not_trigger_a_build(config: Config) -> None:
    last = LastBuild()
    last.end(build(config).files)
    linked = Config(sources=config.sources, destination=config.destination, link_mode="hardlink")
    touched = FileAttribEvent(f"{config.sources[0]}/{NAME}")
    assert [triggers_build(one, touched, last) for one in (config, linked)] == [True, False]


def test_directories_that_mkindex_writes_are_not_watched(tmp_path: Path) -> None:
    for name in ("a/b", "public/files/aa/bb", "c/d", ".git"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "page.html").touch()
    root = str(tmp_path)

    def watched(path: str, *without: str, recursive: bool = True) -> list[tuple[str, bool]]:
        directories = triggers._cover(path, recursive=recursive, without=list(without))
        return sorted((os.path.relpath(directory, root), below) for directory, below in directories)

    assert watched(root, f"{root}/elsewhere/x", recursive=False) == [(".", False)]
    assert watched(root, "/elsewhere") == [(".", True)]
    assert watched(root, f"{root}/public") == [(".", False), ("a", True), ("c", True)]
    assert watched(root, f"{root}/a/b") == [(".", False), ("a", False), ("c", True), ("public", True)]
    assert watched(f"{root}/page.html") == [(".", False)]


def test_polling_triggers_a_build_when_the_sources_list_something_else(config: Config) -> None:
    polling = Config(sources=config.sources, destination=config.destination, poll=True)
    path = Path(config.sources[0], NAME)
    steps: list[Callable[[], object]] = [
        list,
        path.touch,
        list,
        path.unlink,
        path.parent.rmdir,
        list,
        path.parent.mkdir,
    ]
    found = []
    with Triggers(polling, YoungFiles(SETTLE), LastBuild(), print) as here:
        for step in steps:
            step()
            before = here.last
            here.poll()
            here.wait(0)
            found.append(here.last > before)
    assert found == [False, True, False, True, True, False, True]


@pytest.mark.parametrize("step", ["InotifyEmitter.queue_events", "InotifyObserver.dispatch_events"])
def test_a_watch_polls_when_a_thread_of_its_observer_has_ended_with_an_error(
    config: Config, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError

    def has_noted() -> bool:
        watched.poll()
        return bool(notes)

    monkeypatch.setattr("threading.excepthook", lambda _: None)
    notes: list[object] = []
    with Triggers(config, YoungFiles(SETTLE), LastBuild(), notes.append) as watched:
        watched.poll()
        assert notes == []
        monkeypatch.setattr(f"watchdog.observers.inotify.{step}", fail)
        write_wheel(Path(config.sources[0]), "demo", "2.0")
        wait_until(has_noted, "a note")
        watched.wait(0)
        before = watched.last
        write_wheel(Path(config.sources[0]), "demo", "3.0")
        watched.poll()
        watched.wait(0)
        assert watched.last > before
    why = "the thread that reports changes has ended with an error"
    assert notes == [f"{why}: falling back to polling every {config.poll_interval:g} s"]


def test_waking_a_watch_does_not_trigger_a_build(config: Config) -> None:
    here = Triggers(config, YoungFiles(SETTLE), LastBuild(), print)
    here.fire()
    here.wait(60)
    before = here.last
    here.wake()
    here.wait(60)
    assert here.last == before > 0


@pytest.fixture
def work() -> Workspace:
    """A workspace for links, all of which are rejected: nothing of it is used."""
    return cast("Workspace", SimpleNamespace(destination=None))


def reject(link: Link) -> Rejected:
    return Rejected(location=link.location, reason="none")


def test_remote_sources_are_requested_only_in_builds_that_renew_answers(
    monkeypatch: pytest.MonkeyPatch, work: Workspace
) -> None:
    link, other = Link(url="https://host/a", filename="a"), Link(url="https://host/b", filename="b")
    requests: list[Link | str] = []

    class Page:
        def artifacts(self) -> Iterator[Link]:
            requests.append("page")
            yield link

    def examine(links: Sequence[Link], work: Workspace) -> list[Rejected]:
        del work
        requests.extend(links)
        return [reject(link) for link in links]

    monkeypatch.setattr(remembered, "examine_all", examine)
    answers = Answers()
    source = Remembered(Page(), "https://host/", answers)
    for renew, links in ((False, [link]), (False, [link, other]), (True, [other, link]), (False, [link])):
        answers.renew = renew
        assert list(source.artifacts()) == [link]
        assert list(answers.examine(links, work)) == [reject(link) for link in links]
        requests.append("")
    assert requests == ["page", link, "", other, "", "page", other, link, "", ""]


def test_the_answers_for_links_stay_when_a_server_fails(monkeypatch: pytest.MonkeyPatch, work: Workspace) -> None:
    link = Link(url="https://host/a", filename="a")

    def fail(links: Sequence[Link], work: Workspace) -> Iterator[Rejected]:
        del work
        if links:
            raise SourceError("no answer")
        yield from ()

    answers = Answers(outcomes={link: reject(link)})
    monkeypatch.setattr(remembered, "examine_all", fail)
    with pytest.raises(SourceError):
        list(answers.examine([link], work))
    answers.renew = False
    assert list(answers.examine([link], work)) == [reject(link)]


# --- events ---------------------------------------------------------------------------------------------------------


def test_a_line_reports_what_has_changed(config: Config, tmp_path: Path) -> None:
    publish(tmp_path / "wheels", tmp_path / "public")
    (tmp_path / "wheels/bad.egg").write_bytes(b"x")
    report = build(config)
    built = BuildEvent(
        report=report,
        added=("a.whl", "b.whl", "c\x1b.whl", "d.whl"),
        replaced=("e.whl",),
        removed=(),
        held=("/wheels/f.whl",),
        news=(),
        recovered=True,
    )
    assert as_text(built)[len("2026-11-20 00:00:00 ") :] == (
        "builds succeed again; added a.whl, b.whl, c\\x1b.whl and 1 more; replaced e.whl; 1 rejected; "
        f"1 held back until complete; 1 file in {report.seconds:.2f} s"
    )
    line = json.loads(as_json_line(built))
    del line["time"], line["seconds"]
    assert line == {
        "version": 1,
        "event": "build",
        "added": ["a.whl", "b.whl", "c\x1b.whl", "d.whl"],
        "replaced": ["e.whl"],
        "removed": [],
        "rejected": [{"location": str(tmp_path / "wheels/bad.egg"), "reason": report.rejected[0].reason}],
        "held": ["/wheels/f.whl"],
        "projects": 1,
        "files": 1,
        "written": 0,
        "deleted": 0,
    }


def test_errors_and_notes_are_different_events() -> None:
    events = (MkindexError("it is so"), "it is so")
    assert [as_text(event)[20:] for event in events] == ["error: it is so", "it is so"]
    assert [json.loads(as_json_line(event))["event"] for event in events] == ["error", "note"]


def test_a_build_without_changes_is_not_news(config: Config) -> None:
    report = build(config)
    again = build(config)
    empty: tuple[str, ...] = ()

    def built(report: Report, news: tuple[Rejected | Note, ...] = ()) -> BuildEvent:
        return BuildEvent(
            report=report,
            added=empty,
            replaced=empty,
            removed=empty,
            held=empty,
            news=news,
            recovered=False,
        )

    assert [built(report).is_news, built(again).is_news] == [True, False]
    assert built(again, news=(Note(location="x", text="y"),)).is_news


@pytest.mark.slow
def test_an_unchanged_file_is_not_examined_again_until_a_thorough_build(config: Config) -> None:
    last = LastBuild()
    path = Path(config.sources[0], NAME)
    os.utime(path, (1e9, 1e9))
    time.sleep(2.1)  # or it could change without showing
    last.begin(thorough=True)
    (file,) = build(config).files
    last.end([file])
    assert last.same_file(file.local) is file
    path.write_bytes(wheel("demo", "1.0", files={"x": b"y"}))
    assert last.same_file(Artifact(config.sources[0], NAME, Fingerprint.of(path.stat()))) is None
    last.begin(thorough=True)
    assert last.same_file(file.local) is None
