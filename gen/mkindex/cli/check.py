"""The command `check`."""

import sys
from json import dumps
from typing import Any

import click

from mkindex.cli.options import CONTEXT_SETTINGS, Command
from mkindex.cli.terminal import (
    DONE,
    PROBLEMS,
    counter,
    form_of_report,
    no_bar,
    reader_may_leave,
    status_of,
    user_cache,
)
from mkindex.errors import MkindexError


def _explain(ctx: click.Context, parameter: click.Parameter, value: str | None) -> None:
    """Print what there is to say of a rule, or of all in a line each, and leave."""
    if value is None or ctx.resilient_parsing:
        return
    from mkindex.check.judge import rules_by_name
    from mkindex.reports.check import all_rules, explained

    if value != "all" and value not in rules_by_name():
        raise click.BadParameter(f"there is no rule {value!r}; `--explain all` lists them", ctx, parameter)
    with reader_may_leave():
        click.echo(all_rules() if value == "all" else explained(rules_by_name()[value]))
    ctx.exit(DONE)


@click.command(
    cls=Command,
    context_settings=CONTEXT_SETTINGS,
    epilog="""\b
Examples:
  mkindex check ./public                       what mkindex, or anything else, made: every hash
  mkindex check https://host/simple/           as clients see it, and how the host serves it
  mkindex check https://host/simple/ --files deep --project 'torch*' --sample 3
  mkindex check ./public --closure --python 3.12 --platform linux
                                               is everything there that is required?
  mkindex check https://host/simple/ --why 'torch==2.5.1' --python 3.13
                                               why does pip say that there is no such version?

\b
Exit status: 0 no errors; 1 errors (--strict: or warnings), or --why finds no file that fits; 2 usage;
3 it could not be looked at.""",
)
@click.argument("target", metavar="DIR_OR_URL")
@click.option(
    "--files",
    type=click.Choice(["none", "head", "hash", "deep"]),
    help="How far files are looked at: not at all; are they there, of the right size; have they the right sha256; what "
    "is in them.  [default: hash in a directory, head on a server]",
)
@click.option("--sample", type=click.IntRange(min=1), metavar="N", help="Of each project, only the N newest files.")
@click.option("--project", multiple=True, metavar="GLOB", help="Only the projects whose name fits.")
@click.option("--closure", is_flag=True, help="Also name requirements that nothing in this index satisfies.")
@click.option("--why", metavar="REQ", help="Instead: which files there are for REQ, and why a client passes over each.")
@click.option("--require-hashes", is_flag=True, help="With --why: as pip --require-hashes chooses.")
@click.option("--python", metavar="X.Y", help="For --closure and --why: the Python.  [default: this one]")
@click.option(
    "--platform",
    metavar="TAG",
    help="For --closure and --why: linux, macos, windows, or a tag such as musllinux_1_2_x86_64.  [default: this one]",
)
@click.option("--select", multiple=True, metavar="RULE", help="Only this rule. May be given several times.")
@click.option("--ignore", multiple=True, metavar="RULE", help="Not this rule.")
@click.option("--strict", is_flag=True, help="Exit with 1 for warnings, too.")
@click.option(
    "--format",
    type=click.Choice(["text", "json", "github"]),
    default="text",
    help="How findings are printed; github: as annotations of a workflow.",
)
@click.option("--json", is_flag=True, help="The same as --format json.")
@click.option("--jobs", "-j", type=click.IntRange(min=1), metavar="N", help="Ask N at once.  [default: 5 of a server]")
@click.option("--cache-dir", type=click.Path(), metavar="DIR", help="Where to remember what was verified on servers.")
@click.option("--no-cache", is_flag=True, help="Remember nothing, and read every file again.")
@click.option("--quiet", "-q", is_flag=True, help="No notes and no progress.")
@click.option("--verbose", "-v", is_flag=True, help="Every finding, however many there are of a kind.")
@click.option(
    "--explain",
    metavar="RULE",
    is_eager=True,
    expose_value=False,
    callback=_explain,
    help="Say all about a rule; all: list the rules.",
)
@click.pass_context
def check(
    ctx: click.Context,
    /,
    *,
    json: bool,
    strict: bool,
    no_cache: bool,
    quiet: bool,
    verbose: bool,
    **options: Any,  # noqa: ANN401 (the fields of Options, which checks them)
) -> int:
    """Prove an index right, or say what a client will do wrong with it.

    DIR_OR_URL is a directory with an index in it, or the address of one, whoever made it. Each finding names the page
    and the file, what pip and uv do about it, and how to mend it.
    """
    from mkindex.check.engine import CheckOptions
    from mkindex.check.engine import check as run_check
    from mkindex.reports import check as show
    from mkindex.reports.github import annotation

    form = form_of_report(ctx, options.pop("format"), json=json)
    options["cache_dir"] = None if no_cache else options["cache_dir"] or user_cache()
    shows_progress = sys.stderr.isatty() and not quiet
    try:
        report = run_check(CheckOptions(**options), progress=counter if shows_progress else no_bar)
    except MkindexError as error:
        if form != "github":
            raise
        with reader_may_leave():
            click.echo(annotation("error", "mkindex check", str(error)))
        return status_of(error)
    with reader_may_leave():
        if form == "json":
            click.echo(dumps(show.as_json(report), indent=2))
        elif form == "github":
            for line in show.github(report.findings):
                click.echo(line)
        else:
            for line in show.lines(report, verbose=verbose, quiet=quiet):
                click.echo(line)
    return PROBLEMS if report.failed(strict=strict) else DONE
