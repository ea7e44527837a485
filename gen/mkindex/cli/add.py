"""The command `add`."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from mkindex.cli.build import Build, build_or_watch, read_options
from mkindex.cli.options import CONTEXT_SETTINGS, Location, click_options, config_option, given_options
from mkindex.config.growth_options import ADD_OPTIONS
from mkindex.config.table import GROUPS, OPTIONS, RUN_OPTIONS

if TYPE_CHECKING:
    from mkindex.build.growing import Growth
    from mkindex.config import Config

# Nothing is removed by adding, so that these would do nothing.
_USELESS = ("prune", "allow_empty")


@click.command(
    cls=Build,
    context_settings=CONTEXT_SETTINGS,
    epilog="""\b
Examples:
  mkindex add ./dist ./public            publish a new release beside those that are there
  mkindex add ./dist ./public --replace  also if ./public lists files of the same name with other contents
  mkindex add ./dist ./public --previous https://me.example.org/wheels/
                                         also keep what is published there: for hosts, such as GitHub
                                         Pages, on which each deployment replaces all
  mkindex add https://host/simple/demo/ ./public --remote mirror
                                         add the files of a project from another index
  mkindex add ./incoming ./public --watch --consume
                                         a drop folder: what is copied into ./incoming is published, and
                                         then deleted there

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
        if one.group == group and one.name not in _USELESS
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
    return build_or_watch(ctx, options, _read)


def _read(ctx: click.Context, options: Mapping[str, Any]) -> "tuple[Config, Growth]":
    from mkindex.build.growing import Growth

    config = read_options(ctx, options)
    kept = {name: options[name] for name in ("first", "replace", "consume")}
    return config, Growth(given=given_options(ctx), **kept)
