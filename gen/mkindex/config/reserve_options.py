"""The options for names that belong to an index even if it has no file of them."""

from mkindex.options import Options, option

RESERVED = "Reserved names"  # the heading


class ReserveOptions(Options, heading=RESERVED):
    """The options for reserved names."""

    reserve: tuple[str, ...] = option(
        (),
        "These names belong to the index, such as 'acme-*', even if it has no file of them: no --fallback of a server "
        "answers for them. A name without * and ?, and that of a removed project, keeps a page without files. May be "
        "repeated.",
        metavar="GLOB",
        shapes=True,
    )
    release: tuple[str, ...] = option(
        (),
        "Give up a name that is reserved since its project was removed, or a glob that the index in DEST reserves. May "
        "be repeated.",
        metavar="GLOB",
    )
