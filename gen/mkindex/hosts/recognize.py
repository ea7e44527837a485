"""Recognize the host of an index by the headers of its answers, and say what to change there.

A change is for a rule of `mkindex check` that an index breaks because of how it is hosted.
"""

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from mkindex.hosts.caching import FILE_CACHING, PAGE_CACHING

_JSON = "application/vnd.pypi.simple.v1+json"


class Change(NamedTuple):
    """What to change on a host."""

    where: str  # in which file, block or setting
    lines: tuple[str, ...]


class KnownHost(NamedTuple):
    """A host that can be recognized."""

    name: str  # for people
    headers: Mapping[str, str] = {}  # regular expressions by header; if any of them matches, it is this host
    domain: str = ""  # the end of its host names
    changes: Mapping[str, Change] = {}  # by the name of a rule
    advice: str = ""  # how to set everything right at once


def _headers_file(command: str) -> dict[str, Change]:
    """Return the changes for hosts that read `_headers` at the root of the site."""
    where = "_headers, at the root of the site"
    return {
        "content-type": Change(where, ("/simple/*/index.v1_json", f"  Content-Type: {_JSON}")),
        "content-encoding": Change(where, ("/files/*", "  Content-Type: application/octet-stream")),
        "page-cache": Change(where, ("/simple/*", f"  Cache-Control: {PAGE_CACHING}")),
        "file-cache": Change(where, ("/files/*", f"  Cache-Control: {FILE_CACHING}")),
        "unknown-project": Change(
            "the site", ("add 404.html at its root; remove a rule of _redirects such as /* /index.html 200",)
        ),
        "no-json": Change("the build", (f"mkindex SOURCE DEST --for {command} --json-root simple-json",)),
    }


def _bucket(address: str) -> Change:
    """Return the change for objects that something else than mkindex uploaded."""
    return Change("the bucket: publish to it", (f"mkindex SOURCE {address}/PREFIX --overwrite",))


_S3_READERS = '{"Effect": "Allow", "Principal": "*", "Action": "s3:ListBucket", "Resource": "arn:aws:s3:::BUCKET"}'

_S3_FUNCTION = "add the function in docs/hosting/s3.md#cloudfront-with-json-at-the-same-address at viewer request"

