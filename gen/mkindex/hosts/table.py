"""The hosts that a tree can go to: what each needs in the tree, what it refuses, and the next step after a build."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True, slots=True)
class Host:
    """What a tree has to respect on one host."""

    next: str | None = None  # the next step, as a line of the report with {} for DEST; None: serve it from here
    writes: Mapping[str, str] = field(default_factory=dict)  # templates by the path of the file in the tree
    prints: str | None = None  # the template that `mkindex host` prints; None if the files in the tree are enough
    users: str | None = None  # the usual password file of a server of your own
    once: str | None = None  # a warning for whoever publishes there, shown with the first build
    max_file: int | None = None  # bytes
    max_bytes: int | None = None  # of all files together
    max_files: int | None = None  # pages included
    reserved: frozenset[str] = frozenset()  # names at the root of a tree that the host uses for something else
    way_out: str = ""  # advice for a tree that is too large
    one_root: str | None = None  # why a second root for JSON is of no use; None if it is of use

    @property
    def refuses(self) -> bool:
        """Whether some trees exceed its limits."""
        return bool(self.max_file or self.max_bytes or self.max_files or self.reserved)


_NEGOTIATES = "it sends clients JSON or HTML, as they prefer, from one root"
_ELSEWHERE = (
    "Put the wheels where there is room, such as a bucket or a GitHub Release, and link to them there: "
    "mkindex WHEELS DEST --files-url https://…"
)

HOSTS = {
    # docs.github.com: GitHub Pages limits (the site), About large files on GitHub (a file, in a branch).
    "github-pages": Host(
        prints="hosts/workflow.yml",
        next="Publish it:    with the workflow that `mkindex host github-pages` prints",
        once="a GitHub Pages site is public, even if its repository is private. Only with GitHub Enterprise Cloud can "
        "its access be restricted, in the settings of the repository",
        max_file=100_000_000,
        max_bytes=1_000_000_000,
        way_out=_ELSEWHERE,
        one_root="it derives the type of a page from its name, so index.html cannot be JSON",
    ),
    # developers.cloudflare.com: Pages, Limits. `_headers` does not count as a file.
    "cloudflare-pages": Host(
        next="Publish it:    npx wrangler pages deploy {}",
        writes={"_headers": "hosts/_headers"},
        max_file=25 * 1024 * 1024,
        max_files=20_000,
        reserved=frozenset({"functions", "node_modules"}),
        way_out=_ELSEWHERE,
    ),
    # docs.netlify.com has one limit, 54,000 files in a directory. Directories of a tree have a few each.
    "netlify": Host(
        next="Publish it:    npx netlify deploy --prod --no-build --dir {}", writes={"_headers": "hosts/_headers"}
    ),
    "nginx": Host(
        next="Serve it:      mkindex host nginx --root {}",
        prints="hosts/nginx.conf",
        users="/etc/nginx/mkindex.htpasswd",
        one_root=_NEGOTIATES,
    ),
    "apache": Host(
        prints="hosts/apache.conf",
        users="/etc/apache2/mkindex.htpasswd",
        next="Serve it:      mkindex host apache --root {}",
        writes={".htaccess": "hosts/htaccess"},
        one_root=_NEGOTIATES,
    ),
    "caddy": Host(
        next="Serve it:      mkindex host caddy --root {}",
        prints="hosts/Caddyfile",
        users="/etc/caddy/mkindex.users",
        one_root=_NEGOTIATES,
    ),
    "s3": Host(
        next="Publish it:    sh {}/upload.sh s3://BUCKET",
        writes={"upload.sh": "hosts/upload.sh"},
        reserved=frozenset({"files"}),
    ),
}
