"""Where a tree can go: what each host needs in it, what it does not take, and what comes after a build."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True, slots=True)
class Host:
    """A host, as far as a tree that is made for it depends on it."""

    next: str | None = None  # what to do with the tree, {} being DEST, as the line of a report; None: try it here
    writes: Mapping[str, str] = field(default_factory=dict)  # paths in the tree, each with the template it is made from
    prints: str | None = None  # the template that `mkindex host` prints; None: what is in the tree is all
    users: str | None = None  # of a server of one's own: the file of those who may read, if nobody says otherwise
    notice: str | None = None  # what whoever publishes there has to know; said once
    max_file: int | None = None  # bytes
    max_bytes: int | None = None  # in all
    max_files: int | None = None  # pages and all
    reserved: frozenset[str] = frozenset()  # what it takes for something else at the top of a tree
    way_out: str = ""  # what to do about a tree that is too large
    one_root: str | None = None  # why a second root of JSON makes no sense; None: a page has its type by path

    @property
    def refuses(self) -> bool:
        """Whether there are trees that it does not take."""
        return bool(self.max_file or self.max_bytes or self.max_files or self.reserved)


_NEGOTIATES = "it gives clients JSON or HTML, whichever they prefer, at the one root"
_ELSEWHERE = (
    "Put the wheels where there is room, into a bucket or on a Release, and name them there: "
    "mkindex WHEELS DEST --files-url https://…"
)

HOSTS = {
    # docs.github.com: GitHub Pages limits (the site), About large files on GitHub (a file, in a branch).
    "github-pages": Host(
        prints="hosts/workflow.yml",
        next="Publish it:    by a workflow, which `mkindex host github-pages` prints",
        notice="a site on GitHub Pages is public, even that of a private repository, unless the plan is Enterprise "
        "Cloud and access to the site is restricted in the settings of the repository",
        max_file=100_000_000,
        max_bytes=1_000_000_000,
        way_out=_ELSEWHERE,
        one_root="it takes the type of a page from its name, so that index.html is never JSON there",
    ),
    # developers.cloudflare.com: Pages, Limits. What `_headers` says is no file that counts.
    "cloudflare-pages": Host(
        next="Publish it:    npx wrangler pages deploy {}",
        writes={"_headers": "hosts/_headers"},
        max_file=25 * 1024 * 1024,
        max_files=20_000,
        reserved=frozenset({"functions", "node_modules"}),
        way_out=_ELSEWHERE,
    ),
    # docs.netlify.com names one limit, 54,000 files in a directory, and here none has more than a few.
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
