"""The command `relocate`."""

import click

from mkindex.cli.options import CONTEXT_SETTINGS, Command
from mkindex.cli.terminal import DONE, reader_may_leave
from mkindex.text import plural


@click.command(
    cls=Command,
    context_settings=CONTEXT_SETTINGS,
)
@click.argument("directory", metavar="DIR")
@click.option("--url", metavar="URL", help="The address at which a server has DIR.  [default: its file: address]")
def relocate(directory: str, url: str | None) -> int:
    """Change the addresses in the lock files of a bundle to the place where it is now.

    DIR is the tree of a build from lock files. A pylock.toml with relative paths needs no change.
    """
    from mkindex.hosts.public_url import parse_public_url
    from mkindex.relocate import relocate as run_relocate

    if url is not None:
        parse_public_url(url)
    address, changed = run_relocate(directory, url)
    with reader_may_leave():
        click.echo(f"{plural(len(changed), 'file')} changed in locks/ for {address}")
    return DONE
