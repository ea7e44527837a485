"""The table of all options of a build."""

from typing import Literal

from mkindex.config.attestation_options import AttestationOptions
from mkindex.config.engine_options import EngineOptions
from mkindex.config.output_options import (
    WATCHING,
    OutputOptions,
    PolicyOptions,
    PublishingOptions,
    WatchOptions,
)
from mkindex.config.reader_options import ReaderOptions
from mkindex.config.release_options import ReleaseOptions
from mkindex.config.reserve_options import ReserveOptions
from mkindex.config.site_options import SiteOptions
from mkindex.config.source_options import SOURCES, LockOptions, SelectionOptions, SourceOptions
from mkindex.config.store_options import StoreOptions
from mkindex.options import Options, option

REPORTING = "Reporting"  # the heading

# The tables of mkindex.toml that are no options but a policy.
POLICY_TABLES = ("yank", "status", "keep", "only", "times", "variants")


class BuildOptions(
    # The order of the headings in --help and in docs/options.md.
    SourceOptions,
    ReleaseOptions,
    SelectionOptions,
    LockOptions,
    PolicyOptions,
    ReserveOptions,
    AttestationOptions,
    OutputOptions,
    SiteOptions,
    ReaderOptions,
    StoreOptions,
    EngineOptions,
    PublishingOptions,
    WatchOptions,
):
    """The sources, the destination and the options of one build, not yet checked.

    An option that `shapes` the tree is kept in its manifest; so it cannot be a path of this machine.
    """

    sources: tuple[str, ...]
    destination: str


class RunOptions(Options):
    """The options of the command line and of mkindex.toml that are not part of Config."""

    no_cache: bool = option(False, "Read every file again, and remember nothing.", group=SOURCES)
    on_build: str | None = option(
        None,
        "With --watch: run this shell command after each build that changed something. It gets the JSON line of the "
        "build on standard input.",
        group=WATCHING,
        metavar="COMMAND",
    )
    format: Literal["text", "json", "github"] = option(
        "text",
        "Format of the report. json: with --watch one line for each build. github: annotations, job summary and "
        "outputs of a workflow.",
        group=REPORTING,
    )
    json: bool = option(False, "Same as --format json.", group=REPORTING)
    quiet: bool = option(False, "Print problems only.", group=REPORTING, short="-q")
    verbose: bool = option(
        False,
        "Also print skipped files and every path written or removed; with --watch, every build.",
        group=REPORTING,
        short="-v",
    )


OPTIONS, RUN_OPTIONS = BuildOptions.OPTIONS, RunOptions.OPTIONS
BY_NAME = {one.name: one for one in (*OPTIONS, *RUN_OPTIONS)}
GROUPS = tuple(dict.fromkeys(one.group for one in (*OPTIONS, *RUN_OPTIONS)))  # the headings, in order
