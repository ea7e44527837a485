"""A check names the host whose answers it recognizes, and prints what to change there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
import pytest

from mkindex.check.engine import CheckOptions, check
from mkindex.check.judge import rules_by_name
from mkindex.hosts.recognize import HOSTS, recognize_host
from mkindex.reports.check import as_json, lines
from support.builds import publish
from support.index_copy import build_good_index
from support.index_server import Reply, serve_index

if TYPE_CHECKING:
    from pathlib import Path

    from mkindex.check.report import CheckReport

CDN = {"server": "AmazonS3", "via": "1.1 0a1b.cloudfront.net (CloudFront)", "x-amz-cf-id": "x"}


@pytest.mark.parametrize(
    ("domain", "headers", "name"),
    [
        ("h.example", {"server": "nginx/1.22.1"}, "nginx"),
        ("h.example", {"server": "openresty"}, "nginx"),
        ("h.example", {"server": "Apache/2.4.71 (Debian)"}, "Apache"),
        ("h.example", {"server": "Caddy"}, "Caddy"),
        ("h.example", {"server": "SimpleHTTP/0.6 Python/3.13.1"}, "python -m http.server"),
        ("h.example", {"server": "mkindex/0.2.0"}, "mkindex serve"),
        ("h.example", {"server": "GitHub.com", "via": "1.1 varnish"}, "GitHub Pages"),
        ("me.GitHub.io", {"server": "cloudflare"}, "GitHub Pages"),
        ("h.example", {"server": "Netlify"}, "Netlify"),
        ("x.pages.dev", {"server": "cloudflare", "cf-ray": "1"}, "Cloudflare Pages"),
        ("h.example", {"server": "cloudflare", "cf-ray": "1"}, "Cloudflare"),
        ("h.example", {"server": "AmazonS3"}, "S3"),
        ("h.example", CDN, "CloudFront"),
        ("h.example", {"server": "UploadServer", "x-goog-generation": "1"}, "Google Cloud Storage"),
        ("h.example", {"server": "Windows-Azure-Web/1.0 Microsoft-HTTPAPI/2.0"}, "Azure Storage"),
        ("me.gitlab.io", {}, "GitLab Pages"),
        ("me.codeberg.page", {}, "Codeberg Pages"),
        ("h.example", {"server": "gunicorn"}, None),
        ("h.example", {}, None),
        ("notgithub.io.example", {"x-powered-by": "nginx"}, None),
    ],
)
def test_a_host_is_known_by_its_headers_or_its_domain(domain: str, headers: dict[str, str], name: str | None) -> None:
    found = recognize_host(domain, [{}, headers])
    assert (found and found.name) == name


def test_what_s3_cannot_do_leads_to_cloudfront() -> None:
    s3 = next(host for host in HOSTS if host.name == "S3")
    section = "docs/hosting/s3.md#cloudfront-with-json-at-the-same-address"
    assert [section in "".join(s3.changes[rule].lines) for rule in ("no-redirect", "no-json")] == [True, True]


def test_changes_are_for_rules_and_have_lines() -> None:
    rules = rules_by_name()
    changes = [(host.name, rule, change) for host in HOSTS for rule, change in host.changes.items()]
    assert [(name, rule) for name, rule, change in changes if rule not in rules or not all(change)] == []
    assert all(line.isprintable() for _, _, change in changes for line in change.lines)


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_good_index(tmp_path_factory.mktemp("hosting"))


def checked(tree: Path, server: str) -> CheckReport:
    """Check a server of this name that sends no Cache-Control, and 403 for what it does not have."""

    def fault(_: str, reply: Reply) -> Reply:
        return (Reply(403) if reply.status == 404 else reply).with_headers(server=server, cache_control=None)

    with serve_index(tree) as index:
        index.faults.append(fault)
        return check(CheckOptions(target=f"{index.url}simple/"))


def test_a_report_prints_the_lines_to_change_on_the_host(good: Path) -> None:
    report = checked(good, "nginx/1.27")
    text = [click.unstyle(line) for line in lines(report, verbose=False, quiet=False)]
    at = text.index("    nginx: in location /simple/")
    assert text[at - 1].startswith("    fix: ")
    assert text[at + 1] == "        try_files $uri $uri/ =404;  # instead of a last part such as /index.html"
    assert '        add_header Cache-Control "max-age=60, must-revalidate" always;' in text
    assert text[-2] == "nginx: mkindex host nginx --url URL prints the whole configuration"
    document = as_json(report)
    assert document["hosting"] == "nginx"
    assert [(one["rule"], one["change"]["where"]) for one in document["findings"] if one["change"]] == [
        ("unknown-project", "location /simple/"),
        ("page-cache", "location /simple/"),
        ("file-cache", "location /files/"),
    ]


def test_an_unknown_host_has_only_general_advice(good: Path) -> None:
    report = checked(good, "gunicorn")
    assert [one["change"] for one in as_json(report)["findings"]] == [None] * len(report.findings)
    assert (as_json(report)["hosting"], len(report.findings) > 1) == (None, True)


def test_the_host_of_pages_is_not_taken_for_that_of_files(good: Path, tmp_path: Path) -> None:
    with serve_index(good) as files:
        files.faults.append(lambda _, reply: reply.with_headers(cache_control=None))
        wheels = next(path.parent for path in good.rglob("*.whl"))
        publish(wheels, tmp_path / "public", files_url=f"{files.url}{wheels.relative_to(good)}")
        report = checked(tmp_path / "public", "Apache")
    changes = {one["rule"]: one["change"] for one in as_json(report)["findings"]}
    assert (changes["file-cache"], changes["page-cache"]["lines"]) == (
        None,
        ['Header set Cache-Control "max-age=60, must-revalidate"'],
    )
