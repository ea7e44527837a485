"""The command `build`, which is meant where none is named; and with --watch, the same again and again."""

import gc
import os
import re
import signal
import sys
import threading
from collections.abc import Sequence
from functools import partial
from json import dumps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mkindex import __version__
from mkindex.cli.serve import BIND, listen
from mkindex.cli.terminal import (
    DONE,
    PROBLEMS,
    bar,
    form_of_report,
    no_bar,
    print_findings,
    reader_may_leave,
    status_of,
    user_cache,
)
from mkindex.errors import ConfigError, MkindexError, Note, NotPublished, Rejected
from mkindex.hosts.table import HOSTS
from mkindex.text import printable

if TYPE_CHECKING:
    from mkindex.build import Report
    from mkindex.config import Config

_PRINTING = ("format", "json", "quiet", "verbose")
_ARGUMENTS = f"{__name__}.arguments"


class _Again(click.Command):
    """A command that remembers what it was called with, so that it can be asked to read its options again."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        ctx.meta[_ARGUMENTS] = list(args)
        return super().parse_args(ctx, args)


class _Size(click.ParamType[int]):
    """A number of bytes, with a unit if you like: 500MB, 5GB, 2GiB."""

    name = "size"
    _UNITS = {unit: 1000**power for power, unit in enumerate(["", "k", "m", "g", "t"])} | {
        f"{unit}i": 1024**power for power, unit in enumerate(["k", "m", "g", "t"], 1)
    }

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:  # noqa: ANN401
        match = re.fullmatch(r"(\d+(?:\.\d+)?) ?([kmgt]?i?)b?", str(value).strip(), re.IGNORECASE | re.ASCII)
        if not match or match[2].lower() not in self._UNITS:
            self.fail(f"{value!r} is no size: give bytes, or a number with a unit, as in 500MB or 5GB", param, ctx)
        return int(float(match[1]) * self._UNITS[match[2].lower()])


def _config_defaults(ctx: click.Context, parameter: click.Parameter, value: Path | None) -> None:
    """Let mkindex.toml say what an option is when neither the command line nor the environment does."""
    del parameter
    path = value or Path("mkindex.toml")
    if value or path.is_file():
        from mkindex.config import read_file

        ctx.default_map = read_file(path)


@click.command(
    cls=_Again,
    context_settings={"auto_envvar_prefix": "MKINDEX", "help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="""\b
Examples:
  mkindex ./wheels ./public              then: python -m http.server -d public
  mkindex ./wheels ./sdists ./public     several sources, one index
  mkindex https://host/wheels.html ./public
                                         an index of a find-links page, whose files stay where they are
  mkindex https://host/simple/ ./public --include torch --remote mirror
                                         one project of an index, downloaded
  mkindex --dry-run ./wheels ./public    what would be done
  mkindex ./wheels ./public --watch --serve
  mkindex ./wheels ./public --for s3     then: sh ./public/upload.sh s3://BUCKET
  mkindex check ./public                 is it right, and is everything there? (mkindex check --help)
  mkindex client https://host/simple/    what uv, pip, poetry or PDM have to be told (mkindex client --help)

Every option can also be set by an environment variable (MKINDEX_LINK_MODE=hardlink) and in mkindex.toml
(link-mode = "hardlink"), where sources and destination may stand, too.

\b
Exit status: 0 done; 1 done, but files were rejected; 2 usage; 3 not done, the destination is as it was.
A watch ends with Ctrl-C or SIGTERM, and 0.

