"""The option --watch of the commands `build` and `add`."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from mkindex.cli.serve import listen
from mkindex.cli.terminal import DONE, print_findings, print_message, print_warning, reader_may_leave
from mkindex.errors import MkindexError, NotPublished
from mkindex.text import printable

if TYPE_CHECKING:
    from mkindex.build.growing import Growth
    from mkindex.config import Config


def watch(
    config: "Config",
    growth: "Growth | None",
    read_config: Callable[[], "tuple[Config, Growth | None]"],
    command: str | None,
    *,
    json: bool,
    quiet: bool,
    verbose: bool,
) -> int:
    """Build, and serve if the configuration says so, until SIGINT or SIGTERM. Return the exit status.

    `read_config` is called after SIGHUP and returns the configuration and the growth as they are then. `command` is run
    after each build that changed something.
    """
    from mkindex.reports.events import as_json_line, as_text
    from mkindex.watch.loop import BuildEvent, Event, Watch

    def print_event(event: Event) -> None:
        if isinstance(event, BuildEvent):
            print_findings(event.news, quiet=quiet, verbose=verbose)
        elif isinstance(event, NotPublished):
            print_findings(event.findings, quiet=quiet, verbose=verbose)
        is_error = isinstance(event, MkindexError)
        if is_error and not json:
            print_message(as_text(event))
        elif is_error or (not quiet and (verbose or not isinstance(event, BuildEvent) or event.is_news)):
            with reader_may_leave():
                click.echo(as_json_line(event) if json else printable(as_text(event)))
        if command is not None and isinstance(event, BuildEvent) and event.is_news:
            _run(command, as_json_line(event))

    loop = Watch(config, growth, on_event=print_event, read_config=read_config)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if hasattr(signal, "SIGHUP"):
        signal.signal(signal.SIGHUP, lambda *_: loop.reload())
    try:
        if config.serve:
            os.makedirs(config.destination, exist_ok=True)
            server = listen(config.destination, config.bind, errors_only=not verbose)
            print_event(f"serving {printable(config.destination)} at {server.url}")
            threading.Thread(target=server.serve_forever, daemon=True).start()
        loop.run()
    except KeyboardInterrupt:
        return DONE


def _run(command: str, line: str) -> None:
    """Run a shell command with a line on its standard input. The watch goes on if it fails."""
    # Its output is not mixed with the lines of a watch on standard output.
    done = subprocess.run(command, shell=True, input=f"{line}\n", text=True, stdout=sys.stderr, check=False)  # noqa: S602
    if done.returncode:
        print_warning(f"--on-build: {printable(command)} ended with status {done.returncode}")
