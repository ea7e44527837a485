"""The command `client`."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mkindex.cli.options import CONTEXT_SETTINGS, Command, Location
from mkindex.cli.terminal import DONE, PROBLEMS, print_error, print_message, reader_may_leave

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mkindex.clients.served import ServedIndex

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
  mkindex client https://ours/simple/ https://mirror/simple/ --default
                                       two indexes, and nothing from the public one
  mkindex client https://host/simple/ --for pip > .venv/pip.conf
  mkindex client https://host/simple/ --for pip --variant cu128
                                       the index of one variant
  mkindex client https://host/simple/ --for poetry --project demo --check
                                       and see whether poetry installs it
  mkindex client https://host/links.html --for pdm
                                       a find-links page
  mkindex client ./public              a directory, as a file: address

\b
Exit status: 0 printed; 1 printed, and --check could not install; 2 usage, or the client does not support this; 3 not an
index, or it could not be read.""",
)
@click.argument("targets", metavar="URL_OR_DIR...", nargs=-1, type=Location())
@click.option("--for", "client", type=click.Choice(_CLIENTS), help="The client to configure.  [default: uv]")
@click.option(
    "--project",
    multiple=True,
    metavar="NAME_OR_GLOB",
    help="Only matching projects. Required for poetry. May be repeated.",
)
@click.option(
    "--default",
    is_flag=True,
    help="Use the last index instead of the public one, as in a closed network.",
)
@click.option("--variant", metavar="NAME", default="", help="Use the index of this variant only.")
@click.option(
    "--name",
    multiple=True,
    metavar="NAME",
    help="The name of the index; of several, in their order.  [default: made from its address]",
)
@click.option(
    "--check",
    is_flag=True,
    help="Also install the first of the projects with the printed configuration, in a scratch directory, with the "
    "client that is in PATH. It installs only wheels, so that nothing of them is run.",
)
def client(targets: tuple[str, ...], *, check: bool, **options: Any) -> int:  # noqa: ANN401 (the fields of ClientOptions)
    """Print a configuration with which a client uses an index safely.

    With it, the client takes the projects of the index only from there, so that a higher version on another index is
    not installed instead. Of several indexes, the first that has a project is used. Comments explain it. Credentials
    are read from ~/.netrc or from the address, and never printed.
    """
    from mkindex.clients.configurations import configuration_text
    from mkindex.probe.configure import ClientOptions, served_indexes

    settings = ClientOptions(targets=targets, **options)
    indexes = served_indexes(settings)
    text = configuration_text(indexes, settings.client)
    if settings.client != "pip":
        _note_tables(text)
    with reader_may_leave():
        click.echo(text, nl=False)
    return _check(text, settings.client or "uv", indexes) if check else DONE


def _note_tables(text: str) -> None:
    """Print a note if the pyproject.toml here would not be valid with the configuration at its end."""
    from mkindex.clients.pyproject import repeated_tables

    try:
        existing = Path("pyproject.toml").read_text("utf-8")
    except (OSError, ValueError):
        return
    if tables := repeated_tables(text, existing):
        names = " and ".join(f"[{table}]" for table in tables)
        print_message(
            f"pyproject.toml has {names} already: add the lines below that name to the table there", "note", "yellow"
        )


def _check(text: str, client: str, indexes: "Sequence[ServedIndex]") -> int:
    from mkindex.probe.trial import try_configuration

    trial = try_configuration(text, client, indexes)
    if trial.is_installed:
        print_message(trial.text)
        return DONE
    print_error(trial.text)
    return PROBLEMS
