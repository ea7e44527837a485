"""The command `build`, which is the default command."""

import gc
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from json import dumps
from typing import TYPE_CHECKING, Any

import click

from mkindex import __version__
from mkindex.cli.options import (
    CONTEXT_SETTINGS,
    Command,
    GroupedOption,
    Location,
    as_typed,
    click_options,
    config_option,
)
from mkindex.cli.terminal import (
    COMMANDS,
    DONE,
    PROBLEMS,
    bar,
    form_of_report,
    print_error,
    print_findings,
    reader_may_leave,
    user_cache,
)
from mkindex.cli.workflow import annotate, report_failure, report_problem, write_results
from mkindex.config import Config
from mkindex.config.table import GROUPS, OPTIONS, RUN_OPTIONS
from mkindex.errors import ConfigError, MkindexError, NotPublished, nothing
from mkindex.options import InvalidOption
from mkindex.progress import no_progress
from mkindex.text import printable

if TYPE_CHECKING:
    from mkindex.build.growing import Growth
    from mkindex.build.report import Report
    from mkindex.proof import Proof

_ARGUMENTS = f"{__name__}.arguments"
# What other tools call their commands.
_OTHER_VERBS = {
    **dict.fromkeys(("upload", "publish", "push"), "To publish files beside those that are there: mkindex add"),
    **dict.fromkeys(("delete", "rm"), "To take files out of an index: mkindex remove"),
}


class Build(Command):
    """A command that remembers its arguments, so that its options can be read again."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        ctx.meta[_ARGUMENTS] = list(args)
        return super().parse_args(ctx, args)


@click.command(
    cls=Build,
    context_settings=CONTEXT_SETTINGS,
    epilog="""\b
Examples:
  mkindex ./wheels ./public              then: python3 -m http.server --directory public
  mkindex ./wheels ./sdists ./public     several sources, one index
  mkindex https://host/wheels.html ./public
                                         an index of a find-links page; the files stay on that server
  mkindex https://host/simple/ ./public --include torch --remote mirror
                                         a copy of one project of another index
  mkindex --dry-run ./wheels ./public    print what a build would do
  mkindex add ./dist ./public            keep what ./public lists, and add what ./dist has
  mkindex ./wheels ./public --watch --serve
  mkindex ./wheels s3://BUCKET/PREFIX    the same in a bucket; `mkindex add` adds to it
  mkindex check ./public                 check the index and its files
  mkindex client https://host/simple/    print the configuration for uv, pip, poetry or PDM

Each option can also be set in the environment (MKINDEX_LINK_MODE=hardlink) and in mkindex.toml
(link-mode = "hardlink"). That file can also set sources and destination.

A directory that has the name of a command is written with a dot: ./check

\b
Exit status: 0 done; 1 done, but files were rejected; 2 usage error; 3 not done, DEST is as it was;
70 an unexpected error.
Ctrl-C or SIGTERM ends a watch with 0.

