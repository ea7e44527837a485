"""Defects that break installs, or change them silently."""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import replace

from support.index_copy import HTML, JSON, NEW, OLD, RECORD, WHEEL
from support.index_server import Reply
from support.mutations.mutation import BOTH_FORMS, HTML_ONLY, JSON_ONLY, SERVED, Mutation
from support.mutations.steps import (
    add_second_spelling,
    all_of,
    change_both,
    changed_metadata,
    cut_html_before_newest,
    cut_pages,
    drop_entry,
    empty_zip,
    list_twice,
    make_find_links_page,
    make_login_page,
    move_project,
    point_at_people_page,
    prefix_link,
    redirect_deeper,
    remove_all_projects,
    remove_file,
    rename_file,
    rename_in_local_header,
    set_key,
    set_link,
    set_requires_python,
    yank_without_reason,
)

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
    Mutation("a wheel without WHEEL", "wheel-broken", lambda v: v.rezip(NEW, lambda m: m.pop(WHEEL)), files="deep"),
    Mutation("a wheel without RECORD", "wheel-broken", lambda v: v.rezip(NEW, lambda m: m.pop(RECORD)), files="deep"),
    Mutation("another name in a local header", "wheel-broken", rename_in_local_header, files="deep"),
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
    Mutation(
        "a requirement that clients cannot parse",
        "requires-dist",
        lambda v: v.sibling(NEW, changed_metadata(requires_dist=["gamma>=1", "gamma~=1; extra == 'x'"])),
    ),
    Mutation(
        "a requirement that one of the clients refuses",
        "requires-dist",
        lambda v: v.sibling(NEW, changed_metadata(requires_dist=["gamma>=1", "gamma ()"])),
        try_clients=False,
    ),
    Mutation(
        "a requirement with an address of its own",
        "requires-dist-url",
        lambda v: v.sibling(NEW, changed_metadata(requires_dist=["gamma @ https://host.invalid/gamma-1.0.tar.gz"])),
    ),
    Mutation(
        "metadata in another encoding",
        "metadata-encoding",
        lambda v: v.sibling(NEW, changed_metadata(summary="X").replace(b"X", b"\xe9")),
    ),
    Mutation(
        "a Requires-Python in the metadata that is not a specifier",
        "metadata-requires-python",
        all_of(
            lambda v: v.sibling(NEW, changed_metadata(requires_python=">=3.")),
            lambda v: change_both(v, r'data-requires-python="[^"]*"', "", lambda one: one.pop("requires-python")),
        ),
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
        "a root whose links lead to the root of the host",
        "root-link",
        lambda v: v.html("", lambda t: t.replace('href="', 'href="/')),
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
