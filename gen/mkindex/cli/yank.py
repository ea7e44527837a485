"""The command `yank`."""

from typing import Any

import click

from mkindex.cli.decisions import EXIT_STATUS, decide
from mkindex.cli.options import CONTEXT_SETTINGS, Command, Location, click_options, config_option
from mkindex.config.growth_options import EDIT_OPTIONS


@click.command(
    cls=Command,
    context_settings=CONTEXT_SETTINGS,
    epilog=f"""\b
Examples:
  mkindex yank ./public demo==1.1 --reason 'corrupts data on Windows'
  mkindex yank ./public 'demo-1.1-*win*.whl'   files
  mkindex yank ./public demo==1.1 --dry-run    print what would change

\b
{EXIT_STATUS}""",
)
@click.argument("destination", metavar="DEST", type=Location())
@click.argument("requests", metavar="REQ...", nargs=-1, required=True)
@click.option("--reason", metavar="TEXT", default="", help="Why. Clients show it to people.")
@click_options(EDIT_OPTIONS)
@config_option
@click.pass_context
def yank(ctx: click.Context, /, destination: str, requests: tuple[str, ...], reason: str, **options: Any) -> int:  # noqa: ANN401
    """Yank releases or files of the index in DEST: clients install them only if a requirement pins the version.

    A REQ is a requirement, such as demo==1.1 or 'demo<2', or a pattern for filenames. No source is needed. If a policy
    file governs DEST (--policy, or the mkindex.toml whose destination is DEST), the rule is also written there.
    Otherwise the index remembers it, and a build that would list the files as not yanked is refused.
    """
    return decide(ctx, destination, options, requests=requests, reason=reason)
