"""The options for programs that read an index but are not installers."""

from mkindex.options import Options, option

READERS = "Other readers"  # the heading


class ReaderOptions(Options, heading=READERS):
    """The options for programs that read an index but are not installers."""

    legacy_json: bool = option(
        False,
        "Also write pypi/NAME/json for each project, for hashin, Renovate, Dependabot and others that read no Simple "
        "API. Addresses in it are absolute only with --url.",
        shapes=True,
    )
    pyodide_json: bool = option(
        False,
        "Also write pypi/all.json with the wheels that Pyodide can install, for piplite of JupyterLite.",
        shapes=True,
    )
