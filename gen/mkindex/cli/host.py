"""The command `host`."""

import os

import click
from click.core import ParameterSource

from mkindex.cli.terminal import DONE, reader_may_leave
from mkindex.errors import ConfigError
from mkindex.hosts.table import HOSTS
from mkindex.text import printable

_OF_SERVERS = ("root", "url", "auth", "users", "certificate", "key")


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

  mkindex host github-pages > .github/workflows/index.yml

\b
Then prove it: mkindex check URL. In docs/hosting there is a page for each host.""",
)
@click.argument("name", metavar="NAME", type=click.Choice(list(HOSTS)))
@click.option(
    "--root", metavar="DIR", default="/srv/index", show_default=True, help="Where the tree is on that server."
)
@click.option(
    "--url",
    metavar="URL",
    default="http://localhost/",
    show_default=True,
    help="Where the tree is to be reached: scheme, host, perhaps port and path. At localhost, or an address like "
    "127.0.0.1, by this machine only.",
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
@click.pass_context
def host(
    ctx: click.Context,
    /,
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

    Of github-pages it is the workflow that builds and deploys. Other hosts are configured by what a build with
    --for NAME writes.
    """
    from pathlib import Path

    from mkindex.hosts.server_config import ServerConfig
    from mkindex.site.templates import Templates
    from mkindex.tree.manifest import index_roots
    from mkindex.tree.names import MANIFEST, STATE_DIRECTORY

    if templates is not None and not os.path.isdir(templates):
        raise ConfigError(f"templates {printable(templates)} is no directory")
    shipped = Templates(Path(templates) if templates else None)
    wanted = HOSTS[name]
    told = [one for one in _OF_SERVERS if ctx.get_parameter_source(one) is ParameterSource.COMMANDLINE]
    if wanted.users_file is None and told:
        raise ConfigError(f"{', '.join(told)}: for a server of your own, and {name} is none. Leave it out")
    if wanted.printed_template is None:
        raise ConfigError(
            f"{name} is configured by what a build writes for it: mkindex SOURCE DEST --for {name} "
            f"(docs/hosting/{name}.md)"
        )
    if wanted.users_file is None:
        with reader_may_leave():
            click.echo(shipped.render(wanted.printed_template), nl=False)
        return DONE
    if users is not None and not auth:
        raise ConfigError("users goes with auth: without it everybody may read")
    root = root and os.path.abspath(root)
    hosting = ServerConfig(
        root=root,
        url=url,
        users=(users or wanted.users_file) if auth else None,
        certificate=certificate,
        key=key,
        # The tree may be on another machine, and need not be there yet.
        simple=next(iter(index_roots(os.path.join(root, STATE_DIRECTORY, MANIFEST))), "simple/"),
    )
    if auth and hosting.scheme == "http" and hosting.leaves_the_machine:
        text = "over http everybody between can read the passwords: give a url that begins with https://"
        click.echo(f"{click.style('warning', fg='red', bold=True)} {hosting.origin}: {text}", err=True)
    with reader_may_leave():
        click.echo(shipped.render(wanted.printed_template, hosting=hosting).decode(), nl=False)
    return DONE
