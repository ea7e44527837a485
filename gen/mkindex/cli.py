"""The command line: options to Config, one verb, the Report printed. It decides nothing itself."""

import os
import re
import shlex
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from json import dumps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mkindex import __version__
from mkindex.errors import ConfigError, MkindexError, Note, NotPublished, Rejected, printable

if TYPE_CHECKING:
    from mkindex.build import Report
    from mkindex.config import Config
    from mkindex.serve import Server

DONE, PROBLEMS, USAGE, NOT_DONE, INTERRUPTED = 0, 1, 2, 3, 130
_PRINTING = ("json", "quiet", "verbose")
_ARGUMENTS = f"{__name__}.arguments"
BIND = "127.0.0.1:8000"
_RESERVED = ("client", "host")  # commands to come


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


class _Commands(click.Group):
    """A group whose first command is meant when none is named: `mkindex ./wheels ./public` builds."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args and Path("mkindex.toml").is_file():
            args = ["build"]
        if args and args[0] in _RESERVED:
            raise click.UsageError(
                f"{args[0]} is kept for a command that is to come; a directory of that name is ./{args[0]}"
            )
        if args and args[0] not in self.commands and args[0] not in ("--help", "-h", "--version"):
            args = ["build", *args]
        return super().parse_args(ctx, args)

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Show what is meant by default: the help of `build`."""
        command = self.commands["build"]
        with click.Context(command, info_name=ctx.info_name, color=ctx.color) as inner:
            command.format_help(inner, formatter)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, message="%(prog)s %(version)s")
def cli() -> None:
    """Make a static Python package index."""


def _config_defaults(ctx: click.Context, parameter: click.Parameter, value: Path | None) -> None:
    """Let mkindex.toml say what an option is when neither the command line nor the environment does."""
    del parameter
    path = value or Path("mkindex.toml")
    if value or path.is_file():
        from mkindex.config import read_file

        ctx.default_map = read_file(path)


