"""The options of releases as a SOURCE: github:OWNER/REPO and gitlab:GROUP/PROJECT."""

from mkindex.options import Options, option

RELEASES = "Releases"  # the heading


class ReleaseOptions(Options, heading=RELEASES):
    """The options of releases."""

    prereleases: bool = option(False, "With github: and gitlab: also take releases that are marked as prereleases.")
    api_url: str | None = option(
        None,
        "Address of the API that github: or gitlab: means, such as https://ghe.example.com/api/v3 or, for Gitea and "
        "Forgejo with github:, https://codeberg.org/api/v1.",
        metavar="URL",
        automatic="GITHUB_API_URL or CI_API_V4_URL, else github.com or gitlab.com",
    )
