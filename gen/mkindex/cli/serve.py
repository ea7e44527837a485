"""The command `serve`."""

import signal
from typing import TYPE_CHECKING

import click

from mkindex.cli.terminal import DONE
from mkindex.text import printable

if TYPE_CHECKING:
    from mkindex.serve import Server

BIND = "127.0.0.1:8000"


def listen(directory: str, bind: str, *, errors_only: bool) -> "Server":
    """Return a server that listens already, and logs requests. Raises ServeError and ConfigError."""
    from mkindex.config import parse_bind
    from mkindex.serve import Server

    def log(request: str, status: int) -> None:
        if status >= 400 or not errors_only:
            click.echo(f"{request} {status}", err=True)

    server = Server(directory, parse_bind(bind), log)
    if server.is_public:
        text = "other machines can reach this server: it asks nobody for a password, and encrypts nothing"
        click.echo(f"{click.style('warning', fg='red', bold=True)} {bind}: {text}", err=True)
    return server


@click.command(
    context_settings={"auto_envvar_prefix": "MKINDEX", "help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.argument("directory", metavar="DIR")
@click.option("--bind", metavar="HOST:PORT", default=BIND, show_default=True, help="The address to listen at.")
@click.option("--quiet", "-q", is_flag=True, help="Log only requests that fail.")
def serve(directory: str, *, bind: str, quiet: bool) -> int:
    """Serve the index in DIR, as `mkindex SOURCE DIR` has made it: for development and small networks.

    Pages come as JSON or HTML, as the client asks (PEP 691). Nothing but files in DIR is ever sent, and nothing can be
    uploaded. There is no encryption, and no password. It ends with Ctrl-C.
    """
    try:
        server = listen(directory, bind, errors_only=quiet)
        click.echo(f"serving {printable(directory)} at {server.url} (Ctrl-C stops it)")
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        server.serve_forever()
    except KeyboardInterrupt:
        pass
    return DONE
