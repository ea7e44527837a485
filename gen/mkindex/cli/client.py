"""The command `client`."""

from typing import Any

import click

from mkindex.cli.options import CONTEXT_SETTINGS, Command
from mkindex.cli.terminal import DONE, reader_may_leave

_CLIENTS = ("uv", "pip", "poetry", "pdm")


@click.command(
    cls=Command,
    context_settings=CONTEXT_SETTINGS,
    epilog="""\b
Examples:
  mkindex client https://host/simple/ >> pyproject.toml
                                       uv takes all projects of this index only from there
  mkindex client https://host/simple/ --project demo --project 'demo-*'
                                       only some projects
  mkindex client https://host/simple/ --for pip > .venv/pip.conf
  mkindex client https://host/simple/ --for poetry --project demo
  mkindex client https://host/links.html --for pdm
                                       a find-links page
  mkindex client ./public              a directory, as a file: address

\b
Exit status: 0 printed; 2 usage, or the client does not support this; 3 not an index, or it could not be read.""",
)
@click.argument("target", metavar="URL_OR_DIR")
@click.option("--for", "client", type=click.Choice(_CLIENTS), help="The client to configure.  [default: uv]")
@click.option(
    "--project",
    multiple=True,
    metavar="NAME_OR_GLOB",
    help="Only matching projects. Required for poetry. Can be repeated.",
)
@click.option("--name", metavar="NAME", default="", help="The name of the index.  [default: made from its address]")
def client(target: str, **options: Any) -> int:  # noqa: ANN401 (the fields of ClientOptions)
    """Print a configuration with which a client uses an index safely.

    With it, the client takes the projects of the index only from there, so that a higher version on another index is
    not installed instead. Comments explain it. Credentials are read from ~/.netrc or from the address, and never
    printed.
    """
    from mkindex.probe import ClientOptions, configuration

    text = configuration(ClientOptions(target=target, **options))
    with reader_may_leave():
        click.echo(text, nl=False)
    return DONE
