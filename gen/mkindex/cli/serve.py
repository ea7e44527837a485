"""The command `serve`."""

import os
import shlex
import signal
from contextlib import suppress
from typing import TYPE_CHECKING

import click

from mkindex.cli.terminal import DONE
from mkindex.distributions.filenames import SUFFIXES
from mkindex.text import and_more, printable
from mkindex.tree.names import INDEX_HTML, INDEX_JSON, STATE_DIRECTORY

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


def _missing_index(directory: str) -> str:
    """Return what to say of a directory without an index, "" if it has one."""
    pages = (os.path.join(directory, parent, name) for parent in ("", "simple") for name in (INDEX_HTML, INDEX_JSON))
    if os.path.isdir(os.path.join(directory, STATE_DIRECTORY)) or any(map(os.path.exists, pages)):
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
        missing = _missing_index(directory) if os.path.isdir(directory) else ""
        server = listen(directory, bind, errors_only=quiet)
        if missing:
            click.echo(f"{click.style('warning', fg='red', bold=True)} {printable(directory)}: {missing}", err=True)
        click.echo(f"serving {printable(directory)} at {server.url} (Ctrl-C stops it)")
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        server.serve_forever()
    except KeyboardInterrupt:
        pass
    return DONE
