"""The option for what examines files: processes, threads, or the workers of a Dask cluster."""

from mkindex.options import Options, option

ENGINE = "Engine"  # the heading


class EngineOptions(Options, heading=ENGINE):
    """The option for what examines files."""

    engine: str | None = option(
        None,
        "What reads files: processes or threads of this machine, or the workers of a Dask cluster, by the address of "
        "its scheduler: dask://HOST:PORT.",
        metavar="ENGINE",
        automatic="processes for thousands of small files, and threads for large and remote ones",
    )
