"""Single changes to a copy of an index; mutations consist of them."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import zipfile
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from support.attestations import provenance
from support.index_copy import CUDA, HTML, NEW, OLD, IndexCopy
from support.index_server import Reply
from support.wheels import core_metadata

if TYPE_CHECKING:
    from collections.abc import Callable


def all_of(*steps: Callable[[IndexCopy], object]) -> Callable[[IndexCopy], object]:
    """Return a step that takes several steps in order."""
    return lambda index_copy: [step(index_copy) for step in steps]


def remove_file(index_copy: IndexCopy, filename: str, ending: str = "") -> None:
    path = index_copy.file(filename)
    path.with_name(path.name + ending).unlink()


def list_twice(index_copy: IndexCopy, change: Callable[[dict[str, Any]], object], pattern: str, put: str) -> None:
    """List a file twice, the second time with a difference."""

    def html(text: str) -> str:
        line = next(line for line in text.splitlines(keepends=True) if f">{NEW}<" in line)
        return text.replace(line, line + re.sub(pattern, put, line))

    index_copy.html("alpha", html)

    def double(page: dict[str, Any]) -> None:
        again = dict(next(one for one in page["files"] if one["filename"] == NEW))
        change(again)
        page["files"].append(again)

    index_copy.json("alpha", double)


def change_both(
    index_copy: IndexCopy,
    pattern: str,
    put: str | Callable[[re.Match[str]], str],
    change: Callable[[dict[str, Any]], object],
    name: str = NEW,
) -> None:
    index_copy.anchor(name, pattern, put)
    index_copy.entry(name, change)


def set_link(index_copy: IndexCopy, url: str, name: str = NEW) -> None:
    """Replace the link to a file, but keep its hash."""
    change_both(index_copy, r'href="[^"#]*', f'href="{url}', lambda one: one.update(url=url), name)


def prefix_link(index_copy: IndexCopy, prefix: str) -> None:
    change_both(
        index_copy, r'href="(\.\./\.\./)', f'href="{prefix}', lambda one: one.update(url=prefix + one["url"][6:])
    )


def drop_entry(index_copy: IndexCopy, filename: str) -> None:
    """Remove a file from the pages."""
    project = filename.partition("-")[0]
    index_copy.html(project, lambda text: re.sub(rf"<a [^>]*>{re.escape(filename)}</a><br>\n", "", text))
    index_copy.json(project, lambda page: page.update(files=[f for f in page["files"] if f["filename"] != filename]))


def set_requires_python(index_copy: IndexCopy, value: str) -> None:
    from html import escape

    change_both(
        index_copy,
        r'data-requires-python="[^"]*"',
        f'data-requires-python="{escape(value)}"',
        lambda one: one.update({"requires-python": value}),
    )


def rename_file(index_copy: IndexCopy, old: str, new: str) -> None:
    """Rename a file, its sibling and its entries."""
    path = index_copy.file(old)
    path.with_name(f"{old}.metadata").rename(path.with_name(f"{new}.metadata"))
    path.rename(path.with_name(new))
    index_copy.each_page(old.partition("-")[0], lambda page: page.replace(old.encode(), new.encode()))


def move_project(index_copy: IndexCopy, old: str, new: str, *, listed: bool = True) -> None:
    index_copy.page(old, "").rename(index_copy.page(new, ""))
    if listed:
        index_copy.each_page("", lambda page: page.replace(f'"{old}/"'.encode(), f'"{new}/"'.encode()))
        index_copy.json("", lambda page: [one.update(name=new) for one in page["projects"] if one["name"] == old])


def add_second_spelling(index_copy: IndexCopy) -> None:
    index_copy.html("", lambda text: text.replace("</body>", '<a href="Alpha/">Alpha</a><br>\n</body>'))
    index_copy.json("", lambda page: page["projects"].append({"name": "Alpha"}))


def changed_metadata(version: str = "2.0", name: str = "alpha", **fields: Any) -> bytes:  # noqa: ANN401
    return core_metadata(name, version, **{"requires_python": ">=3.8", "requires_dist": ["gamma>=1"]} | fields)


def cut_pages(index_copy: IndexCopy) -> None:
    """Cut the pages off within the entry of the newest file."""
    index_copy.each_page("alpha", lambda page: page[: page.index(NEW.encode()) - 20])


def cut_html_before_newest(index_copy: IndexCopy) -> None:
    """Cut the HTML page off before the entry of the newest file."""

    def cut(text: str) -> str:
        line = next(line for line in text.splitlines(keepends=True) if f">{NEW}<" in line)
        return text[: text.index(line)]

    index_copy.html("alpha", cut)


def append_to_file(index_copy: IndexCopy, filename: str, data: bytes) -> None:
    with index_copy.file(filename).open("ab") as file:
        file.write(data)
    index_copy.rehash(filename)


def prepend_to_wheel(index_copy: IndexCopy) -> None:
    path = index_copy.file(NEW)
    path.write_bytes(b"#!/bin/sh\nexit\n" + path.read_bytes())
    index_copy.rehash(NEW)


def duplicate_member(index_copy: IndexCopy) -> None:
    import warnings

    path = index_copy.file(NEW)
    with warnings.catch_warnings(action="ignore"), zipfile.ZipFile(path, "a") as archive:
        archive.writestr("alpha/__init__.py", b"something else")
    index_copy.rehash(NEW)


def rename_in_local_header(index_copy: IndexCopy) -> None:
    """Change the name of a member in its local header only."""
    path = index_copy.file(NEW)
    data = path.read_bytes()
    path.write_bytes(data.replace(b"alpha/__init__.py", b"alpha/__evil__.py", 1))
    index_copy.rehash(NEW)


def add_unrecorded_member(members: dict[str, bytes]) -> None:
    members["alpha/more.py"] = b""


def empty_zip(index_copy: IndexCopy) -> None:
    """Replace a wheel with a valid but empty zip file."""
    index_copy.file(NEW).write_bytes(b"PK\5\6" + bytes(18))
    index_copy.rehash(NEW)


def change_page_size(index_copy: IndexCopy) -> None:
    with index_copy.page("gamma", HTML).open("ab") as file:
        file.write(b"\n")


def change_replies(index_copy: IndexCopy, reply: Callable[[Reply], Reply]) -> None:
    index_copy.fault(".*", reply)


def redirect_deeper(index_copy: IndexCopy) -> None:
    """Move the pages to a deeper directory, and redirect to them."""
    shutil.move(index_copy.tree / "simple/alpha", index_copy.tree / "simple/deep/er/alpha")
    assert index_copy.host
    index_copy.fault("/simple/alpha/", lambda _: Reply(302, headers={"Location": "/simple/deep/er/alpha/"}))


def make_find_links_page(index_copy: IndexCopy) -> None:
    lines = "".join(
        line
        for project in ("alpha", "beta", "gamma")
        for line in index_copy.page(project, HTML).read_text().splitlines(keepends=True)
        if "<a " in line
    ).replace("../../", "")
    page = f"<!DOCTYPE html>\n<html><body>\n{lines}</body></html>\n"
    (index_copy.tree / "flat.html").write_text(page)
    index_copy.address = "flat.html"


def point_at_people_page(index_copy: IndexCopy) -> None:
    index_copy.address = ""


def make_login_page(index_copy: IndexCopy) -> None:
    index_copy.html("", lambda _: '<!DOCTYPE html><html><body><form><input type="password"></form></body></html>')


def set_status(index_copy: IndexCopy, status: str) -> None:
    index_copy.html(
        "gamma", lambda t: t.replace("<title>", f'<meta name="pypi:project-status" content="{status}">\n<title>')
    )
    index_copy.json("gamma", lambda page: page.update({"project-status": {"status": status}}))


def yank_without_reason(index_copy: IndexCopy) -> None:
    index_copy.attribute(NEW, "data-yanked")
    index_copy.entry(NEW, lambda one: one.update(yanked=""))


def list_second_variant(index_copy: IndexCopy) -> None:
    """List a wheel with a local label once more, with another label."""
    project = CUDA.partition("-")[0]

    def add_line(text: str) -> str:
        return re.sub(
            rf"<a .*{re.escape(CUDA)}</a><br>\n", lambda line: line[0] + line[0].replace("cu128", "other"), text
        )

    def add_entry(page: dict[str, Any]) -> None:
        entry = next(one for one in page["files"] if one["filename"] == CUDA)
        names = {key: entry[key].replace("cu128", "other") for key in ("filename", "url")}
        page["files"].append(entry | names)

    index_copy.html(project, add_line)
    index_copy.json(project, add_entry)


def list_labels(*labels: str, combined: bytes | None = None) -> Callable[[IndexCopy], None]:
    """List a wheel also with labels, as if it were several variants; `combined` says what they are for."""

    def add(index_copy: IndexCopy) -> None:
        directory = index_copy.file(NEW).parent
        names = [NEW.replace(".whl", f"-{label}.whl") for label in labels]
        for name in names:
            shutil.copy(index_copy.file(NEW), directory / name)
        if combined is not None:
            names.append("alpha-2.0-variants.json")
            (directory / names[-1]).write_bytes(combined)

        def add_lines(text: str) -> str:
            return re.sub(
                rf"<a .*{re.escape(NEW)}</a><br>\n",
                lambda line: line[0] + "".join(_of_json(line[0].replace(NEW, name), combined) for name in names),
                text,
            )

        def add_entries(page: dict[str, Any]) -> None:
            entry = next(one for one in page["files"] if one["filename"] == NEW)
            for name in names:
                own = {"filename": name, "url": entry["url"].replace(NEW, name)}
                if combined is not None and name.endswith(".json"):
                    own |= {"hashes": {"sha256": hashlib.sha256(combined).hexdigest()}, "size": len(combined)}
                    page["files"].append(own)
                else:
                    page["files"].append({key: entry[key] for key in entry if key != "core-metadata"} | own)

        index_copy.html("alpha", add_lines)
        index_copy.json("alpha", add_entries)

    return add


def _of_json(line: str, combined: bytes | None) -> str:
    """A line of a page, without what is true only of the wheel that it was copied from."""
    line = re.sub(r' data-(?:dist-info|core)-metadata="[^"]*"', "", line)
    if combined is None or ".json" not in line:
        return line
    line = re.sub(r' data-size="[0-9]+"', "", line)
    return re.sub(r"sha256=[0-9a-f]{64}", f"sha256={hashlib.sha256(combined).hexdigest()}", line)


class ChangingReply:
    def __init__(self) -> None:
        self.count = 0

    def __call__(self, reply: Reply) -> Reply:
        self.count += 1
        return replace(reply, body=reply.body.rstrip() + b" " * self.count) if reply.status == 200 else reply


def set_key(text: str, **changes: Any) -> Callable[[dict[str, Any]], object]:  # noqa: ANN401
    return lambda one: one.update({text: changes["value"]})


def add_names_differing_in_case(index_copy: IndexCopy) -> None:
    path = index_copy.file(OLD)
    (path.parent / "README").write_text("one")
    (path.parent / "readme").write_text("two")


def gzip_reply(reply: Reply) -> Reply:
    import gzip

    return (
        replace(reply, body=gzip.compress(reply.body)).with_headers(content_encoding="gzip")
        if reply.status == 200
        else reply
    )


def symlink_to_moved_wheel(index_copy: IndexCopy) -> None:
    """Replace a moved wheel with a symlink to it."""
    digest = hashlib.sha256((index_copy.tree.parent / "away.whl").read_bytes()).hexdigest()
    (index_copy.tree / f"files/{digest[:2]}/{digest[2:]}/{OLD}").symlink_to(index_copy.tree.parent / "away.whl")


def remove_all_projects(index_copy: IndexCopy) -> None:
    """Leave an index without projects."""
    for name in ("alpha", "beta", "gamma"):
        shutil.rmtree(index_copy.page(name, ""))
    index_copy.html("", lambda text: re.sub(r"<a .*</a><br>\n", "", text))
    index_copy.json("", lambda page: page.update(projects=[]))


def name_provenance(index_copy: IndexCopy, sha256: str = "") -> None:
    """Name a provenance object that nobody signed. `sha256`: of the file that it is about, if that is another one."""
    sha256 = sha256 or hashlib.sha256(index_copy.file(NEW).read_bytes()).hexdigest()
    own = f"files/{'0' * 2}/{'0' * 62}/{NEW}.provenance"
    path = index_copy.tree / own
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(provenance(NEW, sha256)))
    url = f"https://index.example/{own}"
    change_both(index_copy, "<a ", f'<a data-provenance="{url}" ', lambda one: one.update(provenance=url))
