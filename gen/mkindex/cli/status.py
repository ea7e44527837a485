"""The command `status`."""

from typing import Any

import click

from mkindex.cli.decisions import EXIT_STATUS, decide
from mkindex.cli.options import CONTEXT_SETTINGS, Command, Location, click_options, config_option
from mkindex.config.growth_options import EDIT_OPTIONS
from mkindex.model.index import ProjectStatus

_STATUSES = ("active", "archived", "quarantined", "deprecated")


@click.command(
    cls=Command,
    context_settings=CONTEXT_SETTINGS,
    epilog=f"""\b
Examples:
  mkindex status ./public old-demo archived --reason 'use demo'
  mkindex status ./public bad-demo quarantined   clients find no file of it
  mkindex status ./public old-demo active

\b
{EXIT_STATUS}""",
)
@click.argument("destination", metavar="DEST", type=Location())
@click.argument("project", metavar="PROJECT")
@click.argument("status", metavar="STATUS", type=click.Choice(_STATUSES))
@click.option("--reason", metavar="TEXT", default="", help="Why. Clients may show it to people.")
@click_options(EDIT_OPTIONS)
@config_option
@click.pass_context
def status(
    ctx: click.Context,
    /,
    destination: str,
    project: str,
    status: str,
    reason: str,
    **options: Any,  # noqa: ANN401
) -> int:
    """Set the status of a project in the index in DEST: active, archived, quarantined or deprecated.

    A quarantined project lists no file. If a policy file governs DEST (--policy, or the mkindex.toml whose destination
    is DEST), the rule is also written there.
    """
    if status == "active" and reason:
        raise click.UsageError("active and --reason exclude each other", ctx)
    new = None if status == "active" else ProjectStatus(status, reason or None)
    return decide(ctx, destination, options, project=project, status=new)
