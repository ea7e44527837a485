"""A good index, and everything that can be wrong with one: each defect with the rule that has to find it."""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import shutil
import zipfile
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

from support.builds import publish
from support.index_server import IndexServer, Reply
from support.wheels import core_metadata, write_sdist, write_wheel

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

Form = Literal["html", "json", "both"]
Place = Literal["local", "served"]

NEW, OLD = "alpha-2.0-py3-none-any.whl", "alpha-1.0-py3-none-any.whl"
CUDA = "beta-1.0+cu128-py3-none-any.whl"
HTML, JSON = "index.html", "index.v1_json"


def build_good_index(directory: Path) -> Path:
    """Make the index that is going to be harmed: alpha needs gamma in its newest version, beta has odd names."""
    source, tree = directory / "source", directory / "good"
    source.mkdir(parents=True)
    write_wheel(source, "alpha", "1.0", requires_python=">=3.8")
    write_wheel(source, "alpha", "2.0", requires_python=">=3.8", requires_dist=["gamma>=1"])
    write_wheel(source, "beta", "1.0+cu128")
    write_sdist(source, "beta", "1.0")
    write_wheel(source, "gamma", "1.0", requires_python=">=3.8")
    publish(source, tree)
    return tree


@dataclass
class IndexCopy:
    """A copy of the good index, with its pages in one form or in both, that a mutation harms."""

    tree: Path
    form: Form
    host: IndexServer | None = None
    address: str = "simple/"  # what is checked and installed from, below the host

    # --- places -----------------------------------------------------------------------------------------------------

    def page(self, project: str, name: str) -> Path:
        return self.tree / "simple" / project / name if project else self.tree / "simple" / name

    def file(self, filename: str) -> Path:
        (path,) = self.tree.glob(f"files/*/*/{filename}")
        return path

    # --- pages ------------------------------------------------------------------------------------------------------

    def each_page(self, project: str, change: Callable[[bytes], bytes]) -> None:
        """Change the bytes of a page, in every form that there is."""
        for name in (HTML, JSON):
            if (path := self.page(project, name)).exists():
                path.write_bytes(change(path.read_bytes()))

    def html(self, project: str, change: Callable[[str], str]) -> None:
        path = self.page(project, HTML)
        if path.exists():
            before = path.read_text()
            path.write_text(change(before))
            assert path.read_text() != before, "nothing was changed"

    def json(self, project: str, change: Callable[[Any], object]) -> None:
        path = self.page(project, JSON)
        if path.exists():
            page = json.loads(path.read_text())
            change(page)
            path.write_text(json.dumps(page))

    def anchor(self, filename: str, pattern: str, put: str | Callable[[re.Match[str]], str]) -> None:
        """Replace what matches in the line of one file."""
        project = filename.partition("-")[0]

        def change(text: str) -> str:
            lines = text.splitlines(keepends=True)
            return "".join(re.sub(pattern, put, line) if f">{filename}<" in line else line for line in lines)

        self.html(project, change)

    def entry(self, filename: str, change: Callable[[dict[str, Any]], object]) -> None:
        """Change the object of one file."""
        project = filename.partition("-")[0]
        self.json(project, lambda page: [change(one) for one in page["files"] if one["filename"] == filename])

    def rehash(self, filename: str) -> None:
        """Let the pages promise what a file is now."""
        data = self.file(filename).read_bytes()
        digest = hashlib.sha256(data).hexdigest()
        self.anchor(filename, r'#sha256=\w+(".*)data-size="\d+"', rf'#sha256={digest}\1data-size="{len(data)}"')
        self.entry(filename, lambda one: one.update(hashes={"sha256": digest}, size=len(data)))

    def sibling(self, filename: str, raw: bytes, *, keep_hash: bool = False) -> None:
        """Put other metadata beside a wheel, and let the pages promise it."""
        path = self.file(filename).with_name(f"{filename}.metadata")
        path.write_bytes(raw)
        if not keep_hash:
            digest = hashlib.sha256(raw).hexdigest()
            self.anchor(filename, r'metadata="sha256=\w+"', f'metadata="sha256={digest}"')
            self.entry(filename, lambda one: one.update({"core-metadata": {"sha256": digest}}))

    def rezip(self, filename: str, change: Callable[[dict[str, bytes]], object]) -> None:
        """Change the members of a wheel, and let the pages promise that."""
        path = self.file(filename)
        with zipfile.ZipFile(path) as archive:
            members = {name: archive.read(name) for name in archive.namelist()}
        change(members)
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            for name, content in members.items():
                archive.writestr(zipfile.ZipInfo(name), content)
        path.write_bytes(buffer.getvalue())
        self.rehash(filename)

    def attribute(self, filename: str, text: str) -> None:
        """Put something into an anchor."""
        self.anchor(filename, "<a ", f"<a {text} ")

    # --- the server -------------------------------------------------------------------------------------------------

    def fault(self, path: str, change: Callable[[Reply], Reply]) -> None:
        """Let the host answer otherwise for what matches."""
        assert self.host
        self.host.faults.append(lambda asked, reply: change(reply) if re.fullmatch(path, asked) else reply)


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
    try_clients: bool = True  # whether clients are tried on it; a milder case than the rule speaks of they may take

    def __str__(self) -> str:
        return self.name


