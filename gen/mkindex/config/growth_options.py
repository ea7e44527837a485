"""The options of commands that keep what DEST lists: `add`, `remove`, `yank`, `unyank` and `status`."""

from mkindex.config.output_options import PUBLISHING, WATCHING
from mkindex.config.source_options import SELECTION
from mkindex.config.table import OPTIONS, REPORTING, RUN_OPTIONS
from mkindex.options import Options, option


class AddOptions(Options):
    """The options that only the command `add` has."""

    replace: bool = option(
        False,
        "If DEST lists a file of the same name with other contents, replace it, although lock files contain its hash.",
        group=SELECTION,
    )
    first: bool = option(
        False,
        "With --previous: accept that nothing is published there yet, or only a page that is not an index. Without "
        "--first, that is an error once something was deployed, and such a page always.",
        group=PUBLISHING,
    )
    consume: bool = option(
        False,
        "Delete each file in SOURCE once it is published. With --watch, SOURCE is a drop folder.",
        group=WATCHING,
    )


# Commands without sources have the options that shape the tree, and these.
_WITHOUT_SOURCES = ("policy", "previous", "cache_dir", "no_cache", "jobs", "templates", "overwrite", "dry_run")
_OF_BUCKETS = ("store_option", "timeout")

ADD_OPTIONS = AddOptions.OPTIONS
EDIT_OPTIONS = tuple(
    one
    for one in (*OPTIONS, *RUN_OPTIONS)
    if one.shapes or one.name in (*_WITHOUT_SOURCES, *_OF_BUCKETS) or one.group == REPORTING
)
