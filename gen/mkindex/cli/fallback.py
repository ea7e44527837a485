"""The options --fallback and --reserve of the commands `serve` and `host`."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from mkindex.cli.terminal import print_warning
from mkindex.options import InvalidOption
from mkindex.tree.layout import Layout

if TYPE_CHECKING:
    from mkindex.hosts.fallback import Fallback

F = TypeVar("F", bound=Callable[..., Any])


def fallback_options(command: F) -> F:
    """Add the two options to a command."""
    reserve = click.option(
        "--reserve",
        multiple=True,
        metavar="GLOB",
        help="With --fallback: a name that the fallback never answers for, such as 'acme-*', in addition to those "
        "that the tree was built with. May be repeated.",
    )
    fallback = click.option(
        "--fallback",
        metavar="URL",
        help="Redirect requests for projects that the index does not have to this index, but never for reserved names.",
    )
    return fallback(reserve(command))


def fallback_of(layout: Layout, url: str | None, reserve: tuple[str, ...]) -> "Fallback | None":
    """Return the second index of the options. The names that the tree was built with are reserved, too.

    `layout`: that of the tree, which need not be on this machine. Prints a warning for a fallback that may be unsafe.
    Raises InvalidOption for one that is unsafe.
    """
    from mkindex.hosts.fallback import Fallback
    from mkindex.hosts.reserved import Reserved

    if url is None:
        if reserve:
            raise InvalidOption("reserve", "requires {fallback}: without it nothing else answers for these names")
        return None
    fallback = Fallback(address=url, reserved=Reserved(reserve)).with_reserved(layout.reserve)
    if layout.has_manifest and not layout.reserve:
        raise InvalidOption(
            "fallback",
            "would answer for projects that are removed from the index, because the tree was built without {reserve} "
            "(or its manifest is damaged). Build it with {reserve} NAME, such as {reserve} 'acme-*'",
        )
    if not layout.has_manifest and not reserve:
        raise InvalidOption(
            "fallback",
            "requires {reserve}, because the tree, which has the reserved names, is not on this machine. Give all of "
            "them",
        )
    if not layout.has_manifest:
        print_warning("--fallback: the tree is not on this machine. Build it with the same --reserve")
    if fallback.is_plain_http:
        print_warning(f"--fallback {fallback.url}: anybody on the network path can change what is installed")
    return fallback
