"""The command `policy`."""

from typing import Any

import click

from mkindex.cli.build import read_options
from mkindex.cli.options import CONTEXT_SETTINGS, Command, Location, click_options, config_option
from mkindex.cli.terminal import DONE, print_findings, reader_may_leave
from mkindex.config.output_options import PUBLISHING, WATCHING
from mkindex.config.site_options import SITE
from mkindex.config.table import OPTIONS, REPORTING, RUN_OPTIONS
from mkindex.errors import nothing

_OTHER_GROUPS = (SITE, PUBLISHING, WATCHING, REPORTING)
_USELESS = ("templates", "links", "json_root", "link_mode")  # they change no decision


@click.command(
    cls=Command,
    context_settings=CONTEXT_SETTINGS,
    epilog="""\b
Examples:
  mkindex policy --explain demo            each file of demo, with the rule that decided
  mkindex policy --explain '*-nightly'
  mkindex policy --dry-run                 the files that the policy does not list, and if DEST has them
  mkindex policy ./wheels ./public --policy policy.toml --explain demo

\b
Exit status: 0 printed; 2 usage error; 3 a source or the policy cannot be read.""",
)
@click.argument("paths", metavar="SOURCE... DEST", nargs=-1, type=Location())
@click.option(
    "--explain", metavar="NAME_OR_GLOB", help="Print each file of these projects, with the rule that decided."
)
@click.option("--dry-run", "-n", is_flag=True, help="Print each file that the policy does not list.")
@click_options(
    [
        one
        for one in (*OPTIONS, *RUN_OPTIONS)
        if one.name == "no_cache" or (one.group not in _OTHER_GROUPS and one.name not in _USELESS)
    ]
)
@config_option
@click.pass_context
def policy(ctx: click.Context, /, explain: str | None, *, dry_run: bool, **options: Any) -> int:  # noqa: ANN401
    """Print what the policy in mkindex.toml, or in the file of --policy, decides about the files of the SOURCEs.

    Nothing is written. A build applies the policy.
    """
    if not (explain or dry_run):
        raise click.UsageError("give --explain PROJECT or --dry-run: a build applies the policy", ctx)
    if explain and dry_run:
        raise click.UsageError("--explain and --dry-run exclude each other: give one of them", ctx)
    config = read_options(ctx, options).replace(dry_run=True, allow_empty=True, prune=True, unyank=True)
    if config.policy is None:
        raise click.UsageError(
            "there is no policy: mkindex.toml has no table of a policy, and --policy is not given", ctx
        )
    from mkindex.build.pipeline import build
    from mkindex.reports.policy import explanation, unlisted_files

    report = build(config, announce=nothing)
    assert report.policy
    print_findings(report.policy.findings, quiet=False, verbose=False)
    lines = explanation(report.policy, explain) if explain else unlisted_files(report.policy, report.removed_files)
    with reader_may_leave():
        for line in lines:
            click.echo(line)
    return DONE
