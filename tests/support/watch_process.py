"""A real `mkindex --watch` process, and the events that it prints."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence


MKINDEX = (sys.executable, "-m", "mkindex")
TIMEOUT = 60.0  # seconds to wait for anything


def wait_until(true: Callable[[], object], what: str, patience: float = TIMEOUT) -> None:
    """Wait until a condition is true; `what` describes it."""
    deadline = time.monotonic() + patience
    while not true():
        assert time.monotonic() < deadline, f"not within {patience} s: {what}"
        time.sleep(0.01)


class WatchProcess:
    """A watch that runs, and the events that it has printed so far."""

    def __init__(self, process: subprocess.Popen[str], errors: Path) -> None:
        self.process = process
        self.events: list[dict[str, Any]] = []
        self._errors = errors
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self) -> None:
        assert self.process.stdout
        self.events.extend(map(json.loads, iter(self.process.stdout.readline, "")))

    @property
    def errors(self) -> str:
        """Its standard error."""
        return self._errors.read_text()

    def builds(self) -> list[dict[str, Any]]:
        return [line for line in self.events if line["event"] == "build"]

    def has_built(self, before: int) -> bool:
        """Whether there were more than `before` builds."""
        return len(self.builds()) > before

    def texts(self, event: str) -> list[str]:
        return [line["text"] for line in self.events if line["event"] == event]

    def has_reported(self, event: str, before: int) -> bool:
        """Whether there were more than `before` errors, or notes."""
        return len(self.texts(event)) > before

    def wait_until(self, true: Callable[[], object], what: str) -> None:
        """Wait until a condition is true, while the watch runs."""

        def is_true() -> object:
            with suppress(FileNotFoundError):  # a file may vanish at that moment
                return true()
            return False

        try:
            wait_until(lambda: is_true() or self.process.poll() is not None, what)
        except AssertionError as error:
            texts = self.texts("error")[-3:]
            raise AssertionError(
                f"{error}; its errors: {texts}; its events: {self.events[-10:]} {self.errors}"
            ) from error
        assert self.process.poll() is None, f"it ended: {self.errors}"

    def wait_until_quiet(self, seconds: float = 1.5) -> None:
        """Wait until it has printed nothing for a while."""
        self.wait_until(self.builds, "a first build")
        count, since = -1, time.monotonic()
        while time.monotonic() - since < seconds:
            if len(self.events) != count:
                count, since = len(self.events), time.monotonic()
            time.sleep(0.02)

    @property
    def url(self) -> str:
        """The address at which it serves."""
        self.wait_until(lambda: any("serving" in text for text in self.texts("note")), "an address")
        (found,) = (re.search(r"http://\S+/", text) for text in self.texts("note") if "serving" in text)
        assert found
        return found[0]

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        status = self.process.wait(TIMEOUT)
        self.reader.join(TIMEOUT)
        return status

    def open_files(self) -> int:
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def resident(self) -> int:
        """The resident memory, in bytes."""
        return int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@contextmanager
def run_watch(
    *arguments: str | Path,
    log: Path,
    verb: str = "build",
    prefix: Sequence[str] = (),
    **options: Any,  # noqa: ANN401 (of Popen)
) -> Iterator[WatchProcess]:
    """Run a watch with these arguments until the context ends; `prefix`: a command that runs it."""
    command = [*prefix, *MKINDEX, verb, "--watch", "--json", *map(str, arguments)]
    with (
        log.open("w") as errors,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True, **options) as process,
    ):
        watching = WatchProcess(process, log)
        try:
            yield watching
        finally:
            process.kill()
            watching.reader.join(TIMEOUT)  # before the pipe that it reads from is closed
