"""The command `unyank`."""

from typing import Any

import click

from mkindex.cli.decisions import EXIT_STATUS, decide
from mkindex.cli.options import CONTEXT_SETTINGS, Command, Location, click_options, config_option
from mkindex.config.growth_options import EDIT_OPTIONS


@click.command(
    cls=Command,
    context_settings=CONTEXT_SETTINGS,
    epilog=f"""\b
Example:
  mkindex unyank ./public demo==1.1

\b
{EXIT_STATUS}""",
)
@click.argument("destination", metavar="DEST", type=Location())
@click.argument("requests", metavar="REQ...", nargs=-1, required=True)
@click_options(EDIT_OPTIONS)
@config_option
@click.pass_context
def unyank(ctx: click.Context, /, destination: str, requests: tuple[str, ...], **options: Any) -> int:  # noqa: ANN401
    """List yanked releases or files of the index in DEST as not yanked.

    A policy file that governs DEST loses the rule; if another rule yanks the files, it gets one that says otherwise.
    """
    return decide(ctx, destination, options | {"unyank": True}, requests=requests, reason=None)