`mkindex serve DIR` serves an index that is there; `mkindex host nginx` prints a configuration with which nginx does.
Each has a --help of its own.""",
)
@click.argument("paths", metavar="SOURCE... DEST", nargs=-1)
@click.option("--recursive", is_flag=True, help="Also read the subdirectories of a source.")
@click.option("--follow-symlinks", is_flag=True, help="Also read what symlinks point to outside of a source.")
@click.option(
    "--link-mode",
    type=click.Choice(["copy", "hardlink"]),
    default="copy",
    show_default=True,
    help="How files get into DEST. A copy shares its blocks where the file system can.",
)
@click.option(
    "--files-url", metavar="URL", help="Place no files: they are served from URL/<path relative to their SOURCE>."
)
@click.option(
    "--files-have-metadata", is_flag=True, help="With --files-url: a .metadata file lies beside each wheel there."
)
@click.option(
    "--prefer", type=click.Choice(["first"]), help="Same file, different bytes: take the first source's, not none."
)
@click.option(
    "--upload-time",
    type=click.Choice(["mtime", "none"]),
    default="mtime",
    show_default=True,
    help="What a file's upload time is; no later than SOURCE_DATE_EPOCH.",
)
@click.option(
    "--previous",
    metavar="URL_OR_DIR",
    help="Carry over the upload times of files that are on this published site already, by their sha256.",
)
@click.option(
    "--simple-path",
    metavar="PATH",
    default="simple",
    show_default=True,
    help="Where the index lies in DEST; . is its root.",
)
@click.option(
    "--for",
    "host",
    type=click.Choice(list(HOSTS)),
    envvar="MKINDEX_FOR",
    allow_from_autoenv=False,
    help="Also write what that host needs, and publish nothing that it does not take.",
)
@click.option(
    "--json-root",
    metavar="PATH",
    help="With --for cloudflare-pages, netlify or s3: a second index in DEST, for clients that read JSON.",
)
@click.option("--links", is_flag=True, help="Also write links.html: all files on one page, for --find-links.")
@click.option("--templates", type=click.Path(), metavar="DIR", help="Take page templates from DIR where it has them.")
@click.option(
    "--grace",
    type=click.IntRange(min=0),
    metavar="SECONDS",
    default=900,
    show_default=True,
    help="How long a file stays that no page names any more: longer than pages are cached. 0: it goes at once.",
)
@click.option(
    "--include",
    multiple=True,
    metavar="GLOB",
    help="Only projects and files whose name fits: torch, 'torch-2.*-cp312-*.whl'. May be given several times.",
)
@click.option("--exclude", multiple=True, metavar="GLOB", help="Not the projects and files whose name fits.")
@click.option("--all", is_flag=True, help="Of a source that is an index, all projects.")
@click.option(
    "--remote",
    type=click.Choice(["reference", "mirror"]),
    default="reference",
    show_default=True,
    help="Files that are elsewhere: name them where they are, or download them.",
)
@click.option(
    "--max-download",
    type=_Size(),
    metavar="SIZE",
    default="5GB",
    show_default=True,
    help="Stop where more than this would have to be read from servers, to hash or to mirror files.",
)
@click.option("--allow-unhashed", is_flag=True, help="List a remote file without a hash, instead of reading it.")
@click.option("--verify-links", is_flag=True, help="With --files-url: also ask for the files that a list names.")
@click.option("--keep-going", is_flag=True, help="Publish the rest when a source or a server fails.")
@click.option("--strict", is_flag=True, help="Publish nothing when a file is rejected.")
@click.option("--overwrite", is_flag=True, help="Replace files in DEST that mkindex does not know to be its own.")
@click.option("--allow-empty", is_flag=True, help="Publish an index without any file.")
@click.option("--dry-run", "-n", is_flag=True, help="Say what would be done, and do nothing.")
@click.option(
    "--jobs",
    "-j",
    type=click.IntRange(min=1),
    metavar="N",
    help="Read N files at once.  [default: one for each core; 5 from servers]",
)
@click.option(
    "--cache-dir",
    type=click.Path(),
    metavar="DIR",
    help="Where to remember what is in files.  [default: the user's cache]",
)
@click.option("--no-cache", is_flag=True, help="Remember nothing, and read every file again.")
@click.option("--watch", is_flag=True, help="Stay, and build again whenever a SOURCE changes.")
@click.option(
    "--settle",
    type=click.FloatRange(min=0),
    metavar="SECONDS",
    default=0.3,
    show_default=True,
    help="With --watch: how long it must be quiet, and nobody have written to a file.",
)
@click.option("--poll", is_flag=True, help="With --watch: look for changes; for network mounts, which tell of none.")
@click.option(
    "--poll-interval",
    type=click.FloatRange(min=0.1),
    metavar="SECONDS",
    default=2,
    show_default=True,
    help="How often to look.",
)
@click.option(
    "--rescan",
    type=click.FloatRange(min=0.1),
    metavar="SECONDS",
    default=300,
    show_default=True,
    help="With --watch: build as often as that even if nothing seems to have changed.",
)
@click.option(
    "--interval",
    type=click.FloatRange(min=0.1),
    metavar="SECONDS",
    default=600,
    show_default=True,
    help="With --watch: how often to ask remote SOURCEs again.",
)
@click.option("--serve", is_flag=True, help="With --watch: also serve DEST, as `mkindex serve DEST` does.")
@click.option(
    "--bind", metavar="HOST:PORT", default=BIND, show_default=True, help="With --serve: the address to listen at."
)
@click.option(
    "--format",
    type=click.Choice(["text", "json", "github"]),
    default="text",
    show_default=True,
    help="How the report is printed; json: with --watch a line for each build; github: with annotations, a job summary "
    "and outputs of a workflow.",
)
@click.option("--json", is_flag=True, help="The same as --format json.")
@click.option("--quiet", "-q", is_flag=True, help="Print problems only.")
@click.option(
    "--verbose",
    "-v",
    is_flag=True,
    help="Also tell what was passed over, and every path written or removed, or with --watch every build.",
)
@click.option(
    "--config",
    type=click.Path(path_type=Path),
    metavar="FILE",
    is_eager=True,
    expose_value=False,
    callback=_config_defaults,
    help="Read options from FILE.  [default: ./mkindex.toml, if there]",
)
@click.version_option(__version__, message="mkindex %(version)s")
@click.pass_context
def build(
    ctx: click.Context,
    /,
    paths: tuple[str, ...],
    *,
    no_cache: bool,
    json: bool,
    quiet: bool,
    verbose: bool,
    **options: Any,  # noqa: ANN401 (the fields of Config, which checks them)
) -> int:
    """Turn wheels and sdists, wherever they are, into an index that pip, uv, poetry and PDM install from.

    A SOURCE is a directory of them; a page with links to them, here or at https://…, such as a find-links page, a
    server's listing or another index; a list of paths, URLs or JSON objects, one a line; or -, such a list on standard
    input.

    DEST gets a static tree for any web server: pages in HTML and JSON (PEP 503 and 691) with hashes and metadata, and
    the files. Each run brings it up to date with all SOURCEs: it writes what changed, and removes only what it wrote.
    """
    form = form_of_report(ctx, options.pop("format"), json=json)
    try:
        config = _config(ctx, paths, no_cache=no_cache, **options)
    except ConfigError as error:
        return _failed(error, form)
    if config.watch:
        if form == "github":
            raise click.UsageError("--format github is for one build, and --watch makes many: leave one out")
        return _watch(ctx, config, json=form == "json", quiet=quiet, verbose=verbose)
    # Of the hundred thousand values that a build makes hardly one is part of a cycle: to look for those at every 700th
    # takes a tenth of the time of a build with nothing to do. A watch stays, and must not pile them up.
    gc.set_threshold(50_000)
    from mkindex.build import build as run_build
    from mkindex.reports.text import as_json, summary

    told = partial(_annotate if form == "github" else print_findings, quiet=quiet, verbose=verbose)
    try:
        report = run_build(
            config,
            progress=bar if sys.stderr.isatty() and not quiet else no_bar,
            announce=lambda note: told([note]),
        )
    except MkindexError as error:
        if isinstance(error, NotPublished):
            told(error.findings)
        return _failed(error, form)
    told(report.findings)
    with reader_may_leave():
        if form == "json":
            click.echo(dumps(as_json(report), indent=2))
        elif not quiet:
            click.echo("\n".join(summary(report, config, verbose=verbose)))
    if form == "github":
        _tell_workflow(report, config.destination)
    return PROBLEMS if report.rejected else DONE


def _annotate(findings: Sequence[Rejected | Note], *, quiet: bool, verbose: bool) -> None:
    from mkindex.reports.github import annotate

    with reader_may_leave():
        for line in annotate(findings, quiet=quiet, verbose=verbose):
            click.echo(line)


def _tell_workflow(report: "Report", destination: str) -> None:
    from mkindex.reports.github import OUTPUT, SUMMARY, outputs, summary

    _append(SUMMARY, summary(report, destination))
    _append(OUTPUT, outputs(report))


def _failed(error: MkindexError, form: str) -> int:
    """Tell a workflow why nothing was published, and return the status; raise the error for whom else it concerns."""
    from mkindex.reports.github import SUMMARY, annotation, failure

    if form != "github":
        raise error
    with reader_may_leave():
        click.echo(annotation("error", "mkindex", str(error)))
    _append(SUMMARY, failure(error))
    return status_of(error)


def _append(variable: str, text: str) -> None:
    """Append to the file that the runner names, if it does: what was published stays so if that fails."""
    from mkindex.reports.github import annotation, append

    try:
        append(variable, text)
    except OSError as error:
        with reader_may_leave():
            click.echo(annotation("warning", "mkindex", f"cannot write what {variable} names: {error.strerror}"))


def _config(ctx: click.Context, paths: tuple[str, ...], *, no_cache: bool, **options: Any) -> "Config":  # noqa: ANN401
    defaults = ctx.default_map or {}
    sources, destination = (
        (paths[:-1], paths[-1]) if paths else (defaults.get("sources", ()), defaults.get("destination"))
    )
    if not sources or not destination:
        raise click.UsageError(
            "name at least one SOURCE and a DEST: mkindex ./wheels ./public\n"
            "(a directory whose name is that of a command is ./build)"
        )
    from mkindex.config import Config

    options["simple_path"] = options["simple_path"].rstrip("/") if options["simple_path"] not in (".", "./") else ""
    options["json_root"] = (options["json_root"] or "").rstrip("/") or None
    options["cache_dir"] = None if no_cache else options["cache_dir"] or user_cache()
    return Config(sources=tuple(sources), destination=destination, **options)


def _watch(ctx: click.Context, config: "Config", *, json: bool, quiet: bool, verbose: bool) -> int:
    """Watch, and serve if that is wanted, until a signal says stop: that is what was asked for, and no failure."""
    from mkindex.reports.events import as_json_line, as_text
    from mkindex.watch.loop import BuildEvent, Event, Watch

    def told(event: Event) -> None:
        if isinstance(event, BuildEvent):
            print_findings(event.news, quiet=quiet, verbose=verbose)
        elif isinstance(event, NotPublished):
            print_findings(event.findings, quiet=quiet, verbose=verbose)
        is_error = isinstance(event, MkindexError)
        if is_error or (not quiet and (verbose or not isinstance(event, BuildEvent) or event.is_news)):
            with reader_may_leave():
                click.echo(as_json_line(event) if json else as_text(event), err=is_error and not json)

    def reread() -> "Config":
        try:
            with ctx.command.make_context(ctx.info_name, list(ctx.meta[_ARGUMENTS]), parent=ctx.parent) as again:
                return _config(again, **{key: value for key, value in again.params.items() if key not in _PRINTING})
        except click.ClickException as error:
            raise ConfigError(error.format_message()) from error

    watch = Watch(config, on_event=told, read_config=reread)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if hasattr(signal, "SIGHUP"):
        signal.signal(signal.SIGHUP, lambda *_: watch.reload())
    try:
        if config.serve:
            os.makedirs(config.destination, exist_ok=True)
            server = listen(config.destination, config.bind, errors_only=not verbose)
            told(f"serving {printable(config.destination)} at {server.url}")
            threading.Thread(target=server.serve_forever, daemon=True).start()
        watch.run()
    except KeyboardInterrupt:
        return DONE