def _each(*steps: Callable[[IndexCopy], object]) -> Callable[[IndexCopy], object]:
    """Do several things, one after another."""
    return lambda index_copy: [step(index_copy) for step in steps]


def _unlink(index_copy: IndexCopy, filename: str, ending: str = "") -> None:
    path = index_copy.file(filename)
    path.with_name(path.name + ending).unlink()


def _twice(index_copy: IndexCopy, change: Callable[[dict[str, Any]], object], pattern: str, put: str) -> None:
    """List a file twice, the second time a little different."""

    def html(text: str) -> str:
        line = next(line for line in text.splitlines(keepends=True) if f">{NEW}<" in line)
        return text.replace(line, line + re.sub(pattern, put, line))

    index_copy.html("alpha", html)

    def double(page: dict[str, Any]) -> None:
        again = dict(next(one for one in page["files"] if one["filename"] == NEW))
        change(again)
        page["files"].append(again)

    index_copy.json("alpha", double)


def _both(
    index_copy: IndexCopy,
    pattern: str,
    put: str | Callable[[re.Match[str]], str],
    change: Callable[[dict[str, Any]], object],
    name: str = NEW,
) -> None:
    index_copy.anchor(name, pattern, put)
    index_copy.entry(name, change)


def _link(index_copy: IndexCopy, url: str, name: str = NEW) -> None:
    """Let a file be linked in another way, its hash behind."""
    _both(index_copy, r'href="[^"#]*', f'href="{url}', lambda one: one.update(url=url), name)


def _prefix_link(index_copy: IndexCopy, prefix: str) -> None:
    _both(index_copy, r'href="(\.\./\.\./)', f'href="{prefix}', lambda one: one.update(url=prefix + one["url"][6:]))


def _drop(index_copy: IndexCopy, filename: str) -> None:
    """Take a file off the pages."""
    project = filename.partition("-")[0]
    index_copy.html(project, lambda text: re.sub(rf"<a [^>]*>{re.escape(filename)}</a><br>\n", "", text))
    index_copy.json(project, lambda page: page.update(files=[f for f in page["files"] if f["filename"] != filename]))


def _requires_python(index_copy: IndexCopy, value: str) -> None:
    from html import escape

    _both(
        index_copy,
        r'data-requires-python="[^"]*"',
        f'data-requires-python="{escape(value)}"',
        lambda one: one.update({"requires-python": value}),
    )


def _rename(index_copy: IndexCopy, old: str, new: str) -> None:
    """Give a file, its sibling and its entries another name."""
    path = index_copy.file(old)
    path.with_name(f"{old}.metadata").rename(path.with_name(f"{new}.metadata"))
    path.rename(path.with_name(new))
    index_copy.each_page(old.partition("-")[0], lambda page: page.replace(old.encode(), new.encode()))


