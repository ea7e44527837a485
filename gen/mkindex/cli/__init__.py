"""The command line: turns options into values, calls one function, and prints the result."""

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

import click
from click.exceptions import NoArgsIsHelpError

from mkindex import __version__
from mkindex.cli.terminal import (
    COMMANDS,
    DONE,
    INTERRUPTED,
    NOT_DONE,
    UNEXPECTED,
    USAGE,
    color,
    print_error,
    print_message,
    reader_may_leave,
    status_of,
)
from mkindex.errors import MkindexError

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

__all__ = ["cli", "run"]

_DEFAULT = "build"


class Commands(click.Group):
    """A group with a default command: `mkindex ./wheels ./public` means `mkindex build ./wheels ./public`."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return [*COMMANDS]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        del ctx
        return _command(cmd_name) if cmd_name in COMMANDS else None

    def make_context(self, *arguments: Any, **more: Any) -> click.Context:  # noqa: ANN401 (as click has it)
        with reader_may_leave():  # --help and --version print while arguments are parsed
            return super().make_context(*arguments, **more)
        raise click.exceptions.Exit(DONE)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args and not ctx.resilient_parsing and os.path.isfile("mkindex.toml"):
            args = [_DEFAULT]
        if args and args[0] not in (*COMMANDS, "--help", "-h", "--version"):
            args = [_DEFAULT, *args]
        return super().parse_args(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([*COMMANDS.items()])

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the help of the default command, with the list of commands before its options."""
        command = _command(_DEFAULT)
        with click.Context(command, info_name=ctx.info_name, color=ctx.color, **command.context_settings) as inner:
            command.format_usage(inner, formatter)
            formatter.write_usage(ctx.command_path, "COMMAND [OPTIONS] ...", prefix=" " * 7)
            command.format_help_text(inner, formatter)
            self.format_commands(ctx, formatter)
            command.format_options(inner, formatter)
            command.format_epilog(inner, formatter)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> "list[CompletionItem]":
        """Complete commands, and what the default command takes: its options and paths."""
        command = _command(_DEFAULT)
        with click.Context(command, info_name=ctx.info_name, parent=ctx, resilient_parsing=True) as inner:
            if incomplete.startswith("-"):
                return command.shell_complete(inner, incomplete)
            (paths,) = (one for one in command.params if isinstance(one, click.Argument))
            return [*super().shell_complete(ctx, incomplete), *paths.shell_complete(inner, incomplete)]


def _command(name: str) -> click.Command:
    """Return a command. Its module is imported only now, so that `mkindex --version` stays fast."""
    command: click.Command = getattr(import_module(f"mkindex.cli.{name}"), name)
    command.short_help = COMMANDS[name]
    return command


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, message="%(prog)s %(version)s")
def cli() -> None:
    """Make a static Python package index."""


def run(arguments: list[str]) -> int:
    """Run the command line; return the exit status."""
    try:
        status = cli.main(arguments, prog_name="mkindex", standalone_mode=False, color=color())
        return status if isinstance(status, int) else DONE
    except NoArgsIsHelpError as error:
        print_message(error.message)
        return USAGE
    except click.ClickException as error:
        _show_usage_error(error)
        return USAGE
    except MkindexError as error:
        print_error(str(error))
        return status_of(error)
    except (KeyboardInterrupt, click.Abort):
        print_message("interrupted: the next run finishes the job")
        return INTERRUPTED
    except MemoryError:
        print_error("not enough memory. Free some, or try --jobs 1; the next run finishes the job")
        return NOT_DONE
    except (SystemExit, GeneratorExit):
        raise
    except BaseException as error:  # a panic of a library in Rust is not an Exception
        from mkindex.cli.unexpected import describe_unexpected

        print_error(describe_unexpected(error, arguments))
        return UNEXPECTED


def _show_usage_error(error: click.ClickException) -> None:
    """Print how the command is used, all commands, and the error last, where people look first."""
    failed = error.ctx if isinstance(error, click.UsageError) else None
    with click.Context(cli, info_name="mkindex", max_content_width=100) as ctx:
        formatter = ctx.make_formatter()
        command = _command(_DEFAULT) if failed is None or failed.command is cli else failed.command
        is_default = command is _command(_DEFAULT)
        path = "mkindex" if is_default else f"mkindex {command.name}"
        formatter.write_usage(path, " ".join(command.collect_usage_pieces(failed or ctx)))
        if is_default:
            formatter.write_usage("mkindex", "COMMAND [OPTIONS] ...", prefix=" " * 7)
        cli.format_commands(ctx, formatter)
        formatter.write_paragraph()
        formatter.write_text(f"'{path} --help' explains all options.")
        print_message(formatter.getvalue())
    print_error(error.format_message())