# The first one that matches is named: what is in front of another host comes first.
HOSTS = (
    KnownHost(
        "GitHub Pages",
        {"server": "GitHub.com"},
        ".github.io",
        {
            "no-json": Change("the build", ("mkindex SOURCE DEST --for github-pages --json-root simple-json",)),
            "unknown-project": Change("the site", ("add 404.html at its root, as mkindex does",)),
            "no-index-document": Change("the site", ("add .nojekyll at its root, as mkindex does",)),
        },
        "docs/hosting/github-pages.md says what GitHub Pages can do",
    ),
    KnownHost(
        "Netlify",
        {"server": "Netlify", "x-nf-request-id": "."},
        ".netlify.app",
        _headers_file("netlify"),
        "mkindex SOURCE DEST --for netlify writes _headers",
    ),
    KnownHost(
        "Cloudflare Pages",
        domain=".pages.dev",
        changes=_headers_file("cloudflare-pages"),
        advice="mkindex SOURCE DEST --for cloudflare-pages writes _headers",
    ),
    KnownHost(
        "GitLab Pages",
        {"gitlab-sv": "."},
        ".gitlab.io",
        {"unknown-project": Change("the site", ("add 404.html at its root, as mkindex does",))},
        "docs/hosting/gitlab-pages.md says what GitLab Pages can do",
    ),
    KnownHost(
        "Codeberg Pages",
        {"server": "pages-server"},
        ".codeberg.page",
        {"unknown-project": Change("the site", ("add 404.html at its root, as mkindex does",))},
        "docs/hosting/codeberg-pages.md says what Codeberg Pages can do",
    ),
    KnownHost(
        "CloudFront",
        {"via": r"\(CloudFront\)", "x-amz-cf-id": "."},
        ".cloudfront.net",
        {
            "content-encoding": Change("the cache behavior of files/*", ("Compress objects automatically: No",)),
            "page-cache": Change(
                "the cache policy of simple/*", ("Minimum TTL: 0, Default TTL: 60, Maximum TTL: 600",)
            ),
            "no-vary": Change("the cache policy of simple/*", ("Headers: Include the following headers: Accept",)),
            "unknown-project": Change(
                "the policy of the bucket, and no custom error response that answers 200", (_S3_READERS,)
            ),
            "no-json": Change("the distribution", (_S3_FUNCTION,)),
            "no-redirect": Change("the distribution", (_S3_FUNCTION,)),
        },
        "docs/hosting/s3.md has the settings of CloudFront",
    ),
    KnownHost(
        "Cloudflare",
        {"server": "cloudflare", "cf-ray": "."},
        changes={
            "content-encoding": Change("Rules, Compression Rules, for /files/*", ("No compression",)),
            "page-cache": Change("Rules, Cache Rules, for /simple/*", ("Browser TTL: Respect origin TTL",)),
            "no-vary": Change("Rules, Cache Rules, for /simple/*", ("Bypass cache",)),
            "unstable": Change("Rules, Cache Rules, for /simple/*", ("Bypass cache",)),
        },
    ),
    KnownHost(
        "S3",
        {"server": "AmazonS3", "x-amz-request-id": "."},
        ".amazonaws.com",
        {
            "unknown-project": Change("the policy of the bucket", (_S3_READERS,)),
            **dict.fromkeys(("content-type", "content-encoding", "page-cache", "file-cache"), _bucket("s3://BUCKET")),
            "no-index-document": _bucket("s3://BUCKET"),
            "no-redirect": Change("the bucket: put CloudFront in front of it", (_S3_FUNCTION,)),
            "no-json": Change(
                "the build",
                ("mkindex SOURCE s3://BUCKET/PREFIX --json-root simple-json", f"# or, with CloudFront: {_S3_FUNCTION}"),
            ),
        },
        "mkindex SOURCE s3://BUCKET/PREFIX sets types and caching",
    ),
    KnownHost(
        "Google Cloud Storage",
        {"server": "UploadServer", "x-goog-generation": ".", "x-guploader-uploadid": "."},
        ".googleapis.com",
        {
            "unknown-project": Change(
                "the bucket",
                (
                    "gcloud storage buckets add-iam-policy-binding gs://BUCKET --member=allUsers \\",
                    "    --role=roles/storage.legacyBucketReader",
                ),
            ),
            "content-type": Change(
                "the objects",
                ("gcloud storage objects update 'gs://BUCKET/**/index.v1_json' \\", f"    --content-type={_JSON}"),
            ),
            "content-encoding": Change(
                "the objects",
                (
                    "gcloud storage objects update 'gs://BUCKET/files/**' --clear-content-encoding \\",
                    "    --content-type=application/octet-stream",
                ),
            ),
            "page-cache": Change(
                "the objects",
                (f"gcloud storage objects update 'gs://BUCKET/simple/**' --cache-control='{PAGE_CACHING}'",),
            ),
            "file-cache": Change(
                "the objects",
                (f"gcloud storage objects update 'gs://BUCKET/files/**' --cache-control='{FILE_CACHING}'",),
            ),
            "no-index-document": Change(
                "the bucket, behind a load balancer",
                (
                    "gcloud storage buckets update gs://BUCKET --web-main-page-suffix=index.html \\",
                    "    --web-error-page=404.html",
                ),
            ),
        },
        "mkindex SOURCE gs://BUCKET/PREFIX sets types and caching",
    ),
    KnownHost(
        "Azure Storage",
        {"server": "Windows-Azure-(Blob|Web)", "x-ms-request-id": "."},
        ".core.windows.net",
        {
            "no-index-document": Change(
                "the storage account: use its static website",
                (
                    "az storage blob service-properties update --account-name ACCOUNT --static-website \\",
                    "    --index-document index.html --404-document 404.html",
                ),
            ),
            "unknown-project": Change(
                "the storage account",
                (
                    "az storage blob service-properties update --account-name ACCOUNT --static-website \\",
                    "    --index-document index.html --404-document 404.html",
                ),
            ),
        },
        "mkindex SOURCE az://CONTAINER/PREFIX sets types and caching",
    ),
    KnownHost(
        "mkindex serve",
        {"server": "mkindex/"},
        changes={
            "plain-http": Change("a proxy in front of it", ("mkindex host nginx --root DIR --url https://…",)),
        },
    ),
    KnownHost(
        "python -m http.server",
        {"server": "SimpleHTTP/"},
        advice="`mkindex serve DIR` gets all of this right",
    ),
    KnownHost(
        "nginx",
        {"server": "nginx|openresty"},
        changes={
            "content-type": Change(
                "location /simple/", (f"types {{ text/html html; {_JSON} v1_json; }}", "charset utf-8;")
            ),
            "content-encoding": Change(
                "location /files/", ("gzip off;", "types { }", "default_type application/octet-stream;")
            ),
            "file-cache": Change("location /files/", (f'add_header Cache-Control "{FILE_CACHING}";',)),
            "page-cache": Change("location /simple/", (f'add_header Cache-Control "{PAGE_CACHING}" always;',)),
            "no-vary": Change("location /simple/", ("add_header Vary Accept always;",)),
            "unknown-project": Change(
                "location /simple/", ("try_files $uri $uri/ =404;  # instead of a last part such as /index.html",)
            ),
            "file-is-page": Change("location /files/", ("try_files $uri =404;",)),
            "no-index-document": Change("location /simple/", ("index index.html;",)),
            "find-links-page": Change("location /simple/", ("autoindex off;", "index index.html;")),
            "no-redirect": Change("server", ("absolute_redirect off;", "port_in_redirect off;")),
            "no-validator": Change("http", ("etag on;",)),
        },
        advice="mkindex host nginx --url URL prints the whole configuration",
    ),
    KnownHost(
        "Apache",
        {"server": "Apache"},
        changes={
            "content-type": Change(
                "<Directory> or .htaccess", ("AddType text/html .html", f"AddType {_JSON} .v1_json")
            ),
            # Without <If>, Apache applies RemoveEncoding before the AddEncoding of the server.
            "content-encoding": Change(
                "<Directory> or .htaccess",
                (
                    '<If "%{REQUEST_URI} =~ m#/files/#">',
                    "    RemoveEncoding .gz .tgz",
                    "    ForceType application/octet-stream",
                    "    SetEnv no-gzip 1",
                    "</If>",
                ),
            ),
            "file-cache": Change("<Directory> or .htaccess of files/", (f'Header set Cache-Control "{FILE_CACHING}"',)),
            "page-cache": Change(
                "<Directory> or .htaccess of simple/", (f'Header set Cache-Control "{PAGE_CACHING}"',)
            ),
            "no-vary": Change("<Directory> or .htaccess of simple/", ("Header merge Vary Accept",)),
            "unknown-project": Change(
                "<Directory> or .htaccess", ("FallbackResource disabled", "ErrorDocument 404 /404.html")
            ),
            "file-is-page": Change(
                "<Directory> or .htaccess", ("FallbackResource disabled", "ErrorDocument 404 /404.html")
            ),
            "no-index-document": Change("<Directory> or .htaccess", ("DirectoryIndex index.html",)),
            "find-links-page": Change("<Directory> or .htaccess", ("Options -Indexes", "DirectoryIndex index.html")),
            "no-redirect": Change("<Directory> or .htaccess", ("DirectorySlash On",)),
            "no-validator": Change("<Directory> or .htaccess", ("FileETag INode MTime Size",)),
        },
        advice="mkindex host apache --url URL prints the whole configuration; --for apache writes .htaccess",
    ),
    KnownHost(
        "Caddy",
        {"server": "Caddy"},
        changes={
            "content-type": Change(
                "the site, before file_server",
                ('header /simple/* Content-Type "text/html; charset=utf-8"', f"header *.v1_json Content-Type {_JSON}"),
            ),
            "content-encoding": Change(
                "the site, before file_server", ("header /files/* Content-Type application/octet-stream",)
            ),
            "file-cache": Change("the site, before file_server", (f'header /files/* Cache-Control "{FILE_CACHING}"',)),
            "page-cache": Change("the site, before file_server", (f'header /simple/* Cache-Control "{PAGE_CACHING}"',)),
            "no-vary": Change("the site, before file_server", ("header /simple/* Vary Accept",)),
            "unknown-project": Change("the site", ("remove try_files with a last part such as /index.html",)),
            "file-is-page": Change("the site", ("remove try_files with a last part such as /index.html",)),
            "find-links-page": Change("the site", ("file_server  # without browse",)),
        },
        advice="mkindex host caddy --url URL prints the whole configuration",
    ),
)


def recognize_host(domain: str, answers: Iterable[Mapping[str, str]]) -> KnownHost | None:
    """Return the host of a domain, by the headers of some of its answers; their names are in lower case."""
    seen = [*answers]
    for host in HOSTS:
        if host.domain and domain.lower().endswith(host.domain):
            return host
        for name, pattern in host.headers.items():
            if any(re.search(pattern, headers.get(name, ""), re.IGNORECASE) for headers in seen):
                return host
    return None
