"""The defects that an index can have, each with the rule that must find it."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

from support.index_copy import CUDA, HTML, JSON, NEW, OLD, Form, IndexCopy, Place
from support.index_server import Reply
from support.mutation_steps import (
    ChangingReply,
    add_names_differing_in_case,
    add_second_spelling,
    add_unrecorded_member,
    all_of,
    append_to_file,
    change_both,
    change_page_size,
    change_replies,
    changed_metadata,
    cut_html_before_newest,
    cut_pages,
    drop_entry,
    duplicate_member,
    empty_zip,
    gzip_reply,
    list_twice,
    make_find_links_page,
    make_login_page,
    move_project,
    point_at_people_page,
    prefix_link,
    prepend_to_wheel,
    redirect_deeper,
    remove_all_projects,
    remove_file,
    rename_file,
    rename_in_local_header,
    set_key,
    set_link,
    set_requires_python,
    set_status,
    symlink_to_moved_wheel,
    yank_without_reason,
)

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True)
class Mutation:
    """One defect, put into a good index."""

    name: str
    rule: str
    apply: Callable[[IndexCopy], object]
    forms: tuple[Form, ...] = ("html", "json")
    places: tuple[Place, ...] = ("local", "served")
    files: Literal["none", "head", "hash", "deep"] | None = "hash"
    install: tuple[str, ...] = ("alpha",)
    intended: dict[str, str] = field(default_factory=lambda: {"alpha": "2.0", "gamma": "1.0"})
    options: dict[str, Any] = field(default_factory=dict)
    try_clients: bool = True  # False: a milder case than the rule describes, which clients may accept

    def __str__(self) -> str:
        return self.name


HTML_ONLY: tuple[Form, ...] = ("html",)
JSON_ONLY: tuple[Form, ...] = ("json",)
BOTH_FORMS: tuple[Form, ...] = ("both",)
LOCAL: tuple[Place, ...] = ("local",)
SERVED: tuple[Place, ...] = ("served",)

LISTING = b'<title>Index of /</title><a href="../">../</a><a href="index.html">index.html</a>'

MUTATIONS: tuple[Mutation, ...] = (
    # What it is
    Mutation("a find-links page for an index", "find-links-page", make_find_links_page, HTML_ONLY),
    Mutation("a page for people for an index", "not-an-index", point_at_people_page, BOTH_FORMS, SERVED),
    Mutation("a login page for an index", "not-an-index", make_login_page, HTML_ONLY, try_clients=False),
    Mutation("nothing at all", "not-an-index", lambda v: setattr(v, "address", "nothing/"), BOTH_FORMS, SERVED),
    Mutation(
        "a host without index documents",
        "no-index-document",
        lambda v: v.fault(".*/", lambda _: Reply(404)),
        ("html", "both"),
        SERVED,
    ),
    Mutation(
        "a bucket that hides what it does not have",
        "no-index-document",
        lambda v: v.fault(".*/", lambda _: Reply(403)),
        HTML_ONLY,
        SERVED,
    ),
    Mutation(
        "a host that lists directories instead",
        "no-index-document",
        lambda v: v.fault(".*/", lambda _: Reply(200, LISTING, {"Content-Type": "text/html"})),
        HTML_ONLY,
        SERVED,
    ),
    Mutation("an index without projects", "no-files", remove_all_projects),
    Mutation(
        "a root whose links lead to the root of the host",
        "no-files",
        lambda v: v.html("", lambda t: t.replace('href="', 'href="/')),
        HTML_ONLY,
        try_clients=False,
    ),
    # Installs break
    Mutation("the newest wheel is gone", "file-missing", lambda v: remove_file(v, NEW), files="head"),
    Mutation("an sdist is gone", "file-missing", lambda v: v.file("beta-1.0.tar.gz").unlink(), try_clients=False),
    Mutation(
        "the newest wheel answers 403",
        "file-missing",
        lambda v: v.fault(f".*/{NEW}", lambda _: Reply(403)),
        places=SERVED,
        files="head",
    ),
    Mutation(
        "a page in place of the newest wheel",
        "file-is-page",
        lambda v: v.fault(f".*/{NEW}", lambda _: Reply(200, b"<html>please log in", {"Content-Type": "text/html"})),
        places=SERVED,
        files="head",
    ),
    Mutation(
        "an HTML file named as the wheel",
        "file-is-page",
        all_of(lambda v: v.file(NEW).write_bytes(b"<html>no"), lambda v: v.rehash(NEW)),
    ),
    Mutation(
        "announced metadata is missing", "metadata-missing", lambda v: remove_file(v, NEW, ".metadata"), files="head"
    ),
    Mutation(
        "metadata of another hash",
        "metadata-hash",
        lambda v: v.sibling(NEW, changed_metadata(summary="x"), keep_hash=True),
    ),
    Mutation("metadata empty", "metadata-hash", lambda v: v.sibling(NEW, b"", keep_hash=True)),
    Mutation(
        "pages of another type",
        "content-type",
        lambda v: v.fault("/simple/alpha/", lambda r: r.with_headers(content_type="application/json")),
        places=SERVED,
    ),
    Mutation(
        "pages as plain text",
        "content-type",
        lambda v: v.fault("/simple/alpha/", lambda r: r.with_headers(content_type="text/plain")),
        places=SERVED,
    ),
    Mutation(
        "pages of no type",
        "content-type",
        lambda v: v.fault("/simple/alpha/", lambda r: r.with_headers(content_type=None)),
        places=SERVED,
        try_clients=False,
    ),
    Mutation(
        "JSON as HTML",
        "content-type",
        lambda v: v.fault("/simple/alpha/", lambda r: r.with_headers(content_type="text/html")),
        JSON_ONLY,
        SERVED,
    ),
    Mutation(
        "a root of another type",
        "content-type",
        lambda v: v.fault("/simple/", lambda r: r.with_headers(content_type="application/json")),
        places=SERVED,
        try_clients=False,
    ),
    Mutation("a page cut off within a tag", "page-broken", cut_pages),
    Mutation("a page of no byte", "page-broken", lambda v: v.each_page("alpha", lambda _: b"")),
    Mutation("a root of no byte", "page-broken", lambda v: v.each_page("", lambda _: b"")),
    Mutation(
        "a page shorter than its Content-Length",
        "page-broken",
        lambda v: v.fault("/simple/alpha/", lambda r: replace(r, body=r.body[:-30], content_length=len(r.body))),
        places=SERVED,
    ),
    Mutation("a page cut off between tags", "page-unfinished", cut_html_before_newest, HTML_ONLY),
    Mutation(
        "a page without files",
        "page-empty",
        all_of(
            lambda v: drop_entry(v, NEW),
            lambda v: drop_entry(v, OLD),
            lambda v: v.json("alpha", lambda p: p.update(versions=[])),
        ),
    ),
    Mutation("a project without its page", "page-missing", lambda v: shutil.rmtree(v.page("alpha", ""))),
    Mutation("a page at another spelling", "page-missing", lambda v: move_project(v, "alpha", "Alpha"), HTML_ONLY),
    Mutation(
        "a page that answers 403",
        "page-missing",
        lambda v: v.fault("/simple/alpha/.*", lambda _: Reply(403)),
        places=SERVED,
    ),
    Mutation("a redirect that moves links", "redirect-moves-links", redirect_deeper, places=SERVED),
    Mutation("a wheel replaced", "file-hash", lambda v: v.file(NEW).write_bytes(v.file(OLD).read_bytes())),
    Mutation(
        "a wheel cut off",
        "file-hash",
        lambda v: v.file(NEW).write_bytes(v.file(NEW).read_bytes()[:-10]),
        try_clients=False,  # uv fails, too, after 15 seconds of retries
    ),
    Mutation(
        "one bit of an sdist flipped",
        "file-hash",
        lambda v: v.file("beta-1.0.tar.gz").write_bytes(b"\x1f\x8b\x09" + v.file("beta-1.0.tar.gz").read_bytes()[3:]),
        try_clients=False,
    ),
    Mutation(
        "a wrong size",
        "file-size",
        lambda v: change_both(v, r'data-size="\d+"', 'data-size="7"', set_key("size", value=7)),
        files="head",
    ),
    Mutation("a size of null", "field-type", lambda v: v.entry(NEW, set_key("size", value=None)), JSON_ONLY),
    Mutation("a size in quotes", "field-type", lambda v: v.entry(NEW, set_key("size", value="100")), JSON_ONLY),
    Mutation(
        "an upload time that is not a time",
        "field-type",
        lambda v: v.entry(NEW, set_key("upload-time", value="yesterday")),
        JSON_ONLY,
    ),
    Mutation(
        "an upload time without T and Z",
        "field-type",
        lambda v: v.entry(NEW, set_key("upload-time", value="2026-01-02 03:04:05")),
        JSON_ONLY,
    ),
    Mutation(
        "core metadata that is a text",
        "field-type",
        lambda v: v.entry(NEW, set_key("core-metadata", value="yes")),
        JSON_ONLY,
    ),
    Mutation("yanked of null", "field-type", lambda v: v.entry(NEW, set_key("yanked", value=None)), JSON_ONLY),
    Mutation("hashes that are a list", "field-type", lambda v: v.entry(NEW, set_key("hashes", value=[])), JSON_ONLY),
    Mutation("an entry without hashes", "field-type", lambda v: v.entry(NEW, lambda one: one.pop("hashes")), JSON_ONLY),
    Mutation("a file without an address", "field-type", lambda v: v.entry(NEW, lambda one: one.pop("url")), JSON_ONLY),
    Mutation(
        "a file that is a text", "field-type", lambda v: v.json("alpha", lambda p: p["files"].append("x")), JSON_ONLY
    ),
    Mutation("a link one level wrong", "file-missing", lambda v: prefix_link(v, "../"), files="head"),
    Mutation("a link to nowhere on the web", "bad-link", lambda v: set_link(v, f"javascript:x/{NEW}")),
    Mutation("a link to a file on this machine", "bad-link", lambda v: set_link(v, f"file:///srv/{NEW}")),
    Mutation("a link that is not an address", "bad-link", lambda v: set_link(v, f"http://[x/{NEW}")),
    Mutation(
        "a link to another name",
        "bad-link",
        lambda v: v.entry(NEW, lambda one: one.update(url="../../files/x/other.whl")),
        JSON_ONLY,
        files="none",
    ),
    Mutation("a hash of an unknown kind", "fragment", lambda v: v.anchor(NEW, "#sha256=", "#sha1="), HTML_ONLY),
    Mutation("egg= after a link", "fragment", lambda v: v.anchor(NEW, r"#sha256=\w+", "#egg=alpha"), HTML_ONLY),
    Mutation(
        "a relative base",
        "base-link",
        lambda v: v.html("alpha", lambda t: t.replace("<title>", '<base href="../alpha/">\n<title>')),
        HTML_ONLY,
    ),
    Mutation(
        'metadata="false" in HTML',
        "metadata-attribute",
        all_of(
            lambda v: v.anchor(NEW, r'data-(core|dist-info)-metadata="[^"]*"', ""),
            lambda v: v.attribute(NEW, 'data-core-metadata="false"'),
            lambda v: remove_file(v, NEW, ".metadata"),
        ),
        HTML_ONLY,
    ),
    Mutation("a wheel that is not an archive", "wheel-broken", empty_zip, files="deep"),
    Mutation(
        "a truncated wheel with the matching hash",
        "wheel-broken",
        all_of(lambda v: v.file(NEW).write_bytes(v.file(NEW).read_bytes()[:-40]), lambda v: v.rehash(NEW)),
        files="deep",
        try_clients=False,  # the same
    ),
    # Silently wrong
    Mutation(
        "metadata with a false dependency",
        "metadata-differs",
        lambda v: v.sibling(NEW, changed_metadata(requires_dist=["gamma>=1", "beta"])),
        files="deep",
    ),
    Mutation(
        "metadata without a dependency",
        "metadata-differs",
        lambda v: v.sibling(NEW, changed_metadata(requires_dist=[])),
        files="deep",
    ),
    Mutation(
        "metadata with other line ends",
        "metadata-bytes",
        lambda v: v.sibling(NEW, changed_metadata().replace(b"\n", b"\r\n")),
        files="deep",
    ),
    Mutation("metadata of another version", "metadata-name", lambda v: v.sibling(NEW, changed_metadata("3.0"))),
    Mutation("metadata of another project", "metadata-name", lambda v: v.sibling(NEW, changed_metadata(name="omega"))),
    Mutation(
        "a wheel renamed to another version",
        "metadata-name",
        all_of(
            lambda v: rename_file(v, NEW, "alpha-3.0-py3-none-any.whl"),
            lambda v: v.json("alpha", lambda p: p.update(versions=["1.0", "3.0"])),
        ),
    ),
    Mutation(
        "a Requires-Python that differs from the file",
        "requires-python-differs",
        lambda v: set_requires_python(v, ">=3.99"),
    ),
    Mutation(
        "a Requires-Python that is not a specifier",
        "requires-python-invalid",
        lambda v: set_requires_python(v, ">=3."),
        files="none",
    ),
    Mutation(
        "requires-python left out",
        "requires-python-missing",
        lambda v: change_both(v, r'data-requires-python="[^"]*"', "", lambda one: one.pop("requires-python")),
    ),
    Mutation(
        "HTML and JSON with other files",
        "forms-disagree",
        lambda v: v.json("alpha", lambda p: p.update(files=p["files"][:1], versions=["1.0"])),
        BOTH_FORMS,
    ),
    Mutation("JSON and no HTML", "forms-disagree", lambda v: v.page("alpha", HTML).unlink(), BOTH_FORMS),
    Mutation("HTML and no JSON", "forms-disagree", lambda v: v.page("alpha", JSON).unlink(), BOTH_FORMS),
    Mutation(
        "HTML and JSON with other hashes",
        "forms-disagree",
        lambda v: v.entry(NEW, lambda one: one.update(hashes={"sha256": "0" * 64})),
        BOTH_FORMS,
        files="head",
    ),
    Mutation(
        "HTML and JSON yanked and not",
        "forms-disagree",
        lambda v: v.entry(NEW, set_key("yanked", value=True)),
        BOTH_FORMS,
    ),
    Mutation(
        "a file of another project",
        "foreign-file",
        all_of(
            lambda v: v.html(
                "alpha",
                lambda t: t.replace(
                    "</h1>\n",
                    "</h1>\n"
                    + next(
                        line for line in v.page("gamma", HTML).read_text().splitlines(keepends=True) if "<a " in line
                    ),
                ),
            ),
            lambda v: v.json(
                "alpha", lambda p: p["files"].append(json.loads(v.page("gamma", JSON).read_text())["files"][0])
            ),
        ),
    ),
    Mutation(
        "a file twice with two hashes",
        "duplicate-file",
        lambda v: list_twice(
            v, lambda one: one.update(hashes={"sha256": "0" * 64}), r"sha256=\w+\"(?= data-req)", f'sha256={"0" * 64}"'
        ),
        files="head",
    ),
    Mutation(
        "two spellings of one wheel",
        "duplicate-file",
        lambda v: list_twice(
            v,
            lambda one: one.update(filename="Alpha-2.0-py3-none-any.whl", url=one["url"].replace("alpha-2", "Alpha-2")),
            "alpha-2",
            "Alpha-2",
        ),
        files="none",
    ),
    Mutation(
        "two spellings of one version",
        "duplicate-file",
        lambda v: list_twice(
            v,
            lambda one: one.update(
                filename="alpha-2.0.0-py3-none-any.whl", url=one["url"].replace("alpha-2.0-", "alpha-2.0.0-")
            ),
            "alpha-2.0-",
            "alpha-2.0.0-",
        ),
        files="none",
    ),
    Mutation(
        "a name that no client can parse",
        "unusable-name",
        all_of(
            lambda v: rename_file(v, NEW, "alpha-2.0-any.whl"),
            lambda v: v.json("alpha", lambda p: p.update(versions=["1.0", "2.0"])),
        ),
    ),
    Mutation(
        "a version that is not valid", "unusable-name", lambda v: rename_file(v, NEW, "alpha-2.0.x.y-py3-none-any.whl")
    ),
    Mutation(
        "an ending that no client installs", "unusable-name", lambda v: rename_file(v, NEW, "alpha-2.0-py3.11.egg")
    ),
    Mutation("yanked, but not to pip", "yanked-unclear", yank_without_reason, intended={"alpha": "1.0"}),
    Mutation("no hash", "no-hash", lambda v: change_both(v, r"#sha256=\w+", "", lambda one: one.update(hashes={}))),
    Mutation(
        "only md5",
        "no-hash",
        lambda v: change_both(
            v,
            r"#sha256=\w+",
            f"#md5={hashlib.md5(v.file(NEW).read_bytes()).hexdigest()}",
            lambda one: one.update(hashes={"md5": hashlib.md5(v.file(NEW).read_bytes()).hexdigest()}),
        ),
    ),
    Mutation(
        "a hash too short",
        "hash-malformed",
        lambda v: change_both(v, r"#sha256=\w+", "#sha256=abc", lambda one: one.update(hashes={"sha256": "abc"})),
    ),
    Mutation(
        "a hash in capitals",
        "hash-malformed",
        lambda v: change_both(
            v,
            r"#sha256=(\w+)",
            lambda m: f"#sha256={m[1].upper()}",
            lambda one: one.update(hashes={"sha256": one["hashes"]["sha256"].upper()}),
        ),
    ),
    Mutation(
        "a root that links without the slash",
        "root-link",
        lambda v: v.html("", lambda t: t.replace('href="alpha/"', 'href="alpha"')),
        HTML_ONLY,
    ),
    Mutation(
        "no metadata advertised",
        "no-metadata",
        lambda v: change_both(
            v, r'data-(core|dist-info)-metadata="[^"]*"', "", lambda one: one.pop("core-metadata"), NEW
        ),
    ),
    Mutation("a project listed in two spellings", "name-collision", add_second_spelling),
    # Security
    Mutation("a handler in an anchor", "unsafe-page", lambda v: v.attribute(NEW, 'onclick="alert(1)"'), HTML_ONLY),
    Mutation(
        "a quote that was not escaped",
        "unsafe-page",
        lambda v: v.attribute(NEW, 'data-yanked="it said "no" twice"'),
        HTML_ONLY,
    ),
    Mutation(
        "a link that runs",
        "unsafe-page",
        lambda v: v.html("alpha", lambda t: t.replace("</h1>", '</h1><a href="javascript:alert(1)">x</a>')),
        HTML_ONLY,
    ),
    Mutation(
        "control characters in a field",
        "unsafe-page",
        lambda v: v.entry(NEW, set_key("yanked", value="red \x1b[31m")),
        JSON_ONLY,
    ),
    Mutation(
        "a password in a link",
        "credentials-in-link",
        lambda v: set_link(v, f"https://me:secret@127.0.0.1:1/{NEW}"),
        files="none",
    ),
    Mutation("two members of one name", "wheel-ambiguous", duplicate_member, files="deep"),
    Mutation("bytes after the zip", "wheel-ambiguous", lambda v: append_to_file(v, NEW, b"more"), files="deep"),
    Mutation("bytes before the zip", "wheel-ambiguous", prepend_to_wheel, files="deep"),
    Mutation("another name in a local header", "wheel-ambiguous", rename_in_local_header, files="deep"),
    Mutation("a member that RECORD lacks", "wheel-record", lambda v: v.rezip(NEW, add_unrecorded_member), files="deep"),
    Mutation(
        "no RECORD", "wheel-record", lambda v: v.rezip(NEW, lambda m: m.pop("alpha-2.0.dist-info/RECORD")), files="deep"
    ),
    # Freshness and transport
    Mutation(
        "wheels sent with Content-Encoding",
        "content-encoding",
        lambda v: v.fault(r".*\.whl", gzip_reply),
        places=SERVED,
        files="head",
    ),
    Mutation(
        "neither ETag nor Last-Modified",
        "no-validator",
        lambda v: change_replies(v, lambda r: r.with_headers(etag=None, last_modified=None)),
        places=SERVED,
    ),
    Mutation(
        "no Cache-Control",
        "page-cache",
        lambda v: change_replies(v, lambda r: r.with_headers(cache_control=None)),
        places=SERVED,
    ),
    Mutation(
        "pages cached for a day",
        "page-cache",
        lambda v: change_replies(v, lambda r: r.with_headers(cache_control="max-age=86400")),
        places=SERVED,
    ),
    Mutation(
        "files not cached",
        "file-cache",
        lambda v: change_replies(v, lambda r: r.with_headers(cache_control="max-age=600")),
        places=SERVED,
    ),
    Mutation(
        "no Vary", "no-vary", lambda v: change_replies(v, lambda r: r.with_headers(vary=None)), BOTH_FORMS, SERVED
    ),
    Mutation(
        "no ranges",
        "no-range",
        lambda v: v.fault(
            r".*\.(whl|gz)",
            lambda r: (
                replace(r, status=200, body=v.file(CUDA).read_bytes()).with_headers(content_range=None)
                if r.status == 206
                else r
            ),
        ),
        places=SERVED,
    ),
    Mutation(
        "403 for unknown projects",
        "unknown-project",
        lambda v: v.fault("/simple/mkindex-.*", lambda _: Reply(403)),
        places=SERVED,
    ),
    Mutation(
        "200 for unknown projects",
        "unknown-project",
        lambda v: v.fault("/simple/mkindex-.*", lambda _: Reply(200, b"<html></html>", {"Content-Type": "text/html"})),
        places=SERVED,
    ),
    Mutation(
        "no redirect to the address with a slash",
        "no-redirect",
        lambda v: change_replies(v, lambda r: Reply(404) if r.status == 301 else r),
        places=SERVED,
    ),
    Mutation("another root each time", "unstable", lambda v: v.fault("/simple/", ChangingReply()), places=SERVED),
    Mutation("no JSON", "no-json", lambda v: None, HTML_ONLY, SERVED),
    Mutation("no HTML", "no-html", lambda v: None, JSON_ONLY, SERVED),
    # Conformance
    Mutation(
        "no api-version",
        "api-version",
        lambda v: v.json("alpha", lambda p: p.pop("meta") and p.update(meta={})),
        JSON_ONLY,
    ),
    Mutation(
        "api-version 2.0",
        "api-version",
        all_of(
            lambda v: v.json("alpha", lambda p: p.update(meta={"api-version": "2.0"})),
            lambda v: v.html("alpha", lambda t: t.replace('content="1.4"', 'content="2.0"')),
        ),
    ),
    Mutation(
        "features of a later api-version",
        "api-version",
        lambda v: v.json("alpha", lambda p: p.update(meta={"api-version": "1.0"})),
        JSON_ONLY,
    ),
    Mutation(
        "a link whose text is not the filename",
        "anchor-text",
        lambda v: v.anchor(NEW, f">{NEW}<", ">alpha, the newest<"),
        HTML_ONLY,
    ),
    Mutation("no versions", "versions", lambda v: v.json("alpha", lambda p: p.pop("versions")), JSON_ONLY),
    Mutation(
        "versions that lack one", "versions", lambda v: v.json("alpha", lambda p: p.update(versions=["1.0"])), JSON_ONLY
    ),
    Mutation("no sizes", "versions", lambda v: v.entry(NEW, lambda one: one.pop("size")), JSON_ONLY),
    Mutation(
        "the name of another project",
        "page-name",
        lambda v: v.json("alpha", lambda p: p.update(name="omega")),
        JSON_ONLY,
    ),
    Mutation("no name", "page-name", lambda v: v.json("alpha", lambda p: p.pop("name")), JSON_ONLY),
    Mutation(
        "no doctype", "no-doctype", lambda v: v.html("alpha", lambda t: t.replace("<!DOCTYPE html>\n", "")), HTML_ONLY
    ),
    Mutation(
        "a link to the parent directory",
        "stray-link",
        lambda v: v.html("alpha", lambda t: t.replace("</h1>", '</h1><a href="..">up</a>')),
        HTML_ONLY,
    ),
    Mutation(
        "a link on the root to another site",
        "stray-link",
        lambda v: v.html("", lambda t: t.replace("</body>", '<a href="https://example.com/made/by">by</a></body>')),
        HTML_ONLY,
    ),
    Mutation(
        "a missing signature",
        "gpg-sig",
        lambda v: change_both(v, "<a ", '<a data-gpg-sig="true" ', set_key("gpg-sig", value=True)),
    ),
    Mutation(
        "missing provenance",
        "provenance",
        lambda v: change_both(
            v,
            "<a ",
            '<a data-provenance="https://127.0.0.1:9/x" ',
            set_key("provenance", value="https://127.0.0.1:9/x"),
        ),
        places=SERVED,
    ),
    Mutation(
        "dist-info-metadata in JSON",
        "dist-info-metadata",
        lambda v: v.entry(NEW, lambda one: one.update({"dist-info-metadata": one["core-metadata"]})),
        JSON_ONLY,
    ),
    Mutation("an unknown status", "project-status", lambda v: set_status(v, "resting")),
    Mutation("files of a quarantined project", "project-status", lambda v: set_status(v, "quarantined")),
    Mutation(
        "an unescaped +",
        "raw-plus",
        lambda v: change_both(v, "%2B", "+", lambda one: one.update(url=one["url"].replace("%2B", "+")), CUDA),
    ),
    Mutation("links that begin with a slash", "root-relative", lambda v: prefix_link(v, "/"), places=LOCAL),
    # A directory
    Mutation(
        "a temporary file",
        "leftover",
        lambda v: (v.page("alpha", "") / "index.html.tmp").write_text("half"),
        BOTH_FORMS,
        LOCAL,
    ),
    Mutation(
        "a wheel that no page lists",
        "not-listed",
        all_of(lambda v: drop_entry(v, NEW), lambda v: v.json("alpha", lambda p: p.update(versions=["1.0"]))),
        BOTH_FORMS,
        intended={"alpha": "2.0"},
        places=LOCAL,
    ),
    Mutation(
        "a project that the root does not list",
        "project-not-listed",
        all_of(
            lambda v: v.html("", lambda t: t.replace('<a href="gamma/">gamma</a><br>\n', "")),
            lambda v: v.json("", lambda p: p.update(projects=p["projects"][:2])),
        ),
        BOTH_FORMS,
        LOCAL,
        files="none",
        options={"ignore": ("not-listed",)},
    ),
    Mutation(
        "a manifest that lists other pages", "manifest", change_page_size, BOTH_FORMS, LOCAL, options={"manifest": True}
    ),
    Mutation(
        "a link out of the tree",
        "link-leaves",
        all_of(
            lambda v: shutil.copy(v.file(OLD), v.tree.parent / "away.whl"),
            lambda v: v.file(OLD).unlink(),
            lambda v: v.tree.joinpath("files/aa").mkdir(exist_ok=True),
            symlink_to_moved_wheel,
        ),
        BOTH_FORMS,
        LOCAL,
    ),
    Mutation("names that differ in case", "case-collision", add_names_differing_in_case, BOTH_FORMS, LOCAL),
    Mutation("a file that a server cannot read", "unreadable", lambda v: v.file(NEW).chmod(0o600), BOTH_FORMS, LOCAL),
    Mutation(
        "a file newer than its page",
        "page-older",
        lambda v: os.utime(v.file(NEW), (4_000_000_000, 4_000_000_000)),
        BOTH_FORMS,
        LOCAL,
    ),
    Mutation(
        "a project that only the JSON root names",
        "roots-disagree",
        lambda v: v.html("", lambda t: t.replace('<a href="gamma/">gamma</a><br>\n', "")),
        BOTH_FORMS,
    ),
    Mutation(
        "a project that only the HTML root names",
        "roots-disagree",
        lambda v: v.json("", lambda p: p.update(projects=p["projects"][:2])),
        BOTH_FORMS,
    ),
    # Closure
    Mutation(
        "a requirement that nothing satisfies",
        "unsatisfied",
        all_of(
            lambda v: shutil.rmtree(v.page("gamma", "")),
            lambda v: v.file("gamma-1.0-py3-none-any.whl").unlink(),
            lambda v: v.html("", lambda t: t.replace('<a href="gamma/">gamma</a><br>\n', "")),
            lambda v: v.json("", lambda p: p.update(projects=p["projects"][:2])),
        ),
        options={"closure": True},
        install=("alpha==2.0",),
    ),
)
