"""The command `serve`."""

import signal
from typing import TYPE_CHECKING

import click

from mkindex.cli.options import CONTEXT_SETTINGS, Command, click_option
from mkindex.cli.terminal import DONE, print_warning
from mkindex.config import BY_NAME, parse_bind
from mkindex.text import printable

if TYPE_CHECKING:
    from mkindex.serve import Server


def listen(directory: str, bind: str, *, errors_only: bool) -> "Server":
    """Return a server that already listens and logs requests. Raises ServeError and ConfigError."""
    from mkindex.serve import Server

    def log(request: str, status: int) -> None:
        if status >= 400 or not errors_only:
            click.echo(f"{request} {status}", err=True)

    server = Server(directory, parse_bind(bind), log)
    if server.is_public:
        print_warning(f"{bind}: other machines can connect, without a password and without encryption")
    return server


@click.command(cls=Command, context_settings=CONTEXT_SETTINGS, short_help="Serve an index over HTTP.")
@click.argument("directory", metavar="DIR")
@click_option(BY_NAME["bind"], group="")
@click.option("--quiet", "-q", is_flag=True, help="Log only requests that fail.")
def serve(directory: str, *, bind: str, quiet: bool) -> int:
    """Serve the index in DIR, which `mkindex SOURCE DIR` built, for development and small networks.

    Clients get JSON or HTML pages, as they prefer (PEP 691). The server is read-only and sends only files in DIR. It
    has no encryption and no passwords. Stop it with Ctrl-C.
    """
    try:
        server = listen(directory, bind, errors_only=quiet)
        click.echo(f"serving {printable(directory)} at {server.url} (Ctrl-C stops it)")
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        server.serve_forever()
    except KeyboardInterrupt:
        pass
    return DONE
