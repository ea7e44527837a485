"""mkindex as a process: servers, watches, closed pipes and signals."""

from __future__ import annotations

import os
import re
import signal
import struct
import subprocess
import sys
import time
import zlib
from typing import TYPE_CHECKING
from urllib.request import ProxyHandler, build_opener

import pytest

from mkindex import cli
from support import raw_server
from support.command_line import WHEEL, Run, snapshot
from support.wheels import metadata, write_wheel

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a working directory with a wheel in ./wheels."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "wheels").mkdir()
    write_wheel(tmp_path / "wheels", "demo", "1.0")
    return tmp_path


# --- watch and serve --------------------------------------------------------------------------------------------------


def running(here: Path, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "mkindex", *arguments]
    return subprocess.Popen(command, cwd=here, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_server_prints_its_address_and_logs_requests_until_it_is_stopped(here: Path, number: signal.Signals) -> None:
    assert cli.run(["wheels", "public", "-q"]) == 0
    with running(here, "serve", "public", "--bind", "127.0.0.1:0") as server:
        assert server.stdout
        line = server.stdout.readline()
        match = re.fullmatch(r"serving public at (http://127\.0\.0\.1:\d+/) \(Ctrl-C stops it\)\n", line)
        assert match, line
        with build_opener(ProxyHandler({})).open(f"{match[1]}simple/demo/", timeout=20) as answer:
            assert WHEEL in answer.read().decode()
        server.send_signal(number)
        out, err = server.communicate(timeout=20)
    assert (server.returncode, out, '"GET /simple/demo/ HTTP/1.1" 200' in err, err.count("\n")) == (0, "", True, 1)


def test_a_server_for_other_machines_prints_a_warning(here: Path) -> None:
    assert cli.run(["wheels", "public", "-q"]) == 0
    with running(here, "serve", "public", "--bind", "0.0.0.0:0") as server:
        assert server.stdout
        server.stdout.readline()
        server.terminate()
        _, err = server.communicate(timeout=20)
    assert err == (
        "warning 0.0.0.0:0: other machines can connect, without a password and without encryption. For more people "
        f"than a team, use nginx: mkindex host nginx --root {here}/public --url https://NAME/ --auth\n"
    )


@pytest.mark.parametrize("arguments", [("serve", "gone"), ("serve", "public", "--bind", "nowhere.invalid:0")])
def test_a_server_that_cannot_start_is_3(here: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str]) -> None:
    (here / "public").mkdir()
    run = Run(capsys, *arguments)
    assert (run.status, run.out, run.err.count("\n")) == (3, "", 1)


@pytest.mark.parametrize("page", ["index.html", "simple/index.html", "simple/index.v1_json", ".mkindex/manifest"])
def test_an_index_beside_wheels_is_served(here: Path, page: str) -> None:
    (here / "wheels" / page).parent.mkdir(exist_ok=True)
    (here / "wheels" / page).write_text("{}")
    with running(here, "serve", "wheels", "--bind", "127.0.0.1:0") as server:
        assert server.stdout
        assert server.stdout.readline().startswith("serving wheels at ")
        server.terminate()
        assert server.communicate(timeout=20)[1] == ""


WITHOUT_INDEX = (
    f"it has files to install ({WHEEL}), but no index, so clients find nothing. "
    "Make an index of it and serve that: mkindex ./wheels ./public, then mkindex serve ./public"
)


@pytest.mark.parametrize(
    ("directory", "text"),
    [
        ("./wheels", WITHOUT_INDEX),
        ("./public", "there is no index in it yet, so clients find nothing. Make one: mkindex SOURCE ./public"),
    ],
)
def test_a_directory_without_an_index_is_served_with_a_warning_that_says_what_to_do(
    here: Path, directory: str, text: str
) -> None:
    (here / "public").mkdir()
    with running(here, "serve", directory, "--bind", "127.0.0.1:0") as server:
        assert server.stdout
        server.stdout.readline()
        server.terminate()
        _, err = server.communicate(timeout=20)
    assert err == f"warning {directory}: {text}\n"


