"""The command `add`."""

from typing import Any

import click

from mkindex.cli.build import build_once, read_options
from mkindex.cli.options import CONTEXT_SETTINGS, Command, Location, click_options, config_option, given_options
from mkindex.cli.terminal import form_of_report
from mkindex.cli.workflow import report_failure
from mkindex.config.table import ADD_OPTIONS, GROUPS, OPTIONS, RUN_OPTIONS
from mkindex.errors import ConfigError
from mkindex.options import InvalidOption

# Nothing is removed by adding, so that these would do nothing.
_USELESS = ("prune", "allow_empty")
_WATCHING = ("watch", "settle", "poll", "poll_interval", "rescan", "interval", "serve", "bind", "on_build")


@click.command(
    cls=Command,
    context_settings=CONTEXT_SETTINGS,
    short_help="Add files to an index, and keep what it lists.",
    epilog="""\b
Examples:
  mkindex add ./dist ./public            publish a new release beside those that are there
  mkindex add ./dist ./public --replace  also if ./public lists files of the same name with other contents
  mkindex add ./dist ./public --previous https://me.example.org/wheels/
                                         also keep what is published there: for hosts, such as GitHub
                                         Pages, on which each deployment replaces all
  mkindex add https://host/simple/demo/ ./public --remote mirror
                                         add the files of a project from another index

\b
Exit status: 0 done; 1 done, but files were rejected; 2 usage error; 3 not done, DEST is as it was;
70 an unexpected error.""",
)
@click.argument("paths", metavar="SOURCE... DEST", nargs=-1, type=Location())
@click_options(
    [
        one
        for group in GROUPS
        for one in (*OPTIONS, *ADD_OPTIONS, *RUN_OPTIONS)
        if one.group == group and one.name not in (*_USELESS, *_WATCHING)
    ]
)
@config_option
@click.pass_context
def add(ctx: click.Context, /, **options: Any) -> int:  # noqa: ANN401 (the fields of Config, AddOptions and RunOptions)
    """Add what the SOURCEs have to the index in DEST, and keep everything that it lists.

    A SOURCE is the same as for a build: see `mkindex --help`. The files of DEST stay where they are and are not read
    again. A file that DEST already lists with the same contents changes nothing; one with other contents is rejected.

    Options that shape the tree, such as --links, --for and --simple-path, stay as they were when the index was made.
    If you give one of them, it applies to the whole index from then on.

    With --previous, the index to keep is the one at that address, not that in DEST. Its files are downloaded into DEST
    and verified. If a part of it cannot be read, or if it is older than the last deployment, nothing is published.
    """
    from mkindex.build.growing import Growth

    form = form_of_report(ctx, options["format"], json=options["json"])
    try:
        config = read_options(ctx, options)
    except ConfigError as error:
        if form == "github":
            return report_failure(error)
        raise
    if options["first"] and config.previous is None:
        raise InvalidOption("first", "requires {previous}")
    growth = Growth(given=given_options(ctx), first=options["first"], replace=options["replace"])
    return build_once(config, form, growth, quiet=options["quiet"], verbose=options["verbose"])
