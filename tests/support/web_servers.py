"""Real web servers, each with its own configuration, independent of the services of this machine.

They list a directory, or use the output of `mkindex host` together with settings that could break it.
"""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from mkindex.site.templates import Templates
from support import http_servers
from support.requirements import skip_or_fail

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import AbstractContextManager

    # Serve a directory; another one is for the files of the server. Yield the address, with a slash at its end.
    WebServer = Callable[[Path, Path], AbstractContextManager[str]]

# Sends ranges, and lists with a table of plain text.
_NGINX = """\
daemon off;
master_process off;
pid {scratch}/nginx.pid;
error_log {scratch}/error.log;
events {{ }}
http {{
    access_log {scratch}/access.log;
    client_body_temp_path {scratch}/body;
    proxy_temp_path {scratch}/proxy;
    fastcgi_temp_path {scratch}/fastcgi;
    uwsgi_temp_path {scratch}/uwsgi;
    scgi_temp_path {scratch}/scgi;
    types {{ text/html html; application/vnd.pypi.simple.v1+json v1_json; }}
    default_type application/octet-stream;
    server {{
        listen 127.0.0.1:{port};
        root {directory};
        autoindex on;
    }}
}}
"""

# Lists with sortable columns, icons, and a link to the parent directory.
_APACHE = """\
ServerName 127.0.0.1
Listen 127.0.0.1:{port}
PidFile {scratch}/apache.pid
ErrorLog {scratch}/error.log
User #65534
Group #65534
LoadModule mpm_event_module {modules}/mod_mpm_event.so
LoadModule authz_core_module {modules}/mod_authz_core.so
LoadModule dir_module {modules}/mod_dir.so
LoadModule mime_module {modules}/mod_mime.so
LoadModule autoindex_module {modules}/mod_autoindex.so
TypesConfig /dev/null
AddType text/html .html
AddType application/x-gzip .gz
DocumentRoot {directory}
<Directory {directory}>
    Options Indexes
    Require all granted
</Directory>
IndexOptions {look}
"""
_MODULES = Path("/usr/lib/apache2/modules")


# The rest of a machine's configuration: temporary files and logs of the test, and settings that could break ours.
_NGINX_SITE = """\
daemon off;
master_process off;
pid {scratch}/nginx.pid;
error_log {scratch}/error.log;
events {{ }}
http {{
    access_log {scratch}/access.log;
    client_body_temp_path {scratch}/body;
    proxy_temp_path {scratch}/proxy;
    fastcgi_temp_path {scratch}/fastcgi;
    uwsgi_temp_path {scratch}/uwsgi;
    scgi_temp_path {scratch}/scgi;
    types {{ text/plain html whl gz zip; application/json v1_json; }}
    default_type text/plain;
    charset koi8-r;
    charset_types *;
    autoindex on;
    index index.htm;
    gzip on;
    gzip_types *;
    gzip_min_length 0;
    gzip_proxied any;
    add_header Cache-Control no-store;
    include {printed};
}}
"""

_APACHE_SITE = """\
ServerName 127.0.0.1
ServerRoot {scratch}
PidFile {scratch}/apache.pid
ErrorLog {scratch}/error.log
CustomLog {scratch}/access.log common
User #65534
Group #65534
{modules}
TypesConfig /dev/null
AddType application/x-gzip .gz .tgz
AddType application/json .v1_json
AddType text/plain .whl .zip .metadata
AddType text/css .css
AddEncoding x-gzip .gz .tgz
AddLanguage en .en
AddCharset ISO-8859-1 .html
AddDefaultCharset ISO-8859-1
AddHandler send-as-is .gz .html
SetOutputFilter BROTLI_COMPRESS;DEFLATE
AddOutputFilterByType DEFLATE text/html text/plain application/octet-stream application/gzip
DirectoryIndex index.htm index
<Directory "/">
    Options Indexes FollowSymLinks MultiViews
    AllowOverride None
    Require all denied
</Directory>
Include {printed}
"""
_APACHE_MODULES = (
    *("mpm_event", "authz_core", "authz_host", "authz_user", "authn_core", "authn_file", "auth_basic", "access_compat"),
    *("alias", "autoindex", "deflate", "filter", "brotli", "dir", "env", "headers", "mime", "negotiation", "setenvif"),
    *("asis", "ssl"),
)

_CADDY_SITE = """\
{{
	admin off
	auto_https disable_redirects
	storage file_system "{scratch}/storage"
}}
import {printed}
"""


@contextmanager
def list_with_nginx(directory: Path, scratch: Path) -> Iterator[str]:
    program = _program("nginx", "nginx-light")
    with run_on_free_port(
        lambda port: [
            program,
            "-c",
            _write_config(scratch, _NGINX.format(scratch=scratch, directory=directory, port=port)),
        ],
        scratch / "error.log",
    ) as url:
        yield url


@contextmanager
def list_with_apache(directory: Path, scratch: Path, look: str = "FancyIndexing HTMLTable") -> Iterator[str]:
    program = _program("apache2", "apache2")

    def command(port: int) -> list[str]:
        text = _APACHE.format(scratch=scratch, directory=directory, port=port, modules=_MODULES, look=look)
        return [program, "-X", "-f", _write_config(scratch, text)]

    with run_on_free_port(command, scratch / "error.log") as url:
        yield url