def _move_project(index_copy: IndexCopy, old: str, new: str, *, listed: bool = True) -> None:
    index_copy.page(old, "").rename(index_copy.page(new, ""))
    if listed:
        index_copy.each_page("", lambda page: page.replace(f'"{old}/"'.encode(), f'"{new}/"'.encode()))
        index_copy.json("", lambda page: [one.update(name=new) for one in page["projects"] if one["name"] == old])


def _collide(index_copy: IndexCopy) -> None:
    index_copy.html("", lambda text: text.replace("</body>", '<a href="Alpha/">Alpha</a><br>\n</body>'))
    index_copy.json("", lambda page: page["projects"].append({"name": "Alpha"}))


def _other_metadata(version: str = "2.0", name: str = "alpha", **fields: Any) -> bytes:  # noqa: ANN401
    return core_metadata(name, version, **{"requires_python": ">=3.8", "requires_dist": ["gamma>=1"]} | fields)


def _torn(index_copy: IndexCopy) -> None:
    """Cut pages off in the middle of the entry of the newest file."""
    index_copy.each_page("alpha", lambda page: page[: page.index(NEW.encode()) - 20])


def _unfinished(index_copy: IndexCopy) -> None:
    """Cut the page off before the entry of the newest file."""

    def cut(text: str) -> str:
        line = next(line for line in text.splitlines(keepends=True) if f">{NEW}<" in line)
        return text[: text.index(line)]

    index_copy.html("alpha", cut)


def _append(index_copy: IndexCopy, filename: str, data: bytes) -> None:
    with index_copy.file(filename).open("ab") as file:
        file.write(data)
    index_copy.rehash(filename)


def _prepend(index_copy: IndexCopy) -> None:
    path = index_copy.file(NEW)
    path.write_bytes(b"#!/bin/sh\nexit\n" + path.read_bytes())
    index_copy.rehash(NEW)


def _twice_in_zip(index_copy: IndexCopy) -> None:
    import warnings

    path = index_copy.file(NEW)
    with warnings.catch_warnings(action="ignore"), zipfile.ZipFile(path, "a") as archive:
        archive.writestr("alpha/__init__.py", b"something else")
    index_copy.rehash(NEW)


def _local_header(index_copy: IndexCopy) -> None:
    """Let the local header of a member have another name than the directory says."""
    path = index_copy.file(NEW)
    data = path.read_bytes()
    path.write_bytes(data.replace(b"alpha/__init__.py", b"alpha/__evil__.py", 1))
    index_copy.rehash(NEW)


def _unrecorded(members: dict[str, bytes]) -> None:
    members["alpha/more.py"] = b""


def _damage_metadata(index_copy: IndexCopy) -> None:
    """Leave a zip that opens, and nothing in it."""
    index_copy.file(NEW).write_bytes(b"PK\5\6" + bytes(18))
    index_copy.rehash(NEW)


def _manifest_size(index_copy: IndexCopy) -> None:
    with index_copy.page("gamma", HTML).open("ab") as file:
        file.write(b"\n")


def _other_host(index_copy: IndexCopy, reply: Callable[[Reply], Reply]) -> None:
    index_copy.fault(".*", reply)


def _shift(index_copy: IndexCopy) -> None:
    """Move the pages one level deeper, and redirect there."""
    shutil.move(index_copy.tree / "simple/alpha", index_copy.tree / "simple/deep/er/alpha")
    assert index_copy.host
    index_copy.fault("/simple/alpha/", lambda _: Reply(302, headers={"Location": "/simple/deep/er/alpha/"}))


def _flat(index_copy: IndexCopy) -> None:
    lines = "".join(
        line
        for project in ("alpha", "beta", "gamma")
        for line in index_copy.page(project, HTML).read_text().splitlines(keepends=True)
        if "<a " in line
    ).replace("../../", "")
    page = f"<!DOCTYPE html>\n<html><body>\n{lines}</body></html>\n"
    (index_copy.tree / "flat.html").write_text(page)
    index_copy.address = "flat.html"


def _people(index_copy: IndexCopy) -> None:
    index_copy.address = ""