def test_a_watch_that_cannot_start_is_3(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert (Run(capsys, "gone", "public", "--watch").status, sorted(os.listdir(here))) == (3, ["wheels"])


def test_a_watch_prints_its_events(here: Path) -> None:
    (here / "wheels/bad.egg").write_bytes(b"x")
    with running(here, "wheels", "public", "--watch", "--serve", "--bind", "127.0.0.1:0") as watch:
        assert watch.stdout
        lines = [watch.stdout.readline() for _ in range(2)]
        watch.terminate()
        _, err = watch.communicate(timeout=20)
    time = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d "
    assert re.fullmatch(time + r"serving public at http://127\.0\.0\.1:\d+/\n", lines[0])
    assert re.fullmatch(time + rf"added {re.escape(WHEEL)}; 1 rejected; 1 file in \d\.\d\d s\n", lines[1])
    assert (watch.returncode, err) == (
        0,
        f"rejected {here}/wheels/bad.egg: eggs are no longer installable: build a wheel\n",
    )


# --- pipes and signals ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("rejected", "status"), [(False, 0), (True, 1)])
def test_a_closed_pipe_is_not_an_error(here: Path, rejected: bool, status: int) -> None:
    if rejected:
        (here / "wheels/bad.egg").write_bytes(b"x")
    reading, writing = os.pipe()
    os.close(reading)
    run = subprocess.run(
        [sys.executable, "-m", "mkindex", "-v", "wheels", "public"],
        stdout=writing,
        stderr=subprocess.PIPE,
        check=False,
        timeout=60,
    )
    os.close(writing)
    assert (run.returncode, b"Error" in run.stderr) == (status, False), run.stderr
    assert (here / "public/simple/demo/index.html").exists()


def test_a_closed_standard_output_is_not_an_error(here: Path) -> None:
    command = [sys.executable, "-m", "mkindex", "wheels", "public"]
    run = subprocess.run(["sh", "-c", '"$@" >&-', "sh", *command], stderr=subprocess.PIPE, check=False, timeout=60)
    assert (run.returncode, run.stderr) == (0, b"")


def write_large_wheel(path: Path, size: int) -> None:
    """Write a wheel with a member of `size` zeros, as a sparse file."""
    info = "foo-1.0.dist-info"
    members: dict[str, bytes | None] = {
        f"{info}/METADATA": metadata("foo", "1.0"),
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/RECORD": f"foo/data,,\n{info}/METADATA,,\n{info}/WHEEL,,\n{info}/RECORD,,\n".encode(),
        "foo/data": None,
    }
    directory = b""
    with path.open("wb") as file:
        for name, content in members.items():
            length = size if content is None else len(content)
            crc = 0 if content is None else zlib.crc32(content)
            common = (0, 0, 0, 0, crc, length, length, len(name), 0)
            directory += struct.pack("<4s2H4H3L2H", b"PK\1\2", 20, 20, *common)
            directory += struct.pack("<3H2L", 0, 0, 0, 0, file.tell()) + name.encode()
            file.write(struct.pack("<4sH4H3L2H", b"PK\3\4", 20, *common) + name.encode())
            file.write(content) if content else file.seek(size, os.SEEK_CUR)
        start = file.tell()
        count = len(members)
        file.write(directory + struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, count, count, len(directory), start, 0))


def test_ctrl_c_is_130_and_leaves_the_destination_as_it_was(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Run(capsys, "wheels", "public")
    before = snapshot(here / "public")
    write_large_wheel(here / "wheels/foo-1.0-py3-none-any.whl", 1 << 30)
    run = subprocess.Popen(
        [sys.executable, "-m", "mkindex", "wheels", "public"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    while not (here / "public/.mkindex/lock").exists():
        assert run.poll() is None
        time.sleep(0.01)
    time.sleep(0.1)
    run.send_signal(signal.SIGINT)
    out, err = run.communicate(timeout=120)
    assert (run.returncode, out, err.strip()) == (130, b"", b"interrupted: the next run finishes the job")
    assert snapshot(here / "public") == before


# --- colors ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("no_color", "colors"), [(None, True), ("", True), ("1", False)])
def test_a_terminal_gets_colors_unless_no_color_is_set(here: Path, no_color: str | None, colors: bool) -> None:
    (here / "wheels/bad.egg").write_bytes(b"x")
    environment = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
    environment |= {"NO_COLOR": no_color} if no_color is not None else {}
    controller, terminal = os.openpty()
    for arguments in ["wheels", "public"], ["--jobs", "0", "wheels", "public"], ["gone", "public"]:
        command = [sys.executable, "-m", "mkindex", "-q", *arguments]
        subprocess.run(command, cwd=here, stdout=terminal, stderr=terminal, env=environment, check=False, timeout=60)
        assert (b"\x1b[31m" in os.read(controller, 1 << 16)) == colors, arguments
    os.close(controller)
    os.close(terminal)


@pytest.mark.parametrize("kind", ["silence", "headers a line at a time", "silence in the body", "a trickle"])
@pytest.mark.parametrize("is_page", [True, False], ids=["page", "file"])
def test_an_interrupt_ends_a_build_that_waits_for_a_server(here: Path, kind: str, is_page: bool) -> None:
    with raw_server.serve_forever((raw_server.HEADS | raw_server.BODIES | raw_server.SLOW)[kind]) as url:
        source = url
        if not is_page:
            source = "list.txt"
            (here / source).write_text(f"{url}demo-1.0-py3-none-any.whl\n")
        with running(here, source, "public", "--timeout", "1000", "--no-cache") as build:
            raw_server.wait_for_request(url)
            build.send_signal(signal.SIGINT)
            build.communicate(timeout=30)
    assert build.returncode == 130
