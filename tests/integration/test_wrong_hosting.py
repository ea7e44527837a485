"""Servers with wrong configurations: with the lines that a check prints for them, the check finds nothing any more."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from mkindex.check.engine import CheckOptions, check
from mkindex.check.findings import NOTE
from support.builds import publish
from support.web_servers import serve_printed_config
from support.wheels import write_sdist, write_wheel

if TYPE_CHECKING:
    from collections.abc import Iterator

# What is where that a check names: nothing yet, or what the lines replace.
NGINX = """\
server {{
    listen 127.0.0.1:{port};
    root {tree};
    add_header Cache-Control "max-age=7200";
    index index.html;
    autoindex off;
    location /simple/ {{
        {simple}
    }}
    location /files/ {{
        {files}
    }}
}}
"""
APACHE = """\
Listen 127.0.0.1:{port}
<VirtualHost 127.0.0.1:{port}>
    DocumentRoot {tree}
    <Directory {tree}>
        Require all granted
        SetHandler default-handler
        SetEnv no-gzip 1
        SetEnv no-brotli 1
        AddType text/plain .html
        DirectoryIndex index.html
        FallbackResource /index.html
        Header set Cache-Control "max-age=7200"
        {everywhere}
    </Directory>
    <Directory {tree}/simple>
        {simple}
    </Directory>
    <Directory {tree}/files>
        {files}
    </Directory>
</VirtualHost>
"""
CADDY = """\
http://127.0.0.1:{port} {{
	route {{
		root * {tree}
		{unknown}
		header Cache-Control "max-age=7200"
		{site}
		file_server
	}}
}}
"""
TEXTS = {"nginx": NGINX, "apache": APACHE, "caddy": CADDY}
BROKEN = {
    "nginx": {"content-type", "page-cache", "unknown-project"},
    "apache": {"content-type", "content-encoding", "page-cache"},
    "caddy": {"page-cache", "unknown-project"},
}
PLACES = {
    "location /simple/": "simple",
    "location /files/": "files",
    "<Directory> or .htaccess": "everywhere",
    "<Directory> or .htaccess of simple/": "simple",
    "<Directory> or .htaccess of files/": "files",
    "the site, before file_server": "site",
    "the site": "unknown",
}


@pytest.fixture
def tree(tmp_path: Path) -> Iterator[Path]:
    """An index that every user may read, because Apache gives up the rights of root."""
    source = tmp_path / "source"
    source.mkdir()
    write_wheel(source, "demo", "1.0")
    write_sdist(source, "demo", "1.0")
    with tempfile.TemporaryDirectory(prefix="mkindex-") as directory:
        Path(directory).chmod(0o755)
        publish(source, Path(directory) / "tree")
        yield Path(directory) / "tree"


@pytest.mark.parametrize("server", TEXTS)
def test_with_the_printed_lines_a_check_finds_nothing(server: str, tree: Path, tmp_path: Path) -> None:
    lines = dict.fromkeys(PLACES.values(), "")
    if server == "nginx":
        lines["simple"] = "try_files $uri $uri/ /index.html;"
    if server == "caddy":
        lines["unknown"] = "try_files {path} {path}/index.html /index.html"

    def configuration(_: str, port: int) -> str:
        return TEXTS[server].format(port=port, tree=tree, **lines)

    found = []
    for number in range(4):
        with serve_printed_config(server, tree, tmp_path / f"scratch-{number}", edit=configuration) as base:
            report = check(CheckOptions(target=f"{base}simple/", ignore=("no-json", "no-redirect")))
        found.append({one.rule.name for one in report.findings if one.rule.severity != NOTE or number})
        assert report.hosting
        for rule, change in report.hosting.changes.items():
            if rule not in {one.rule.name for one in report.findings}:
                continue
            place = PLACES[change.where]
            kept = [line for line in lines[place].splitlines() if rule != "unknown-project" or "try_files" not in line]
            added = () if change.lines[0].startswith("remove") else change.lines
            lines[place] = "\n".join([*kept, *added])
    assert BROKEN[server] <= set().union(*found)
    assert found[-1] == set()