def _login(index_copy: IndexCopy) -> None:
    index_copy.html("", lambda _: '<!DOCTYPE html><html><body><form><input type="password"></form></body></html>')


def _status(index_copy: IndexCopy, status: str) -> None:
    index_copy.html(
        "gamma", lambda t: t.replace("<title>", f'<meta name="pypi:project-status" content="{status}">\n<title>')
    )
    index_copy.json("gamma", lambda page: page.update({"project-status": {"status": status}}))


def _unyank(index_copy: IndexCopy) -> None:
    index_copy.attribute(NEW, "data-yanked")
    index_copy.entry(NEW, lambda one: one.update(yanked=""))


class _Unstable:
    def __init__(self) -> None:
        self.count = 0

    def __call__(self, reply: Reply) -> Reply:
        self.count += 1
        return replace(reply, body=reply.body.rstrip() + b" " * self.count) if reply.status == 200 else reply


def _bare(text: str, **changes: Any) -> Callable[[dict[str, Any]], object]:  # noqa: ANN401
    return lambda one: one.update({text: changes["value"]})


def _case_twins(index_copy: IndexCopy) -> None:
    path = index_copy.file(OLD)
    (path.parent / "README").write_text("one")
    (path.parent / "readme").write_text("two")


def _gzipped(reply: Reply) -> Reply:
    import gzip

    return (
        replace(reply, body=gzip.compress(reply.body)).with_headers(content_encoding="gzip")
        if reply.status == 200
        else reply
    )


def _relink(index_copy: IndexCopy) -> None:
    """Put a link to the wheel that was moved away into its place."""
    digest = hashlib.sha256((index_copy.tree.parent / "away.whl").read_bytes()).hexdigest()
    (index_copy.tree / f"files/{digest[:2]}/{digest[2:]}/{OLD}").symlink_to(index_copy.tree.parent / "away.whl")


HTML_ONLY: tuple[Form, ...] = ("html",)
JSON_ONLY: tuple[Form, ...] = ("json",)
BOTH_FORMS: tuple[Form, ...] = ("both",)
LOCAL: tuple[Place, ...] = ("local",)
SERVED: tuple[Place, ...] = ("served",)

