"""The options for programs that read an index but are not installers."""

from dataclasses import dataclass

from mkindex.config.site_options import SiteOptions
from mkindex.options import option

READERS = "Other readers"  # the heading


@dataclass(frozen=True, kw_only=True, slots=True, init=False, repr=False, eq=False)
class ReaderOptions(SiteOptions):
    """The options for programs that read an index but are not installers."""

    legacy_json: bool = option(
        False,
        "Also write pypi/NAME/json for each project, for hashin, Renovate, Dependabot and others that read no Simple "
        "API. Addresses in it are absolute only with --url.",
        group=READERS,
        shapes=True,
    )
    pyodide_json: bool = option(
        False,
        "Also write pypi/all.json with the wheels that Pyodide can install, for piplite of JupyterLite.",
        group=READERS,
        shapes=True,
    )
