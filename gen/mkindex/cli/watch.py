"""The option --watch of the command `build`."""

import os
import signal
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from mkindex.cli.serve import listen
from mkindex.cli.terminal import DONE, print_findings, print_message, reader_may_leave
from mkindex.errors import MkindexError, NotPublished
from mkindex.text import printable

if TYPE_CHECKING:
    from mkindex.config import Config


def watch(config: "Config", read_config: Callable[[], "Config"], *, json: bool, quiet: bool, verbose: bool) -> int:
    """Build, and serve if the configuration says so, until SIGINT or SIGTERM. Return the exit status.

    `read_config` is called after SIGHUP and returns the configuration as it is then.
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

    loop = Watch(config, on_event=print_event, read_config=read_config)
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
