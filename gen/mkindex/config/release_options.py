"""The options of releases as a SOURCE: github:OWNER/REPO and gitlab:GROUP/PROJECT."""

from dataclasses import dataclass

from mkindex.options import option

RELEASES = "Releases"  # the heading


@dataclass(frozen=True, kw_only=True, slots=True, init=False, repr=False, eq=False)
class ReleaseOptions:
    """The options of releases."""

    prereleases: bool = option(
        False, "With github: and gitlab: also take releases that are marked as prereleases.", group=RELEASES
    )
    api_url: str | None = option(
        None,
        "Address of the API that github: or gitlab: means, such as https://ghe.example.com/api/v3 or, for Gitea and "
        "Forgejo with github:, https://codeberg.org/api/v1.",
        group=RELEASES,
        metavar="URL",
        automatic="GITHUB_API_URL or CI_API_V4_URL, else github.com or gitlab.com",
    )
