"""The hosts of `--for`: what a tree needs there, their limits, and how to publish it."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True, slots=True)
class Host:
    """The effects of `--for` with a host. All texts are printed."""

    next_step: str | None = None  # the line of a report that says what to do now, with {} for DEST; None: serve it here
    written_files: Mapping[str, str] = field(default_factory=dict)  # the template of each, by path in the tree
    printed_template: str | None = None  # for `mkindex host`; None: a build writes all that the host needs
    users_file: str | None = None  # default of `mkindex host --users`; None: not a server of your own
    notice: str | None = None  # printed when a tree is first published for the host
    max_file: int | None = None  # bytes of one file
    max_bytes: int | None = None  # of all files
    max_files: int | None = None  # number, with pages
    reserved: frozenset[str] = frozenset()  # names at the top of a tree that the host uses itself
    advice: str = ""  # for a tree that is too large
    why_no_fallback: str = ""  # why --fallback would not be safe; "": it is, on a server of your own
    why_no_json_root: str | None = None  # why --json-root is useless; None: the host sends no JSON otherwise
    is_replaced: bool = False  # each deployment replaces the whole site
    mistypes_json_root: bool = False  # it sends the JSON as HTML, which only Renovate reads

    @property
    def has_limits(self) -> bool:
        """Whether the host does not take every tree."""
        return bool(self.max_file or self.max_bytes or self.max_files or self.reserved)


_NEGOTIATES = "it sends clients JSON or HTML, as they prefer, from one root"
_ELSEWHERE = (
    "Upload the wheels to a bucket or a GitHub Release, and link to them there: "
    "mkindex WHEELS DEST --files-url https://…"
)

HOSTS = {
    # docs.github.com: "GitHub Pages limits" for the site, "About large files on GitHub" for a file of a branch.
    "github-pages": Host(
        is_replaced=True,
        next_step="Publish it:    with the workflow that `mkindex host github-pages` prints",
        printed_template="hosts/workflow.yml",
        notice="a GitHub Pages site is public, even if its repository is private. Only with GitHub Enterprise Cloud "
        "can its access be restricted, in the settings of the repository",
        max_file=100_000_000,
        max_bytes=1_000_000_000,
        advice=_ELSEWHERE,
        why_no_fallback="it cannot redirect",
        mistypes_json_root=True,
    ),
    # developers.cloudflare.com: "Pages: Limits". `_headers` does not count as a file.
    "cloudflare-pages": Host(
        is_replaced=True,
        next_step="Publish it:    npx wrangler pages deploy {}",
        written_files={"_headers": "hosts/_headers"},
        max_file=25 * 1024 * 1024,
        max_files=20_000,
        reserved=frozenset({"functions", "node_modules"}),
        advice=_ELSEWHERE,
        why_no_fallback="it redirects before it looks for a page, so also names that the index has",
    ),
    # docs.netlify.com has one limit, 54,000 files in a directory. No directory of a tree has more than a few.
    "netlify": Host(
        is_replaced=True,
        next_step="Publish it:    npx netlify deploy --prod --no-build --dir {}",
        written_files={"_headers": "hosts/_headers"},
        why_no_fallback="its rules cannot exclude other spellings of a reserved name, such as Acme_Tool",
    ),
    "nginx": Host(
        next_step="Serve it:      mkindex host nginx --root {}",
        printed_template="hosts/nginx.conf",
        users_file="/etc/nginx/mkindex.htpasswd",
        why_no_json_root=_NEGOTIATES,
    ),
    "apache": Host(
        next_step="Serve it:      mkindex host apache --root {}",
        written_files={".htaccess": "hosts/htaccess"},
        printed_template="hosts/apache.conf",
        users_file="/etc/apache2/mkindex.htpasswd",
        why_no_json_root=_NEGOTIATES,
    ),
    "caddy": Host(
        next_step="Serve it:      mkindex host caddy --root {}",
        printed_template="hosts/Caddyfile",
        users_file="/etc/caddy/mkindex.users",
        why_no_json_root=_NEGOTIATES,
    ),
    # And every other bucket: DEST is the bucket itself.
    "s3": Host(why_no_fallback="its routing rules cannot exclude reserved names"),
}

# A build writes nothing for these, but `mkindex host` prints what they need.
PRINTED = {
    **HOSTS,
    "gitlab-pages": Host(
        printed_template="hosts/gitlab-ci.yml",
        why_no_fallback="its rules cannot exclude other spellings of a reserved name, such as Acme_Tool",
    ),
    "systemd": Host(printed_template="hosts/mkindex.service"),
}
