"""A real `mkindex --watch`, and what it says."""

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
TIMEOUT = 60.0  # seconds until what must happen some time is taken not to


def wait_until(true: Callable[[], object], what: str, patience: float = TIMEOUT) -> None:
    """Wait until something is so."""
    deadline = time.monotonic() + patience
    while not true():
        assert time.monotonic() < deadline, f"not so in {patience} s: {what}"
        time.sleep(0.01)


class WatchProcess:
    """A watch that runs: what it has said so far, each line a dictionary."""

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
        """What it said to a person."""
        return self._errors.read_text()

    def builds(self) -> list[dict[str, Any]]:
        return [line for line in self.events if line["event"] == "build"]

    def has_built(self, before: int) -> bool:
        """Whether there were more builds than so many."""
        return len(self.builds()) > before

    def texts(self, event: str) -> list[str]:
        return [line["text"] for line in self.events if line["event"] == event]

    def has_reported(self, event: str, before: int) -> bool:
        """Whether it told of more than so many errors, or notes."""
        return len(self.texts(event)) > before

    def wait_until(self, true: Callable[[], object], what: str) -> None:
        """Wait until something is so while it runs."""

        def is_so() -> object:
            with suppress(FileNotFoundError):  # what is looked at may go at that moment
                return true()
            return False

        try:
            wait_until(lambda: is_so() or self.process.poll() is not None, what)
        except AssertionError as error:
            raise AssertionError(f"{error}; it said {self.events[-10:]} {self.errors}") from error
        assert self.process.poll() is None, f"it ended: {self.errors}"

    def wait_until_quiet(self, seconds: float = 1.5) -> None:
        """Wait until it has said nothing for a while."""
        self.wait_until(self.builds, "a first build")
        known, since = -1, time.monotonic()
        while time.monotonic() - since < seconds:
            if len(self.events) != known:
                known, since = len(self.events), time.monotonic()
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
        """Bytes of memory."""
        return int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@contextmanager
def run_watch(*arguments: str | Path, log: Path, prefix: Sequence[str] = (), **options: Any) -> Iterator[WatchProcess]:  # noqa: ANN401 (of Popen)
    """Watch with these arguments until the context is left; `prefix`: a command that runs it."""
    command = [*prefix, *MKINDEX, "--watch", "--json", *map(str, arguments)]
    with (
        log.open("w") as errors,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True, **options) as process,
    ):
        watching = WatchProcess(process, log)
        try:
            yield watching
        finally:
            process.kill()
            watching.reader.join(TIMEOUT)  # or what it reads from would be closed under it
