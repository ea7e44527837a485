"""Roots of indexes as registries, generators and web servers send them.

pip and uv install `demo` and `other` from each of them: they never read the root, and request ROOT/NAME/.
"""

from __future__ import annotations

from dataclasses import dataclass, field

REPOSITORY = '<meta name="pypi:repository-version" content="1.0">'


@dataclass(frozen=True)
class Root:
    """A root page, and the other pages that such a server has."""

    html: str
    path: str = "/simple/"
    pages: dict[str, str] = field(default_factory=dict)  # by path


def anchors(href: str, *names: str) -> str:
    return "<br>\n".join(f'<a href="{href.format(name)}">{name}</a>' for name in names or ("demo", "other"))


def page(body: str, head: str = "") -> str:
    return f"<!DOCTYPE html>\n<html><head>{head}</head><body>\n{body}\n</body></html>\n"


EMPTY = [f"empty{number:02}" for number in range(12)]
APACHE = """\
<!DOCTYPE HTML PUBLIC "-//W3C//DTD HTML 3.2 Final//EN">
<html><head><title>Index of /simple</title></head><body><h1>Index of /simple</h1><table>
<tr><th><a href="?C=N;O=D">Name</a></th><th><a href="?C=M;O=A">Last modified</a></th></tr>
<tr><td><img src="/icons/back.gif" alt="[PARENTDIR]"></td><td><a href="/">Parent Directory</a></td></tr>
<tr><td><img src="/icons/folder.gif" alt="[DIR]"></td><td><a href="demo/">demo/</a></td></tr>
<tr><td><img src="/icons/folder.gif" alt="[DIR]"></td><td><a href="other/">other/</a></td></tr>
<tr><td><img src="/icons/text.gif" alt="[TXT]"></td><td><a href="README.txt">README.txt</a></td></tr>
</table><address>Apache/2.4.62 (Debian) Server at host.example Port 443</address></body></html>
"""
NGINX = """\
<html>\r
<head><title>Index of /simple/</title></head>\r
<body>\r
<h1>Index of /simple/</h1><hr><pre><a href="../">../</a>\r
<a href="demo/">demo/</a>          20-Nov-2026 10:00       -\r
<a href="other/">other/</a>        20-Nov-2026 10:00       -\r
<a href="index.v1_json">index.v1_json</a>  20-Nov-2026 10:00     123\r
</pre><hr></body>\r
</html>\r
"""
HTTP_SERVER = """\
<!DOCTYPE HTML>
<html lang="en"><head><meta charset="utf-8"><title>Directory listing for /simple/</title></head>
<body><h1>Directory listing for /simple/</h1><hr><ul>
<li><a href="demo/">demo/</a></li>
<li><a href="other/">other/</a></li>
</ul><hr></body></html>
"""
IIS = """\
<html><head><title>host.example - /simple/</title></head><body><H1>host.example - /simple/</H1><hr>
<pre><A HREF="/">[To Parent Directory]</A><br><br>
11/20/2026 10:00 AM        &lt;dir&gt; <A HREF="/simple/demo/">demo</A><br>
11/20/2026 10:00 AM        &lt;dir&gt; <A HREF="/simple/other/">other</A><br></pre><hr></body></html>
"""
CADDY = """\
<!DOCTYPE html><html><head><title>/simple/</title></head><body><header><h1><a href="/">/</a></h1></header>
<table><tr><td><a href=".."><span>Up</span></a></td></tr>
<tr><td><a href="./demo/"><span class="name">demo</span></a></td></tr>
<tr><td><a href="./other/"><span class="name">other</span></a></td></tr></table></body></html>
"""
GITLAB = "".join(
    f'<a href="http://HOST/simple/{name}" data-requires-python="&gt;=3.8">{name}</a>'
    for name in ("demo", "demo", "other")
)

ROOTS = {
    "a directory for each project": Root(page(anchors("{}/"))),
    "no slash at the end": Root(page(anchors("{}"))),
    "index.html": Root(page(anchors("{}/index.html"))),
    "a link to the parent": Root(page(f'<a href="../">..</a>{anchors("{}/")}')),
    "paths": Root(page(anchors("/simple/{}/"))),
    "paths without a slash": Root(page(anchors("/simple/{}"))),
    "addresses": Root(page(anchors("http://HOST/simple/{}/"))),
    "GitLab": Root(page(GITLAB, "<title>Links for group</title>")),
    "a menu": Root(page(f'<nav><a href="/">Home</a> <a href="/login">Login</a></nav>{anchors("{}/")}')),
    "a menu, and no slashes": Root(page(f'<a href="/">Home</a> <a href="/login">Login</a>{anchors("{}")}')),
    "a query": Root(page(anchors("{}/?format=html"))),
    "only a query": Root(page(anchors("?project={}"))),
    "paths without that of the index": Root(page(anchors("/{}/"), REPOSITORY)),
    "the address of a server behind a proxy": Root(page(anchors("http://backend.internal:8080/pypi/simple/{}/"))),
    "a directory for each letter": Root(page('<a href="/x/d/demo/">demo</a><a href="/x/o/other/">other</a>')),
    "a base": Root(page(anchors("simple/{}/"), '<base href="http://HOST/">')),
    "the first projects are empty": Root(
        page(anchors("{}/", *EMPTY, "demo", "other")),
        pages={f"/simple/{name}/": page(f"<h1>Links for {name}</h1>") for name in EMPTY},
    ),
    "other spellings": Root(page('<a href="Demo/">Demo</a><a href="other/">OTHER</a>')),
    "text that is not the name": Root(page('<a href="demo/">dem..&gt;</a><a href="other/"><img src="x.png"></a>')),
    "API version and no slashes": Root(page(anchors("{}"), REPOSITORY)),
    "other files beside": Root(page(f'{anchors("{}/")}<a href="README.md">README.md</a><a href="x.ico">x</a>')),
    "an archive beside": Root(page(f'<a href="/docs.tar.gz">documentation</a>{anchors("{}/")}', REPOSITORY)),
    "a path with a period": Root(page(anchors("{}/")), "/whl/rocm6.2/"),
    "the root of the host": Root(page(f'<nav><a href="/">Home</a></nav>{anchors("/{}")}'), "/"),
    "Apache": Root(APACHE),
    "nginx": Root(NGINX),
    "http.server": Root(HTTP_SERVER),
    "IIS": Root(IIS),
    "Caddy": Root(CADDY),
}
