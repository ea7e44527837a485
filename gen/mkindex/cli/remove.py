"""The command `remove`."""

import sys
from typing import Any

import click

from mkindex.cli.build import build_once, make_config
from mkindex.cli.options import (
    CONTEXT_SETTINGS,
    Command,
    Location,
    click_option,
    click_options,
    config_option,
    given_options,
    governing_policy,
)
from mkindex.cli.terminal import DONE, form_of_report, print_message
from mkindex.config.growth_options import EDIT_OPTIONS
from mkindex.config.table import BY_NAME
from mkindex.text import plural, printable


@click.command(
    cls=Command,
    context_settings=CONTEXT_SETTINGS,
    epilog="""\b
Examples:
  mkindex remove ./public demo==1.0            a release
  mkindex remove ./public 'demo<2' other       all releases below 2 of demo, and the whole project other
  mkindex remove ./public 'demo-1.0-*.whl'     files
  mkindex remove ./public demo --dry-run       print what would be removed

\b
Exit status: 0 done; 1 done, but files in DEST were damaged or missing, and are not listed any more;
2 usage error; 3 not done, DEST is as it was: a REQ matches nothing; 70 an unexpected error.""",
)
@click.argument("destination", metavar="DEST", type=Location())
@click.argument("requests", metavar="REQ...", nargs=-1, required=True)
@click_options(EDIT_OPTIONS)
@click_option(BY_NAME["release"])
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
@config_option
@click.pass_context
def remove(ctx: click.Context, /, destination: str, requests: tuple[str, ...], **options: Any) -> int:  # noqa: ANN401
    """Take releases or files out of the index in DEST.

    A REQ is a requirement, such as demo, demo==1.0 or 'demo<2', or a pattern for filenames, such as 'demo-1.0-*.whl'.
    Pages no longer list these files; the files themselves are deleted after --grace, for clients that have an older
    page. No source is needed, and none is changed: a build from a source that has the files lists them again.
    """
    from mkindex.build.growing import removal_of
    from mkindex.build.pipeline import build
    from mkindex.build.requesting import find_requested
    from mkindex.sources.requested import parse_request

    config = make_config(ctx, (), destination, options).replace(policy=governing_policy(ctx, destination))
    # The user names the files, so neither their share of the index nor an empty index is a surprise.
    config = config.replace(prune=True, allow_empty=True)
    files = find_requested(config, [parse_request(text) for text in requests])
    growth = removal_of(files, given_options(ctx))
    if not (options["yes"] or config.dry_run):
        if not sys.stdin.isatty():
            text = "cannot ask, because standard input is not a terminal. Use --yes, or --dry-run to print the files"
            raise click.UsageError(text, ctx)
        names = build(config.replace(dry_run=True), growth=growth).removed_files
        requested = {file.filename for file in files}
        for name in names:
            print_message(f"  {printable(name)}{'' if name in requested else ' (because of the policy)'}")
        if not click.confirm(f"Remove {plural(len(names), 'file')} from {printable(destination)}?", err=True):
            return DONE
    form = form_of_report(ctx, options["format"], json=options["json"])
    return build_once(config, form, growth, quiet=options["quiet"], verbose=options["verbose"])
