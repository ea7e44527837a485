"""The command `check`."""

import sys
from json import dumps
from typing import Any

import click

from mkindex.cli.options import CONTEXT_SETTINGS, Command, Location, click_options
from mkindex.cli.terminal import (
    DONE,
    PROBLEMS,
    counter,
    form_of_report,
    reader_may_leave,
    status_of,
    user_cache,
)
from mkindex.config.table import BY_NAME
from mkindex.errors import MkindexError
from mkindex.progress import no_progress


def _explain(ctx: click.Context, parameter: click.Parameter, value: str | None) -> None:
    """Describe one rule, or list all of them, and exit."""
    if value is None or ctx.resilient_parsing:
        return
    from mkindex.check.judge import rules_by_name
    from mkindex.reports.check import explain_rule, list_rules

    if value != "all" and value not in rules_by_name():
        raise click.BadParameter(f"unknown rule {value!r}; --explain all lists them", ctx, parameter)
    with reader_may_leave():
        click.echo(list_rules() if value == "all" else explain_rule(rules_by_name()[value]))
    ctx.exit(DONE)


@click.command(
    cls=Command,
    context_settings=CONTEXT_SETTINGS,
    epilog="""\b
Examples:
  mkindex check ./public                       a directory: every hash
  mkindex check https://host/simple/           a server: pages, files and its behavior
  mkindex check ./bundle.tar                   an archive that mkindex --archive wrote, in place
  mkindex check https://host/simple/ --files deep --project 'torch*' --sample 3
  mkindex check ./public --closure --python 3.12 --platform linux --platform windows
                                               are all requirements in the index?
  mkindex check ./public --closure --requirements requirements.txt
                                               and all that these need?
  mkindex check https://host/simple/ --why 'torch==2.5.1' --python 3.13
                                               why does pip not find this version?

\b
Exit status: 0 no errors; 1 errors (with --strict also warnings), or --why finds no file that fits; 2 usage;
3 the target could not be checked; 70 an unexpected error.""",
)
@click.argument("target", metavar="DIR_OR_URL", type=Location())
@click.option(
    "--files",
    type=click.Choice(["none", "head", "hash", "deep"]),
    help="How closely to check files. head: existence and size; hash: also sha256; deep: also contents.  "
    "[default: hash in a directory, head on a server]",
)
@click.option(
    "--sample", type=click.IntRange(min=1), metavar="N", help="Check only the N newest files of each project."
)
@click.option("--project", multiple=True, metavar="GLOB", help="Check only matching projects. May be repeated.")
@click.option("--closure", is_flag=True, help="Also report requirements that nothing in the index satisfies.")
@click.option(
    "--requirements",
    multiple=True,
    type=click.Path(),
    metavar="FILE",
    help="For --closure: only what these requirements need, in a file as for pip install -r, or in a lock file. May be "
    "repeated.",
)
@click.option("--why", metavar="REQ", help="Instead of checking, list the files for REQ, and why a client skips each.")
@click.option("--require-hashes", is_flag=True, help="For --why: choose as pip --require-hashes does.")
@click.option(
    "--python",
    multiple=True,
    metavar="X.Y",
    help="For --closure and --why: the version of Python. May be repeated for --closure.  [default: this one]",
)
@click.option(
    "--platform",
    multiple=True,
    metavar="TAG",
    help="For --closure and --why: linux, macos, windows, or a tag such as musllinux_1_2_x86_64. May be repeated for "
    "--closure.  [default: this one]",
)
@click.option("--implementation", multiple=True, metavar="NAME", help="For --python: cpython or pypy. May be repeated.")
@click.option("--extra", multiple=True, metavar="NAME", help="Only this extra of a lock file; none: no extra.")
@click.option("--group", multiple=True, metavar="NAME", help="Only this group of a lock file; none: no group.")
@click.option(
    "--elsewhere",
    metavar="URL",
    help="Also report projects that the index at URL has, too: a client that uses both may take the other's.",
)
@click.option("--select", multiple=True, metavar="RULE", help="Apply only this rule. May be repeated.")
@click.option("--ignore", multiple=True, metavar="RULE", help="Do not apply this rule. May be repeated.")
@click.option("--strict", is_flag=True, help="Exit with 1 if there are warnings, too.")
@click.option(
    "--format",
    type=click.Choice(["text", "json", "github"]),
    default="text",
    help="Format of the report. github prints annotations of a workflow.",
)
@click.option("--json", is_flag=True, help="The same as --format json.")
@click.option(
    "--jobs",
    "-j",
    type=click.IntRange(min=1),
    metavar="N",
    help="Number of simultaneous requests or reads.  [default: up to 50 for a server]",
)
@click_options([BY_NAME[name]._replace(group="") for name in ("timeout", "trust_host", "cache_dir", "no_cache")])
@click.option("--quiet", "-q", is_flag=True, help="Print no notes and no progress.")
@click.option("--verbose", "-v", is_flag=True, help="Print every finding of each rule.")
@click.option(
    "--explain",
    metavar="RULE",
    is_eager=True,
    expose_value=False,
    callback=_explain,
    help="Describe a rule, or list them with 'all', and exit.",
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
    **options: Any,  # noqa: ANN401 (the fields of CheckOptions, which validates them)
) -> int:
    """Check an index, and report what clients will do wrong with it.

    DIR_OR_URL is a directory with an index, or the address of an index, made by any tool; or an archive that --archive
    wrote. Each finding names the page and the file, its impact on pip and uv, and how to fix it.
    """
    from mkindex.check.engine import CheckOptions
    from mkindex.check.engine import check as run_check
    from mkindex.reports import check as report_text
    from mkindex.reports.github import annotation

    form = form_of_report(ctx, options.pop("format"), json=json)
    options["cache_dir"] = None if no_cache else options["cache_dir"] or user_cache()
    shows_progress = sys.stderr.isatty() and not quiet
    try:
        report = run_check(CheckOptions(**options), progress=counter if shows_progress else no_progress)
    except MkindexError as error:
        if form != "github":
            raise
        with reader_may_leave():
            click.echo(annotation("error", "mkindex check", str(error)))
        return status_of(error)
    with reader_may_leave():
        if form == "json":
            click.echo(dumps(report_text.as_json(report), indent=2))
        elif form == "github":
            for line in report_text.annotations(report.findings):
                click.echo(line)
        else:
            for line in report_text.lines(report, verbose=verbose, quiet=quiet):
                click.echo(line)
    return PROBLEMS if report.failed(strict=strict) else DONE