@cli.command(
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
  mkindex check ./public                 is it right, and is everything there? (mkindex check --help)

Every option can also be set by an environment variable (MKINDEX_LINK_MODE=hardlink) and in mkindex.toml
(link-mode = "hardlink"), where sources and destination may stand, too.

\b
Exit status: 0 done; 1 done, but files were rejected; 2 usage; 3 not done, the destination is as it was.
A watch ends with Ctrl-C or SIGTERM, and 0.

`mkindex serve DIR` serves an index that is there; mkindex serve --help says more.""",
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
    "--simple-path",
    metavar="PATH",
    default="simple",
    show_default=True,
    help="Where the index lies in DEST; . is its root.",
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
@click.option("--json", is_flag=True, help="Print the report as JSON; with --watch a line for each build.")
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
    from mkindex.build import build as run_build

    config = _config(ctx, paths, no_cache=no_cache, **options)
    if config.watch:
        return _watch(ctx, config, json=json, quiet=quiet, verbose=verbose)
    try:
        report = run_build(
            config,
            progress=_bar if sys.stderr.isatty() and not quiet else _no_bar,
            announce=lambda note: _print_findings([note], quiet=quiet, verbose=verbose),
        )
    except NotPublished as error:
        _print_findings(error.findings, quiet=quiet, verbose=verbose)
        raise
    _print_findings(report.findings, quiet=quiet, verbose=verbose)
    with _reader_may_leave():
        if json:
            click.echo(dumps(_as_json(report), indent=2))
        elif not quiet:
            click.echo("\n".join(_summary(report, config.destination, config.simple_path, verbose=verbose)))
    return PROBLEMS if report.rejected else DONE


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
    options["cache_dir"] = None if no_cache else options["cache_dir"] or _user_cache()
    return Config(sources=tuple(sources), destination=destination, **options)


def _explain(ctx: click.Context, parameter: click.Parameter, value: str | None) -> None:
    """Print what there is to say of a rule, or of all in a line each, and leave."""
    if value is None or ctx.resilient_parsing:
        return
    from mkindex.check.findings import table
    from mkindex.check.show import all_rules, explained

    if value != "all" and value not in table():
        raise click.BadParameter(f"there is no rule {value!r}; `--explain all` lists them", ctx, parameter)
    with _reader_may_leave():
        click.echo(all_rules() if value == "all" else explained(table()[value]))
    ctx.exit(DONE)


@cli.command(
    context_settings={"auto_envvar_prefix": "MKINDEX", "max_content_width": 100},
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
    "form",
    envvar="MKINDEX_FORMAT",
    type=click.Choice(["text", "json", "github"]),
    default="text",
    help="How findings are printed; github: as annotations of a workflow.",
)
@click.option("--json", "as_json", envvar="MKINDEX_JSON", is_flag=True, help="The same as --format json.")
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
def check(
    *,
    form: str,
    as_json: bool,
    strict: bool,
    no_cache: bool,
    quiet: bool,
    verbose: bool,
    **options: Any,  # noqa: ANN401
) -> int:
    """Prove an index right, or say what a client will do wrong with it.

    DIR_OR_URL is a directory with an index in it, or the address of one, whoever made it. Each finding names the page
    and the file, what pip and uv do about it, and how to mend it.
    """
    from mkindex.check import Options, show
    from mkindex.check import check as run_check

    options["cache_dir"] = None if no_cache else options["cache_dir"] or _user_cache()
    shows_progress = sys.stderr.isatty() and not quiet
    report = run_check(Options(**options), progress=_counter if shows_progress else _no_bar)
    with _reader_may_leave():
        if as_json or form == "json":
            click.echo(dumps(show.as_json(report), indent=2))
        elif form == "github":
            for line in show.github(report.findings):
                click.echo(line)
        else:
            for line in show.lines(report, verbose=verbose, quiet=quiet):
                click.echo(line)
    return PROBLEMS if report.failed(strict=strict) else DONE


@contextmanager
def _reader_may_leave() -> Iterator[None]:
    """Take it well when nobody reads the results, or not to the end: `mkindex … | head`."""
    if sys.stdout is None:
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115 (as long as the process lives)
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        # What is left in its buffer would fail again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _user_cache() -> str:
    import platformdirs

    return platformdirs.user_cache_dir("mkindex", appauthor=False)


def _print_findings(findings: Sequence[Rejected | Note], *, quiet: bool, verbose: bool) -> None:
    for finding in findings:
        location = printable(finding.location)
        if isinstance(finding, Rejected):
            click.echo(f"{click.style('rejected', fg='red')} {location}: {finding.reason}", err=True)
        elif verbose or not (quiet or finding.detail):
            click.echo(f"{click.style('note', fg='yellow')} {location}: {finding.text}", err=True)


def _summary(report: "Report", destination: str, simple_path: str, *, verbose: bool) -> Iterator[str]:
    plan, projects = report.plan, report.index.projects
    files = [file for project in projects for file in project.files]
    if verbose or report.dry_run:
        yield from (f"{'write ' if put.previous is None else 'update'} {put.resource.path}" for put in plan.puts)
        yield from (f"remove {entry.path}" for entry in plan.deletes)
    counts = [
        f"{len(plan.puts) if report.dry_run else report.written} {'to write' if report.dry_run else 'written'}",
        f"{plan.unchanged} unchanged",
        f"{len(plan.deletes)} {'to remove' if report.dry_run else 'removed'}",
    ]
    if plan.retired:
        counts.append(f"{plan.retired} kept for readers of older pages")
    yield (
        f"{printable(destination)}: {_count(len(projects), 'project')}, {_count(len(files), 'file')}, "
        f"{_size(sum(file.size or 0 for file in files))} ({', '.join(counts)}) in {report.seconds:.2f} s"
    )
    if report.rejected:
        yield f"{_count(len(report.rejected), 'file')} rejected, see above"
    if projects and not report.dry_run:
        url = f"http://localhost:8000/{simple_path}/" if simple_path else "http://localhost:8000/"
        yield ""
        yield f"Serve it:      python3 -m http.server --directory {printable(shlex.quote(destination))}"
        yield f"Install from:  pip install --index-url {url} {projects[0].name}"
        yield f"               uv pip install --default-index {url} {projects[0].name}"


def _as_json(report: "Report") -> dict[str, Any]:
    files = [file for project in report.index.projects for file in project.files]
    return {
        "version": 1,
        "dry-run": report.dry_run,
        "projects": len(report.index.projects),
        "files": len(files),
        "bytes": sum(file.size or 0 for file in files),
        "written": report.written,
        "unchanged": report.plan.unchanged,
        "removed": 0 if report.dry_run else len(report.plan.deletes),
        "retired": report.plan.retired,
        "seconds": round(report.seconds, 3),
        "rejected": [{"location": r.location, "reason": r.reason} for r in report.rejected],
        "notes": [{"location": n.location, "text": n.text} for n in report.findings if isinstance(n, Note)],
        "write": [put.resource.path for put in report.plan.puts],
        "remove": [entry.path for entry in report.plan.deletes],
    }


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _size(size: int) -> str:
    if size < 1000:
        return _count(size, "byte")
    power = min((len(str(size)) - 1) // 3, 4)
    return f"{size / 1000**power:,.1f} {' kMGT'[power]}B"


def _watch(ctx: click.Context, config: "Config", *, json: bool, quiet: bool, verbose: bool) -> int:
    """Watch, and serve if that is wanted, until a signal says stop: that is what was asked for, and no failure."""
    from mkindex.journal import Event, for_a_machine, for_a_person
    from mkindex.watch import Built, Watch

    def told(event: Event) -> None:
        if isinstance(event, Built):
            _print_findings(event.news, quiet=quiet, verbose=verbose)
        elif isinstance(event, NotPublished):
            _print_findings(event.findings, quiet=quiet, verbose=verbose)
        is_error = isinstance(event, MkindexError)
        if is_error or (not quiet and (verbose or not isinstance(event, Built) or event.is_news)):
            with _reader_may_leave():
                click.echo(for_a_machine(event) if json else for_a_person(event), err=is_error and not json)

    def reread() -> "Config":
        try:
            with ctx.command.make_context(ctx.info_name, list(ctx.meta[_ARGUMENTS]), parent=ctx.parent) as again:
                return _config(again, **{key: value for key, value in again.params.items() if key not in _PRINTING})
        except click.ClickException as error:
            raise ConfigError(error.format_message()) from error

    watch = Watch(config, told=told, reread=reread)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if hasattr(signal, "SIGHUP"):
        signal.signal(signal.SIGHUP, lambda *_: watch.reload())
    try:
        if config.serve:
            os.makedirs(config.destination, exist_ok=True)
            server = _listen(config.destination, config.bind, errors_only=not verbose)
            told(f"serving {printable(config.destination)} at {server.url}")
            threading.Thread(target=server.serve_forever, daemon=True).start()
        watch.run()
    except KeyboardInterrupt:
        return DONE


def _listen(directory: str, bind: str, *, errors_only: bool) -> "Server":
    from mkindex.config import address
    from mkindex.serve import Server

    def log(request: str, status: int) -> None:
        if status >= 400 or not errors_only:
            click.echo(f"{request} {status}", err=True)

    server = Server(directory, address(bind), log)
    if server.is_public:
        text = "other machines can reach this server: it asks nobody for a password, and encrypts nothing"
        click.echo(f"{click.style('warning', fg='red', bold=True)} {bind}: {text}", err=True)
    return server


@cli.command(
    context_settings={"auto_envvar_prefix": "MKINDEX", "help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.argument("directory", metavar="DIR")
@click.option("--bind", metavar="HOST:PORT", default=BIND, show_default=True, help="The address to listen at.")
@click.option("--quiet", "-q", is_flag=True, help="Log only requests that fail.")
def serve(directory: str, *, bind: str, quiet: bool) -> int:
    """Serve the index in DIR, as `mkindex SOURCE DIR` has made it: for development and small networks.

    Pages come as JSON or HTML, as the client asks (PEP 691). Nothing but files in DIR is ever sent, and nothing can be
    uploaded. There is no encryption, and no password. It ends with Ctrl-C.
    """
    try:
        server = _listen(directory, bind, errors_only=quiet)
        click.echo(f"serving {printable(directory)} at {server.url} (Ctrl-C stops it)")
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        server.serve_forever()
    except KeyboardInterrupt:
        pass
    return DONE


@contextmanager
def _bar(total: int) -> Iterator[Callable[[int], object]]:
    """Show how much of `total` bytes is read, and how fast; several threads may tell."""
    started, done, lock = time.monotonic(), 0, threading.Lock()
    with click.progressbar(length=total, label="reading", file=sys.stderr, item_show_func=str) as bar:

        def advance(count: int) -> None:
            nonlocal done
            with lock:
                done += count
                rate = int(done / max(time.monotonic() - started, 0.1))
                bar.update(count, f"{_size(done)} of {_size(total)}, {_size(rate)}/s")

        yield advance


@contextmanager
def _counter(total: int) -> Iterator[Callable[[int], object]]:
    """Show how many of `total` projects are done."""
    with click.progressbar(length=total, label="checking", file=sys.stderr, show_pos=True) as bar:
        yield bar.update


def _no_bar(total: int) -> "nullcontext[Callable[[int], object]]":
    del total
    return nullcontext(id)


def run(arguments: list[str]) -> int:
    """Run the command line; return the exit status."""
    try:
        status = cli.main(arguments, prog_name="mkindex", standalone_mode=False)
        return status if isinstance(status, int) else DONE
    except click.ClickException as error:
        error.show()
        return USAGE
    except MkindexError as error:
        click.echo(f"{click.style('error', fg='red')} {error}", err=True)
        return USAGE if isinstance(error, ConfigError) else NOT_DONE
    except (KeyboardInterrupt, click.Abort):
        click.echo("interrupted: the next run finishes the job", err=True)
        return INTERRUPTED
