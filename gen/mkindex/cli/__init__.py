"""The command line: options to Config, one verb, the Report printed. It decides nothing itself."""

from pathlib import Path

import click

from mkindex import __version__
from mkindex.cli.build import build
from mkindex.cli.check import check
from mkindex.cli.client import client
from mkindex.cli.host import host
from mkindex.cli.serve import serve
from mkindex.cli.terminal import DONE, INTERRUPTED, USAGE, status_of
from mkindex.errors import MkindexError

__all__ = ["cli", "run"]


class _Commands(click.Group):
    """A group whose first command is meant when none is named: `mkindex ./wheels ./public` builds."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args and Path("mkindex.toml").is_file():
            args = ["build"]
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


cli.add_command(build)
cli.add_command(check)
cli.add_command(client)
cli.add_command(host)
cli.add_command(serve)


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
        return status_of(error)
    except (KeyboardInterrupt, click.Abort):
        click.echo("interrupted: the next run finishes the job", err=True)
        return INTERRUPTED
