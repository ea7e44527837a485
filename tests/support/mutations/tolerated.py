"""Defects that installs survive: dangers, caching, conformance, and what is left in a directory."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import replace

from support.index_copy import CUDA, NEW, OLD, RECORD, WHEEL
from support.index_server import Reply
from support.mutations.mutation import BOTH_FORMS, HTML_ONLY, JSON_ONLY, LOCAL, SERVED, Mutation
from support.mutations.steps import (
    ChangingReply,
    add_names_differing_in_case,
    add_unrecorded_member,
    all_of,
    append_to_file,
    change_both,
    change_page_size,
    change_replies,
    drop_entry,
    duplicate_member,
    gzip_reply,
    list_labels,
    list_second_variant,
    name_provenance,
    prefix_link,
    prepend_to_wheel,
    set_key,
    set_link,
    set_status,
    symlink_to_moved_wheel,
)
from support.variant_wheels import cuda, variant_json

COMBINED = json.dumps(variant_json("cu128", cuda("12.8"))).encode()

MUTATIONS: tuple[Mutation, ...] = (
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
    Mutation(
        "a row of RECORD with two fields",
        "wheel-refused",
        lambda v: v.rezip(NEW, lambda m: m.update({RECORD: m[RECORD] + b"alpha/x,\n"})),
        files="deep",
    ),
    Mutation(
        "other tags in WHEEL than in the filename",
        "wheel-tags",
        lambda v: v.rezip(NEW, lambda m: m.update({WHEEL: m[WHEEL].replace(b"py3", b"cp39")})),
        files="deep",
    ),
    Mutation("a member that RECORD lacks", "wheel-record", lambda v: v.rezip(NEW, add_unrecorded_member), files="deep"),
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
        "provenance at a relative address",
        "provenance",
        lambda v: change_both(
            v, "<a ", '<a data-provenance="x.provenance" ', set_key("provenance", value="x.provenance")
        ),
    ),
    Mutation("provenance of another file", "provenance-content", lambda v: name_provenance(v, "f" * 64), places=LOCAL),
    Mutation("an attestation that nobody signed", "attestation", name_provenance, places=LOCAL, files="deep"),
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
    Mutation(
        "a name that Windows reserves",
        "windows-name",
        lambda v: (v.file(OLD).parent / "Aux.txt").write_text("x"),
        BOTH_FORMS,
        LOCAL,
    ),
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
    Mutation("two variants of a version", "mixed-variants", list_second_variant, files="none"),
    # Wheel variants
    Mutation("labels that nothing explains", "no-variants-json", list_labels("cu128"), files="none"),
    Mutation("variants in a file that is no JSON", "variants-json", list_labels("cu128", combined=b"{"), files="head"),
    Mutation("a label that is not explained", "variants-json", list_labels("cpu", combined=COMBINED), files="head"),
    Mutation("a label without variant.json", "variants-json", list_labels("cu128", combined=COMBINED), files="deep"),
)