@contextmanager
def list_with_plain_apache(directory: Path, scratch: Path) -> Iterator[str]:
    """Lists only names."""
    with list_with_apache(directory, scratch, "-FancyIndexing") as url:
        yield url


@contextmanager
def list_with_python(directory: Path, scratch: Path) -> Iterator[str]:
    """Sends no ranges."""
    with http_servers.serve_directory(directory, scratch / "log") as server:
        yield server.url


def _nginx_command(printed: Path, scratch: Path) -> list[str]:
    text = _NGINX_SITE.format(scratch=scratch, printed=printed)
    return [_program("nginx", "nginx-light"), "-e", f"{scratch}/error.log", "-c", _write_config(scratch, text)]


def _apache_command(printed: Path, scratch: Path) -> list[str]:
    modules = "\n".join(f"LoadModule {name}_module {_MODULES}/mod_{name}.so" for name in _APACHE_MODULES)
    text = _APACHE_SITE.format(scratch=scratch, modules=modules, printed=printed)
    return [_program("apache2", "apache2-bin"), "-X", "-f", _write_config(scratch, text)]


def _caddy_command(printed: Path, scratch: Path) -> list[str]:
    program = _program("caddy", "caddy")
    config = _write_config(scratch, _CADDY_SITE.format(scratch=scratch, printed=printed))
    return [program, "run", "--config", config, "--adapter", "caddyfile"]


_COMMANDS = {"nginx": _nginx_command, "apache": _apache_command, "caddy": _caddy_command}
HOSTS = tuple(_COMMANDS)


@contextmanager
def serve_printed_config(
    server: str,
    tree: Path,
    scratch: Path,
    url: str = "http://127.0.0.1/",
    *options: str | Path,
    edit: Callable[[str, int], str] = lambda printed, _: printed,
) -> Iterator[str]:
    """Serve a tree with what `mkindex host` prints; yield `url` with the port that it got, a slash at its end.

    `edit` changes the printed configuration for a port before it is used.
    """
    scheme, _, rest = url.partition("://")
    host, _, path = rest.partition("/")

    def command(port: int) -> list[str]:
        at = f"{scheme}://{host}:{port}/{path}"
        asked = [sys.executable, "-m", "mkindex", "host", server, "--root", tree, "--url", at, *options]
        text = subprocess.run(asked, check=True, capture_output=True, text=True, timeout=60).stdout
        printed = scratch / "printed.conf"
        printed.write_text(edit(text, port))
        return _COMMANDS[server](printed, scratch)

    scratch.mkdir(exist_ok=True)
    with run_on_free_port(command, scratch / "error.log") as found:
        port = found.rpartition(":")[2].strip("/")
        yield f"{scheme}://{host}:{port}/{path}".rstrip("/") + "/"


def validate_config(server: str, printed: str, scratch: Path) -> str:
    """Return the output of a server that tests a configuration. Raises CalledProcessError if it is rejected."""
    scratch.mkdir(exist_ok=True)
    (scratch / "printed.conf").write_text(printed)
    command = _COMMANDS[server](scratch / "printed.conf", scratch)
    look = {"nginx": [*command, "-t"], "apache": [*command[:1], "-t", *command[2:]]}
    look["caddy"] = [command[0], "validate", *command[2:]]
    done = subprocess.run(look[server], check=True, capture_output=True, text=True, timeout=60)
    return done.stdout + done.stderr


@contextmanager
def serve_with_htaccess(tree: Path, scratch: Path) -> Iterator[str]:
    """Serve a tree below a path with an Apache that is configured only by the .htaccess in it."""

    def command(port: int) -> list[str]:
        allowed = "AllowOverride FileInfo Indexes Options=Indexes,MultiViews\nRequire all granted"
        (scratch / "site.conf").write_text(
            f'Listen 127.0.0.1:{port}\nAlias /some/where "{tree}"\n<Directory "{tree}">\n{allowed}\n</Directory>\n'
        )
        return _apache_command(scratch / "site.conf", scratch)

    scratch.mkdir(exist_ok=True)
    (tree / ".htaccess").write_bytes(Templates().render("hosts/htaccess"))
    with run_on_free_port(command, scratch / "error.log") as url:
        yield f"{url}some/where/"


WEB_SERVERS: dict[str, WebServer] = {
    "python": list_with_python,
    "nginx": list_with_nginx,
    "apache": list_with_apache,
    "apache, plainly": list_with_plain_apache,
}


def _program(name: str, package: str) -> str:
    found = shutil.which(name, path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin")
    return found or skip_or_fail(f"{name}: apt-get install {package}")


def _write_config(scratch: Path, text: str) -> str:
    path = scratch / "server.conf"
    path.write_text(text)
    return str(path)


@contextmanager
def run_on_free_port(command: Callable[[int], Sequence[str]], log: Path, *, patience: float = 20) -> Iterator[str]:
    """Run a server on a free port; yield its address when it answers."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with subprocess.Popen(command(port), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        try:
            deadline = time.monotonic() + patience
            while not _answers(port):
                if process.poll() is not None or time.monotonic() > deadline:
                    process.kill()
                    said = process.stderr.read() if process.stderr else ""
                    raise AssertionError(f"{command(port)} says {said} {log.read_text() if log.exists() else ''}")
                time.sleep(0.02)
            yield f"http://127.0.0.1:{port}/"
        finally:
            process.kill()


def _answers(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1):
            return True
    except OSError:
        return False
