"""The command `host`."""

import os
from typing import Any

import click
from click.core import ParameterSource

from mkindex.cli.fallback import fallback_of, fallback_options
from mkindex.cli.options import CONTEXT_SETTINGS, Command, click_option
from mkindex.cli.terminal import DONE, print_warning, reader_may_leave
from mkindex.config.table import BY_NAME
from mkindex.errors import ConfigError
from mkindex.hosts.table import HOSTS, PRINTED, Host
from mkindex.options import InvalidOption
from mkindex.text import printable

_SYSTEMD = "systemd"
_OF_SERVERS = ("root", "url", "auth", "users", "certificate", "key", "listen", "fallback", "reserve")


@click.command(
    cls=Command,
    context_settings=CONTEXT_SETTINGS,
    epilog="""\b
Examples:
  mkindex host nginx --root ./public --url http://packages.example.com/
  mkindex host apache --root /srv/index --url https://example.com/pypi/ --auth
                                               below a path, with https and passwords
  mkindex host caddy --root /srv/index --url https://packages.example.com/ > /etc/caddy/Caddyfile
  mkindex host nginx --url https://packages.lan/ --certificate /etc/ssl/lan.pem --key /etc/ssl/lan.key
                                               with your own certificate
  mkindex host github-pages > .github/workflows/index.yml
  mkindex host systemd --root /srv/index > /etc/systemd/system/mkindex.service

\b
Then check the result: mkindex check URL. docs/hosting has a page for each host.""",
)
@click.argument("name", metavar="NAME", type=click.Choice(list(PRINTED)))
@click.option(
    "--root", metavar="DIR", default="/srv/index", show_default=True, help="Directory of the tree on the server."
)
@click_option(BY_NAME["url"], default="http://localhost/", group="")
@click.option("--auth", is_flag=True, help="Require a user name and password (basic authentication).")
@click.option(
    "--users",
    metavar="FILE",
    help="With --auth: file of users and passwords on the server. The comment at the top of the output shows how to "
    "make it.  [default: mkindex.htpasswd or, for caddy, mkindex.users, beside the server's configuration]",
)
@click.option(
    "--certificate",
    metavar="FILE",
    help="Certificate for https.  [default: the one from certbot; caddy gets one itself]",
)
@click.option("--key", metavar="FILE", help="Private key of the certificate.")
@click.option(
    "--listen",
    metavar="ADDRESS",
    help="IP address to listen on; 0.0.0.0 for all addresses.  [default: only this machine if the host of --url is "
    "localhost or a loopback address, otherwise all addresses]",
)
@fallback_options
@click_option(BY_NAME["templates"], group="")
@click.pass_context
def host(ctx: click.Context, /, name: str, *, templates: str | None, **options: Any) -> int:  # noqa: ANN401
    """Print the configuration with which a web server serves an index as clients expect it.

    NAME is nginx, apache or caddy. The output is complete: JSON or HTML as the client prefers, pages cached for one
    minute and files forever, sdists sent without changes, hidden files not served. A comment at the top says where to
    put it. If the host of --url is localhost or an address such as 127.0.0.1, only this machine can connect, unless
    --listen gives another address.

    For github-pages and gitlab-pages, the output is the workflow that builds and deploys the index. For systemd, it is
    the unit of a service that builds the index in --root whenever a wheel changes, with few permissions. Other hosts
    are configured by files that a build with --for NAME writes.
    """
    from pathlib import Path

    from mkindex.hosts.server_config import ServerConfig
    from mkindex.site.templates import Templates

    if templates is not None and not os.path.isdir(templates):
        raise InvalidOption("templates", "{path}: not a directory", path=printable(templates))
    wanted = PRINTED[name]
    _check_use(ctx, name, wanted)
    values: dict[str, Any] = {}
    if wanted.users_file is not None:
        values["hosting"] = _server_config(wanted.users_file, **options)
    elif name == _SYSTEMD:
        values["hosting"] = ServerConfig(root=os.path.abspath(options["root"]), url=options["url"])
    with reader_may_leave():
        text = Templates(Path(templates) if templates else None).render(wanted.printed_template or "", **values)
        click.echo(text.decode(), nl=False)
    return DONE


def _check_use(ctx: click.Context, name: str, host: Host) -> None:
    """Raise ConfigError if nothing can be printed for a host, or if options do not apply to it."""
    typed = [one for one in _OF_SERVERS if ctx.get_parameter_source(one) is ParameterSource.COMMANDLINE]
    if host.why_no_fallback and {"fallback", "reserve"} & {*typed}:
        able = ", ".join(other for other, one in HOSTS.items() if one.users_file)
        raise ConfigError(f"--fallback: not safe on {name}: {host.why_no_fallback}. It is on your own server: {able}")
    unused = [one for one in typed if not (name == _SYSTEMD and one == "root")] if host.users_file is None else []
    if unused:
        flags = ", ".join(f"--{one}" for one in unused)
        raise ConfigError(f"{flags}: not used for {name}, which is not a server of your own")
    if name == "s3":
        raise ConfigError("s3 needs no configuration: mkindex SOURCE s3://BUCKET/PREFIX (see docs/hosting/s3.md)")
    if host.printed_template is None:
        raise ConfigError(
            f"{name} is configured by files that a build writes: mkindex SOURCE DEST --for {name} "
            f"(see docs/hosting/{name}.md)"
        )


def _server_config(
    usual_users: str,
    *,
    root: str,
    url: str,
    auth: bool,
    users: str | None,
    fallback: str | None,
    reserve: tuple[str, ...],
    **values: str | None,
) -> object:
    """Return the values for the template of a server. Print a warning for what others on the network could use."""
    from mkindex.hosts.server_config import ServerConfig
    from mkindex.tree.layout import read_layout
    from mkindex.tree.names import MANIFEST

    if users is not None and not auth:
        raise InvalidOption("users", "requires {auth}: without it everybody can read the index")
    root = root and os.path.abspath(root)
    # The tree may be on another machine, or not exist yet. Its index is then assumed to be in simple/.
    layout = read_layout(os.path.join(root, MANIFEST))
    config = ServerConfig(
        root=root,
        url=url,
        users=(users or usual_users) if auth else None,
        certificate=values["certificate"],
        key=values["key"],
        listen=values["listen"],
        simple=layout.main,
        fallback=fallback_of(layout, fallback, reserve),
    )
    if auth and config.scheme == "http" and config.is_public:
        text = "http sends passwords in clear text: use a --url that begins with https://"
        print_warning(f"{config.origin}: {text}")
    return config
