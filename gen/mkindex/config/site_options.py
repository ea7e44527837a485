"""The options of the site for people. In mkindex.toml, they may stand in a table [site]."""

from mkindex.options import Options, option

SITE = "Site for people"  # the heading


class SiteOptions(Options, heading=SITE):
    """The options of the site for people."""

    site: bool = option(
        False,
        "Also write pages for people: search, a page for each project, licenses, and with --url feeds.",
        shapes=True,
    )
    site_title: str | None = option(
        None, "Title of the site.", shapes=True, metavar="TEXT", automatic="Python package index"
    )
    site_description: str | None = option(None, "A sentence that describes the index.", shapes=True, metavar="TEXT")
    site_logo: str | None = option(None, "Image beside the title.", metavar="FILE", path="location")
    site_color: str | None = option(
        None, "Color of links and buttons.", shapes=True, metavar="#RRGGBB", automatic="#2b5f9e"
    )
    site_footer: str | None = option(None, "Text at the end of each page.", shapes=True, metavar="TEXT")
    site_readme_images: bool = option(
        False,
        "Show the images in READMEs. Browsers load them from other servers, which then know who reads the page.",
        shapes=True,
    )
