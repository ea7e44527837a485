"""The options for names that belong to an index even if it has no file of them."""

from dataclasses import dataclass

from mkindex.config.reader_options import ReaderOptions
from mkindex.options import option

RESERVED = "Reserved names"  # the heading


@dataclass(frozen=True, kw_only=True, slots=True, init=False, repr=False, eq=False)
class ReserveOptions(ReaderOptions):
    """The options for reserved names, after those for readers."""

    reserve: tuple[str, ...] = option(
        (),
        "These names belong to the index, such as 'acme-*', even if it has no file of them: no --fallback of a server "
        "answers for them. A name without * and ?, and that of a removed project, keeps a page without files. May be "
        "repeated.",
        group=RESERVED,
        metavar="GLOB",
        shapes=True,
    )
    release: tuple[str, ...] = option(
        (),
        "Give up a name that is reserved since its project was removed, or a glob that the index in DEST reserves. May "
        "be repeated.",
        group=RESERVED,
        metavar="GLOB",
    )
