"""The command `completion`."""

import click
from click.shell_completion import get_completion_class

from mkindex.cli.options import CONTEXT_SETTINGS, Command
from mkindex.cli.terminal import DONE, reader_may_leave

_EPILOG = """\
\b
Examples:
  mkindex completion bash > ~/.local/share/bash-completion/completions/mkindex
  mkindex completion zsh > ~/.zfunc/_mkindex          with ~/.zfunc in fpath
  mkindex completion fish > ~/.config/fish/completions/mkindex.fish
"""


@click.command(cls=Command, context_settings=CONTEXT_SETTINGS, epilog=_EPILOG)
@click.argument("shell", metavar="SHELL", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> int:
    """Print a script that completes commands, options and paths in a shell: bash, zsh or fish."""
    from mkindex.cli import cli

    completion_class = get_completion_class(shell)
    assert completion_class is not None
    with reader_may_leave():
        click.echo(completion_class(cli, {}, "mkindex", "_MKINDEX_COMPLETE").source())
    return DONE
