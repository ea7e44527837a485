"""The command `host`."""

import os

import click

from mkindex.cli.terminal import DONE, reader_may_leave
from mkindex.errors import ConfigError, printable
from mkindex.hosting import SERVERS, Hosting

# Hosts that are configured by files in the tree.
_BY_TREE = ("github-pages", "cloudflare-pages", "netlify", "s3")


@click.command(
    context_settings={
        "auto_envvar_prefix": "MKINDEX",
        "help_option_names": ["-h", "--help"],
        "max_content_width": 100,
    },
    epilog="""\b
Examples:
  mkindex host nginx --root ./public --url http://packages.example.com/
  mkindex host apache --root /srv/index --url https://example.com/pypi/ --auth
                                               below a path, over https, for who has a password
  mkindex host caddy --root /srv/index --url https://packages.example.com/ > /etc/caddy/Caddyfile
  mkindex host nginx --url https://packages.lan/ --certificate /etc/ssl/lan.pem --key /etc/ssl/lan.key
                                               with a certificate of your own

\b
Then prove it: mkindex check URL. In docs/hosting there is a page for each host.""",
)
@click.argument("name", metavar="NAME", type=click.Choice([*SERVERS, *_BY_TREE]))
@click.option(
    "--root", metavar="DIR", default="/srv/index", show_default=True, help="Where the tree is on that server."
)
@click.option(
    "--url",
    metavar="URL",
    default="http://localhost/",
    show_default=True,
    help="Where the tree is to be reached: scheme, host, perhaps port and path. At an address like 127.0.0.1, by this "
    "machine only.",
)
@click.option("--auth", is_flag=True, help="Ask for user and password (basic authentication).")
@click.option(
    "--users",
    metavar="FILE",
    help="With --auth: who may read. The comment on top says how to make it.  [default: mkindex.htpasswd, for caddy "
    "mkindex.users, where the server has its configuration]",
)
@click.option("--certificate", metavar="FILE", help="For https.  [default: certbot's; caddy gets one by itself]")
@click.option("--key", metavar="FILE", help="The key of the certificate.")
@click.option("--templates", type=click.Path(), metavar="DIR", help="Take DIR/hosts/… where it is there.")
def host(
    name: str,
    *,
    root: str,
    url: str,
    auth: bool,
    users: str | None,
    certificate: str | None,
    key: str | None,
    templates: str | None,
) -> int:
    """Print the configuration of a web server that serves an index as clients want it.

    NAME is nginx, apache or caddy. What is printed is complete: JSON or HTML as a client asks, pages cached for a
    minute and files for ever, sdists as they are, nothing hidden shown. A comment on top says where it goes.
    """
    from pathlib import Path

    from mkindex.destinations.directory import OWN
    from mkindex.destinations.manifest import index_roots
    from mkindex.templating import Templates

    if name in _BY_TREE:
        raise ConfigError(f"{name} is configured by what a build writes for it: mkindex SOURCE DEST --for {name}")
    if users is not None and not auth:
        raise ConfigError("users goes with auth: without it everybody may read")
    if templates is not None and not os.path.isdir(templates):
        raise ConfigError(f"templates {printable(templates)} is no directory")
    server, root = SERVERS[name], root and os.path.abspath(root)
    hosting = Hosting(
        root=root,
        url=url,
        users=(users or server.users) if auth else None,
        certificate=certificate,
        key=key,
        # The tree may be on another machine, and need not be there yet.
        simple=next(iter(index_roots(os.path.join(root, OWN, "manifest"))), "simple/"),
    )
    if auth and hosting.scheme == "http" and hosting.leaves_the_machine:
        text = "over http everybody between can read the passwords: give a url that begins with https://"
        click.echo(f"{click.style('warning', fg='red', bold=True)} {hosting.origin}: {text}", err=True)
    with reader_may_leave():
        click.echo(hosting.configuration(server, Templates(Path(templates) if templates else None)), nl=False)
    return DONE
