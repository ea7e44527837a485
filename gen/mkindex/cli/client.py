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
                                       uv takes every project of this index from there, and only from there
  mkindex client https://host/simple/ --project demo --project 'demo-*'
                                       … or those that you need
  mkindex client https://host/simple/ --for pip > .venv/pip.conf
  mkindex client https://host/simple/ --for poetry --project demo
  mkindex client https://host/links.html --for pdm
                                       a find-links page
  mkindex client ./public              a directory, as a file: address

\b
Exit status: 0 printed; 2 usage, or what this client cannot do; 3 it is no index, or could not be looked at.""",
)
@click.argument("target", metavar="URL_OR_DIR")
@click.option("--for", "client", type=click.Choice(_CLIENTS), help="The client.  [default: uv]")
@click.option(
    "--project",
    multiple=True,
    metavar="NAME_OR_GLOB",
    help="Only the projects whose name fits; poetry needs to be told.",
)
@click.option("--name", metavar="NAME", default="", help="What the index is called.  [default: made from its address]")
def client(target: str, **options: Any) -> int:  # noqa: ANN401 (the fields of Options)
    """Print the configuration of a client for an index, to be pasted as it is.

    It keeps the projects of the index to the index, so that nobody can put a higher version of one into its place
    elsewhere. What has to be said stands in it as comments. Passwords are taken from ~/.netrc, or from the address, and
    never printed.
    """
    from mkindex.probe import ClientOptions, configuration

    text = configuration(ClientOptions(target=target, **options))
    with reader_may_leave():
        click.echo(text, nl=False)
    return DONE
