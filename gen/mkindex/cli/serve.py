"""The command `serve`."""

import os
import shlex
import signal
from contextlib import suppress
from typing import TYPE_CHECKING

import click

from mkindex.cli.fallback import fallback_of, fallback_options
from mkindex.cli.options import CONTEXT_SETTINGS, Command, click_option
from mkindex.cli.terminal import DONE, print_message, print_warning, reader_may_leave
from mkindex.config.table import BY_NAME
from mkindex.distributions.filenames import SUFFIXES
from mkindex.hosts.addresses import parse_bind
from mkindex.text import and_more, printable
from mkindex.tree.layout import read_layout
from mkindex.tree.names import MANIFEST

if TYPE_CHECKING:
    from mkindex.hosts.fallback import Fallback
    from mkindex.serve.server import Server


def listen(
    directory: str, bind: str, *, errors_only: bool, metrics: bool = False, fallback: "Fallback | None" = None
) -> "Server":
    """Return a server that already listens and logs requests. Raises ServeError and ConfigError."""
    from mkindex.serve.server import Server

    def log(request: str, status: int) -> None:
        if status >= 400 or not errors_only:
            print_message(request)

    server = Server(directory, parse_bind(bind), log, metrics=metrics, fallback=fallback)
    if server.is_public:
        command = (
            f"mkindex host nginx --root {printable(shlex.quote(os.path.abspath(directory)))} --url https://NAME/ --auth"
        )
        print_warning(
            f"{bind}: other machines can connect, without a password and without encryption. For more people than a "
            f"team, use nginx: {command}"
        )
    return server


def _missing_index(directory: str) -> str:
    """Return what to say of a directory without an index, "" if it has one."""
    from mkindex.serve.status import has_index

    if has_index(directory):
        return ""
    names: list[str] = []
    with suppress(OSError):  # the server reports it
        names = sorted(name for name in os.listdir(directory) if name.endswith(SUFFIXES))
    where = printable(shlex.quote(directory))
    if names:
        files = and_more([printable(name) for name in names], 2)
        return (
            f"it has files to install ({files}), but no index, so clients find nothing. Make an index of it and serve "
            f"that: mkindex {where} ./public, then mkindex serve ./public"
        )
    return f"there is no index in it yet, so clients find nothing. Make one: mkindex SOURCE {where}"


@click.command(cls=Command, context_settings=CONTEXT_SETTINGS)
@click.argument("directory", metavar="DIR")
@click_option(BY_NAME["bind"], group="")
@click.option("--metrics", is_flag=True, help="Serve counters for Prometheus at /-/metrics.")
@fallback_options
@click.option("--quiet", "-q", is_flag=True, help="Log only requests that fail.")
def serve(
    directory: str, *, bind: str, metrics: bool, fallback: str | None, reserve: tuple[str, ...], quiet: bool
) -> int:
    """Serve the index in DIR, which `mkindex SOURCE DIR` built, for development and small networks.

    Clients get JSON or HTML pages, as they prefer (PEP 691). The server is read-only and sends only files in DIR. It
    has no encryption and no passwords. Stop it with Ctrl-C.

    Each request is a line on standard error, in the combined log format of Apache and nginx. /-/health answers 200
    while there is an index in DIR, and 503 otherwise. For more people than a team, use a web server: mkindex host nginx
    prints its configuration.
    """
    try:
        missing = _missing_index(directory) if os.path.isdir(directory) else ""
        other = fallback_of(read_layout(os.path.join(directory, MANIFEST)), fallback, reserve)
        server = listen(directory, bind, errors_only=quiet, metrics=metrics, fallback=other)
        if missing:
            print_warning(f"{printable(directory)}: {missing}")
        with reader_may_leave():
            click.echo(f"serving {printable(directory)} at {server.url} (Ctrl-C stops it)")
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        server.serve_forever()
    except KeyboardInterrupt:
        pass
    return DONE