Shell completion: mkindex completion --help""",
)
@click.argument("paths", metavar="SOURCE... DEST", nargs=-1, type=Location())
@click_options([one for group in GROUPS for one in (*OPTIONS, *RUN_OPTIONS) if one.group == group])
@config_option
@click.version_option(__version__, message="mkindex %(version)s", cls=GroupedOption)
@click.pass_context
def build(ctx: click.Context, /, **options: Any) -> int:  # noqa: ANN401 (the fields of Config and RunOptions)
    """Turn wheels and sdists into a static index that pip, uv, poetry and PDM install from.

    A SOURCE is a directory of wheels and sdists; a page with links to them, as a file or at https://…, such as a
    find-links page, a directory listing or another index; a bucket (s3://BUCKET/PREFIX or az://…; gs://… is
    experimental); github:OWNER/REPO, whose releases have them; a lock file; a list of paths, URLs or JSON objects, one
    per line; or - for such a list on standard input.

    DEST, a directory or a bucket, gets a static tree for any web server: the files, and pages in HTML and JSON (PEP 503
    and 691) with hashes and metadata. Each run makes DEST the index of exactly these SOURCEs. It writes what changed,
    and removes only what mkindex wrote. `mkindex add` keeps what DEST lists.
    """
    return build_or_watch(ctx, options, lambda ctx, options: (read_options(ctx, options), None))


ReadOptions = Callable[[click.Context, Mapping[str, Any]], "tuple[Config, Growth | None]"]


def build_or_watch(ctx: click.Context, options: Mapping[str, Any], read: ReadOptions) -> int:
    """Build once, or with --watch after every change, and return the exit status. `read` reads the options."""
    quiet, verbose = options["quiet"], options["verbose"]
    form = form_of_report(ctx, options["format"], json=options["json"])
    try:
        config, growth = read(ctx, options)
    except ConfigError as error:
        if form == "github":
            return report_failure(error)
        raise
    if options["on_build"] is not None and not config.watch:
        raise ConfigError(as_typed(InvalidOption("on_build", "requires {watch}"), ctx))
    if config.watch:
        from mkindex.cli.watch import watch

        if form == "github":
            raise click.UsageError("--format github and --watch exclude each other: it reports one build", ctx)
        again, command = partial(_read_again, ctx, read), options["on_build"]
        return watch(config, growth, again, command, json=form == "json", quiet=quiet, verbose=verbose)
    return build_once(config, form, growth, quiet=quiet, verbose=verbose)


def read_options(ctx: click.Context, options: Mapping[str, Any]) -> Config:
    """Return the configuration that the command line, the environment and mkindex.toml describe.

    Raises UsageError without a source and a destination, and ConfigError.
    """
    paths, defaults = options["paths"], ctx.default_map or {}
    sources = paths[:-1] if paths else defaults.get("sources", ())
    destination = paths[-1] if paths else defaults.get("destination")
    if paths:
        _suggest_command(ctx, paths[0])
    if not sources or not destination:
        raise click.UsageError(
            "give at least one SOURCE and a DEST, such as: mkindex ./wheels ./public\n"
            "(a directory that has the name of a command is written with a dot: ./build)",
            ctx,
        )
    return make_config(ctx, sources, destination, options)


def make_config(ctx: click.Context, sources: Sequence[str], destination: str, options: Mapping[str, Any]) -> Config:
    """Return the configuration of a command that has some of the options of a build. Raises ConfigError."""
    values = {one.name: options.get(one.name, one.default) for one in OPTIONS}
    values["simple_path"] = values["simple_path"].rstrip("/") if values["simple_path"] not in (".", "./") else ""
    values["json_root"] = (values["json_root"] or "").rstrip("/") or None
    values["cache_dir"] = None if options["no_cache"] else values["cache_dir"] or user_cache()
    try:
        return Config(sources=tuple(sources), destination=destination, **values)
    except InvalidOption as error:
        raise ConfigError(as_typed(error, ctx)) from error


def _suggest_command(ctx: click.Context, path: str) -> None:
    """Raise UsageError if a path does not exist and looks like a misspelled command."""
    if not path.isalpha() or os.path.lexists(path):
        return
    if path in _OTHER_VERBS:
        raise click.UsageError(f"{path} is neither a command nor an existing path. {_OTHER_VERBS[path]}", ctx)
    from difflib import get_close_matches

    if close := get_close_matches(path, COMMANDS, n=1, cutoff=0.7):
        raise click.UsageError(
            f"{printable(path)} is neither a command nor an existing path. Did you mean: mkindex {close[0]}", ctx
        )


def _read_again(ctx: click.Context, read: ReadOptions) -> "tuple[Config, Growth | None]":
    """Read the options as the environment and mkindex.toml describe them now. Raises ConfigError."""
    try:
        with ctx.command.make_context(ctx.info_name, list(ctx.meta[_ARGUMENTS]), parent=ctx.parent) as again:
            return read(again, again.params)
    except click.ClickException as error:
        raise ConfigError(error.format_message()) from error


def build_once(
    config: Config,
    form: str,
    growth: "Growth | None" = None,
    *,
    before_commit: Callable[[], object] = nothing,
    quiet: bool,
    verbose: bool,
) -> int:
    """Build, print the report in a form, and return the exit status."""
    # A build creates 100,000 values, hardly any of them in a cycle. Collecting garbage less often than after every 700
    # values saves a tenth of the time of a build without changes. A watch runs long, and keeps the usual threshold.
    gc.set_threshold(50_000)
    from mkindex.build.pipeline import build as run_build
    from mkindex.reports.text import as_json, summary

    show = partial(annotate if form == "github" else print_findings, quiet=quiet, verbose=verbose)
    try:
        report = run_build(
            config,
            growth=growth,
            before_commit=before_commit,
            progress=bar if sys.stderr.isatty() and not quiet else no_progress,
            announce=lambda note: show([note]),
        )
    except MkindexError as error:
        if isinstance(error, NotPublished):
            show(error.findings)
        if form == "github":
            return report_failure(error)
        raise
    try:
        show(report.findings)
        proof = _prove(report)
        for text in proof.missing if proof else ():
            report_problem(text) if form == "github" else print_error(text)
        with reader_may_leave():
            if form == "json":
                click.echo(dumps(as_json(report, proof), indent=2))
            elif not quiet:
                click.echo("\n".join(summary(report, report.config, proof, verbose=verbose)))
    except MkindexError as error:
        print_error(f"{error}, but the build is done")
        return PROBLEMS
    if form == "github":
        write_results(report, config.destination)
    return PROBLEMS if report.rejected or (proof and proof.missing) else DONE


def _prove(report: "Report") -> "Proof | None":
    """Return whether the published index has what its lock files need; None without any."""
    if not report.locks:
        return None
    from mkindex.proof import prove  # imports all that `check` needs

    return prove(report)