MUTATIONS: tuple[Mutation, ...] = (
    # What it is
    Mutation("a find-links page for an index", "find-links-page", _flat, HTML_ONLY),
    Mutation("a page for people for an index", "not-an-index", _people, BOTH_FORMS, SERVED),
    Mutation("a login page for an index", "not-an-index", _login, HTML_ONLY, try_clients=False),
    Mutation("nothing at all", "not-an-index", lambda v: setattr(v, "address", "nothing/"), BOTH_FORMS, SERVED),
    # Installs break
    Mutation("the newest wheel is gone", "file-missing", lambda v: _unlink(v, NEW), files="head"),
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
        _each(lambda v: v.file(NEW).write_bytes(b"<html>no"), lambda v: v.rehash(NEW)),
    ),
    Mutation("metadata advertised and gone", "metadata-missing", lambda v: _unlink(v, NEW, ".metadata"), files="head"),
    Mutation(
        "metadata of another hash",
        "metadata-hash",
        lambda v: v.sibling(NEW, _other_metadata(summary="x"), keep_hash=True),
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
    Mutation("a page cut off within a tag", "page-broken", _torn),
    Mutation("a page of no byte", "page-broken", lambda v: v.each_page("alpha", lambda _: b"")),
    Mutation("a root of no byte", "page-broken", lambda v: v.each_page("", lambda _: b"")),
    Mutation(
        "a page shorter than it says",
        "page-broken",
        lambda v: v.fault("/simple/alpha/", lambda r: replace(r, body=r.body[:-30], content_length=len(r.body))),
        places=SERVED,
    ),
    Mutation("a page cut off between tags", "page-unfinished", _unfinished, HTML_ONLY),
    Mutation(
        "a page without files",
        "page-empty",
        _each(
            lambda v: _drop(v, NEW), lambda v: _drop(v, OLD), lambda v: v.json("alpha", lambda p: p.update(versions=[]))
        ),
    ),
    Mutation("a project without its page", "page-missing", lambda v: shutil.rmtree(v.page("alpha", ""))),
    Mutation("a page at another spelling", "page-missing", lambda v: _move_project(v, "alpha", "Alpha"), HTML_ONLY),
    Mutation(
        "a page that answers 403",
        "page-missing",
        lambda v: v.fault("/simple/alpha/", lambda _: Reply(403)),
        places=SERVED,
    ),
    Mutation("a redirect that moves links", "redirect-moves-links", _shift, places=SERVED),
    Mutation("a wheel replaced", "file-hash", lambda v: v.file(NEW).write_bytes(v.file(OLD).read_bytes())),
    Mutation(
        "a wheel cut off",
        "file-hash",
        lambda v: v.file(NEW).write_bytes(v.file(NEW).read_bytes()[:-10]),
        try_clients=False,  # uv fails, too, after having asked again and again for a quarter of a minute
    ),
    Mutation(
        "one bit of an sdist flipped",
        "file-hash",
        lambda v: v.file("beta-1.0.tar.gz").write_bytes(b"\x1f\x8b\x09" + v.file("beta-1.0.tar.gz").read_bytes()[3:]),
        try_clients=False,
    ),
    Mutation(
        "a size that is not the file's",
        "file-size",
        lambda v: _both(v, r'data-size="\d+"', 'data-size="7"', _bare("size", value=7)),
        files="head",
    ),
    Mutation("a size of null", "field-type", lambda v: v.entry(NEW, _bare("size", value=None)), JSON_ONLY),
    Mutation("a size in quotes", "field-type", lambda v: v.entry(NEW, _bare("size", value="100")), JSON_ONLY),
    Mutation(
        "an upload time that is none",
        "field-type",
        lambda v: v.entry(NEW, _bare("upload-time", value="yesterday")),
        JSON_ONLY,
    ),
    Mutation(
        "an upload time without T and Z",
        "field-type",
        lambda v: v.entry(NEW, _bare("upload-time", value="2026-01-02 03:04:05")),
        JSON_ONLY,
    ),
    Mutation(
        "core metadata that is a text",
        "field-type",
        lambda v: v.entry(NEW, _bare("core-metadata", value="yes")),
        JSON_ONLY,
    ),
    Mutation("yanked of null", "field-type", lambda v: v.entry(NEW, _bare("yanked", value=None)), JSON_ONLY),
    Mutation("hashes that are a list", "field-type", lambda v: v.entry(NEW, _bare("hashes", value=[])), JSON_ONLY),
    Mutation("no hashes at all", "field-type", lambda v: v.entry(NEW, lambda one: one.pop("hashes")), JSON_ONLY),
    Mutation("a file without an address", "field-type", lambda v: v.entry(NEW, lambda one: one.pop("url")), JSON_ONLY),
    Mutation(
        "a file that is a text", "field-type", lambda v: v.json("alpha", lambda p: p["files"].append("x")), JSON_ONLY
    ),
    Mutation("a link one level wrong", "file-missing", lambda v: _prefix_link(v, "../"), files="head"),
    Mutation("a link to nowhere on the web", "bad-link", lambda v: _link(v, f"javascript:x/{NEW}")),
    Mutation("a link to a file of the machine", "bad-link", lambda v: _link(v, f"file:///srv/{NEW}")),
    Mutation("a link that is no address", "bad-link", lambda v: _link(v, f"http://[x/{NEW}")),
    Mutation(
        "a link to another name",
        "bad-link",
        lambda v: v.entry(NEW, lambda one: one.update(url="../../files/x/other.whl")),
        JSON_ONLY,
        files="none",
    ),
    Mutation("a hash of an unknown kind", "fragment", lambda v: v.anchor(NEW, "#sha256=", "#sha1="), HTML_ONLY),
    Mutation("egg= behind a link", "fragment", lambda v: v.anchor(NEW, r"#sha256=\w+", "#egg=alpha"), HTML_ONLY),
    Mutation(
        "a base that is relative",
        "base-link",
        lambda v: v.html("alpha", lambda t: t.replace("<title>", '<base href="../alpha/">\n<title>')),
        HTML_ONLY,
    ),
    Mutation(
        'metadata="false" in HTML',
        "metadata-attribute",
        _each(
            lambda v: v.anchor(NEW, r'data-(core|dist-info)-metadata="[^"]*"', ""),
            lambda v: v.attribute(NEW, 'data-core-metadata="false"'),
            lambda v: _unlink(v, NEW, ".metadata"),
        ),
        HTML_ONLY,
    ),
    Mutation("a wheel that is no archive", "wheel-broken", _damage_metadata, files="deep"),
    Mutation(
        "a wheel cut off and promised so",
        "wheel-broken",
        _each(lambda v: v.file(NEW).write_bytes(v.file(NEW).read_bytes()[:-40]), lambda v: v.rehash(NEW)),
        files="deep",
        try_clients=False,  # the same
    ),
    # Silently wrong
    Mutation(
        "metadata with a false dependency",
        "metadata-differs",
        lambda v: v.sibling(NEW, _other_metadata(requires_dist=["gamma>=1", "beta"])),
        files="deep",
    ),
    Mutation(
        "metadata without a dependency",
        "metadata-differs",
        lambda v: v.sibling(NEW, _other_metadata(requires_dist=[])),
        files="deep",
    ),
    Mutation(
        "metadata with other line ends",
        "metadata-bytes",
        lambda v: v.sibling(NEW, _other_metadata().replace(b"\n", b"\r\n")),
        files="deep",
    ),
    Mutation("metadata of another version", "metadata-name", lambda v: v.sibling(NEW, _other_metadata("3.0"))),
    Mutation("metadata of another project", "metadata-name", lambda v: v.sibling(NEW, _other_metadata(name="omega"))),
    Mutation(
        "a wheel renamed to another version",
        "metadata-name",
        _each(
            lambda v: _rename(v, NEW, "alpha-3.0-py3-none-any.whl"),
            lambda v: v.json("alpha", lambda p: p.update(versions=["1.0", "3.0"])),
        ),
    ),
    Mutation(
        "requires-python that is not the file's", "requires-python-differs", lambda v: _requires_python(v, ">=3.99")
    ),
    Mutation(
        "requires-python that is none", "requires-python-invalid", lambda v: _requires_python(v, ">=3."), files="none"
    ),
    Mutation(
        "requires-python left out",
        "requires-python-missing",
        lambda v: _both(v, r'data-requires-python="[^"]*"', "", lambda one: one.pop("requires-python")),
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
        lambda v: v.entry(NEW, _bare("yanked", value=True)),
        BOTH_FORMS,
    ),
    Mutation(
        "a file of another project",
        "foreign-file",
        _each(
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
        lambda v: _twice(
            v, lambda one: one.update(hashes={"sha256": "0" * 64}), r"sha256=\w+\"(?= data-req)", f'sha256={"0" * 64}"'
        ),
        files="head",
    ),
    Mutation(
        "two spellings of one wheel",
        "duplicate-file",
        lambda v: _twice(
            v,
            lambda one: one.update(filename="Alpha-2.0-py3-none-any.whl", url=one["url"].replace("alpha-2", "Alpha-2")),
            "alpha-2",
            "Alpha-2",
        ),
        files="none",
    ),
    Mutation(
        "a name that no client reads",
        "unusable-name",
        _each(
            lambda v: _rename(v, NEW, "alpha-2.0-any.whl"),
            lambda v: v.json("alpha", lambda p: p.update(versions=["1.0", "2.0"])),
        ),
    ),
    Mutation("a version that is none", "unusable-name", lambda v: _rename(v, NEW, "alpha-2.0.x.y-py3-none-any.whl")),
    Mutation("an ending that no client installs", "unusable-name", lambda v: _rename(v, NEW, "alpha-2.0-py3.11.egg")),
    Mutation("yanked, but not to pip", "yanked-unclear", _unyank, intended={"alpha": "1.0"}),
    Mutation("no hash", "no-hash", lambda v: _both(v, r"#sha256=\w+", "", lambda one: one.update(hashes={}))),
    Mutation(
        "only md5",
        "no-hash",
        lambda v: _both(
            v,
            r"#sha256=\w+",
            f"#md5={hashlib.md5(v.file(NEW).read_bytes()).hexdigest()}",
            lambda one: one.update(hashes={"md5": hashlib.md5(v.file(NEW).read_bytes()).hexdigest()}),
        ),
    ),
    Mutation(
        "a hash too short",
        "hash-malformed",
        lambda v: _both(v, r"#sha256=\w+", "#sha256=abc", lambda one: one.update(hashes={"sha256": "abc"})),
    ),
    Mutation(
        "a hash in capitals",
        "hash-malformed",
        lambda v: _both(
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
        lambda v: _both(v, r'data-(core|dist-info)-metadata="[^"]*"', "", lambda one: one.pop("core-metadata"), NEW),
    ),
    Mutation("a project listed in two spellings", "name-collision", _collide),
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
        lambda v: v.entry(NEW, _bare("yanked", value="red \x1b[31m")),
        JSON_ONLY,
    ),
    Mutation(
        "a password in a link",
        "credentials-in-link",
        lambda v: _link(v, f"https://me:secret@127.0.0.1:1/{NEW}"),
        files="none",
    ),
    Mutation("two members of one name", "wheel-ambiguous", _twice_in_zip, files="deep"),
    Mutation("bytes behind the zip", "wheel-ambiguous", lambda v: _append(v, NEW, b"more"), files="deep"),
    Mutation("bytes before the zip", "wheel-ambiguous", _prepend, files="deep"),
    Mutation("another name in a local header", "wheel-ambiguous", _local_header, files="deep"),
    Mutation("a member that RECORD lacks", "wheel-record", lambda v: v.rezip(NEW, _unrecorded), files="deep"),
    Mutation(
        "no RECORD", "wheel-record", lambda v: v.rezip(NEW, lambda m: m.pop("alpha-2.0.dist-info/RECORD")), files="deep"
    ),
    # Freshness and transport
    Mutation(
        "wheels packed on the way",
        "content-encoding",
        lambda v: v.fault(r".*\.whl", _gzipped),
        places=SERVED,
        files="head",
    ),
    Mutation(
        "neither ETag nor Last-Modified",
        "no-validator",
        lambda v: _other_host(v, lambda r: r.with_headers(etag=None, last_modified=None)),
        places=SERVED,
    ),
    Mutation(
        "no Cache-Control",
        "page-cache",
        lambda v: _other_host(v, lambda r: r.with_headers(cache_control=None)),
        places=SERVED,
    ),
    Mutation(
        "pages cached for a day",
        "page-cache",
        lambda v: _other_host(v, lambda r: r.with_headers(cache_control="max-age=86400")),
        places=SERVED,
    ),
    Mutation(
        "files not cached",
        "file-cache",
        lambda v: _other_host(v, lambda r: r.with_headers(cache_control="max-age=600")),
        places=SERVED,
    ),
    Mutation("no Vary", "no-vary", lambda v: _other_host(v, lambda r: r.with_headers(vary=None)), BOTH_FORMS, SERVED),
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
        "403 for what is not there",
        "unknown-project",
        lambda v: v.fault("/simple/mkindex-.*", lambda _: Reply(403)),
        places=SERVED,
    ),
    Mutation(
        "200 for what is not there",
        "unknown-project",
        lambda v: v.fault("/simple/mkindex-.*", lambda _: Reply(200, b"<html></html>", {"Content-Type": "text/html"})),
        places=SERVED,
    ),
    Mutation(
        "no redirect to the slash",
        "no-redirect",
        lambda v: _other_host(v, lambda r: Reply(404) if r.status == 301 else r),
        places=SERVED,
    ),
    Mutation("another root each time", "unstable", lambda v: v.fault("/simple/", _Unstable()), places=SERVED),
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
        _each(
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
        "a link that shows something else",
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
        "a link on the root that is no project",
        "stray-link",
        lambda v: v.html("", lambda t: t.replace("</body>", '<a href="https://example.com/made/by">by</a></body>')),
        HTML_ONLY,
    ),
    Mutation(
        "a signature that is not there",
        "gpg-sig",
        lambda v: _both(v, "<a ", '<a data-gpg-sig="true" ', _bare("gpg-sig", value=True)),
    ),
    Mutation(
        "provenance that is not there",
        "provenance",
        lambda v: _both(
            v, "<a ", '<a data-provenance="https://127.0.0.1:9/x" ', _bare("provenance", value="https://127.0.0.1:9/x")
        ),
        places=SERVED,
    ),
    Mutation(
        "dist-info-metadata in JSON",
        "dist-info-metadata",
        lambda v: v.entry(NEW, lambda one: one.update({"dist-info-metadata": one["core-metadata"]})),
        JSON_ONLY,
    ),
    Mutation("a status that there is not", "project-status", lambda v: _status(v, "resting")),
    Mutation("files of a quarantined project", "project-status", lambda v: _status(v, "quarantined")),
    Mutation(
        "a + that is not escaped",
        "raw-plus",
        lambda v: _both(v, "%2B", "+", lambda one: one.update(url=one["url"].replace("%2B", "+")), CUDA),
    ),
    Mutation("links that begin with a slash", "root-relative", lambda v: _prefix_link(v, "/"), places=LOCAL),
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
        _each(lambda v: _drop(v, NEW), lambda v: v.json("alpha", lambda p: p.update(versions=["1.0"]))),
        BOTH_FORMS,
        intended={"alpha": "2.0"},
        places=LOCAL,
    ),
    Mutation(
        "a project that the root does not list",
        "project-not-listed",
        _each(
            lambda v: v.html("", lambda t: t.replace('<a href="gamma/">gamma</a><br>\n', "")),
            lambda v: v.json("", lambda p: p.update(projects=p["projects"][:2])),
        ),
        BOTH_FORMS,
        LOCAL,
        files="none",
        options={"ignore": ("not-listed",)},
    ),
    Mutation(
        "a manifest that knows other pages", "manifest", _manifest_size, BOTH_FORMS, LOCAL, options={"manifest": True}
    ),
    Mutation(
        "a link out of the tree",
        "link-leaves",
        _each(
            lambda v: shutil.copy(v.file(OLD), v.tree.parent / "away.whl"),
            lambda v: v.file(OLD).unlink(),
            lambda v: v.tree.joinpath("files/aa").mkdir(exist_ok=True),
            _relink,
        ),
        BOTH_FORMS,
        LOCAL,
    ),
    Mutation("names that differ in case", "case-collision", _case_twins, BOTH_FORMS, LOCAL),
    Mutation("a file that a server cannot read", "unreadable", lambda v: v.file(NEW).chmod(0o600), BOTH_FORMS, LOCAL),
    Mutation(
        "a file newer than its page",
        "page-older",
        lambda v: os.utime(v.file(NEW), (4_000_000_000, 4_000_000_000)),
        BOTH_FORMS,
        LOCAL,
    ),
    # Closure
    Mutation(
        "a requirement that nothing satisfies",
        "unsatisfied",
        _each(
            lambda v: shutil.rmtree(v.page("gamma", "")),
            lambda v: v.file("gamma-1.0-py3-none-any.whl").unlink(),
            lambda v: v.html("", lambda t: t.replace('<a href="gamma/">gamma</a><br>\n', "")),
            lambda v: v.json("", lambda p: p.update(projects=p["projects"][:2])),
        ),
        options={"closure": True},
        install=("alpha==2.0",),
    ),
)


def copy_index(good: Path, directory: Path, form: Form, *, manifest: bool = False) -> IndexCopy:
    """Copy the good tree, with pages of one form only."""
    tree = directory / "tree"
    shutil.copytree(good, tree, ignore=None if manifest else shutil.ignore_patterns(".mkindex"))
    for name in {"html": [JSON], "json": [HTML]}.get(form, []):
        for path in (tree / "simple").rglob(name):
            path.unlink()
    return IndexCopy(tree, form)
