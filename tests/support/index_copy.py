"""A good index, and copies of it that tests may break."""

from __future__ import annotations

import hashlib
import io
import json
import re
import shutil
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from support.builds import publish
from support.wheels import write_sdist, write_wheel

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from support.index_server import IndexServer, Reply

Form = Literal["html", "json", "both"]
Place = Literal["local", "served"]

NEW, OLD = "alpha-2.0-py3-none-any.whl", "alpha-1.0-py3-none-any.whl"
WHEEL, RECORD = "alpha-2.0.dist-info/WHEEL", "alpha-2.0.dist-info/RECORD"  # in NEW
CUDA = "beta-1.0+cu128-py3-none-any.whl"
HTML, JSON = "index.html", "index.v1_json"


def build_good_index(directory: Path) -> Path:
    """Build the index that is copied: alpha 2.0 requires gamma, beta has a local version."""
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
    """A copy of the good index, with pages in one form or both, that a mutation breaks."""

    tree: Path
    form: Form
    host: IndexServer | None = None
    address: str = "simple/"  # path below the host that is checked and installed from

    # --- places -----------------------------------------------------------------------------------------------------

    def page(self, project: str, name: str) -> Path:
        return self.tree / "simple" / project / name if project else self.tree / "simple" / name

    def file(self, filename: str) -> Path:
        (path,) = self.tree.glob(f"files/*/*/{filename}")
        return path

    # --- pages ------------------------------------------------------------------------------------------------------

    def each_page(self, project: str, change: Callable[[bytes], bytes]) -> None:
        """Change the bytes of a page, in each form that exists."""
        for name in (HTML, JSON):
            if (path := self.page(project, name)).exists():
                path.write_bytes(change(path.read_bytes()))

    def html(self, project: str, change: Callable[[str], str]) -> None:
        path = self.page(project, HTML)
        if path.exists():
            before = path.read_text()
            path.write_text(change(before))
            assert path.read_text() != before, "the page did not change"

    def json(self, project: str, change: Callable[[Any], object]) -> None:
        path = self.page(project, JSON)
        if path.exists():
            page = json.loads(path.read_text())
            change(page)
            path.write_text(json.dumps(page))

    def anchor(self, filename: str, pattern: str, put: str | Callable[[re.Match[str]], str]) -> None:
        """Replace a pattern in the line of one file."""
        project = filename.partition("-")[0]

        def change(text: str) -> str:
            lines = text.splitlines(keepends=True)
            return "".join(re.sub(pattern, put, line) if f">{filename}<" in line else line for line in lines)

        self.html(project, change)

    def entry(self, filename: str, change: Callable[[dict[str, Any]], object]) -> None:
        """Change the JSON object of one file."""
        project = filename.partition("-")[0]
        self.json(project, lambda page: [change(one) for one in page["files"] if one["filename"] == filename])

    def rehash(self, filename: str) -> None:
        """Update hash and size of a changed file on its pages."""
        data = self.file(filename).read_bytes()
        digest = hashlib.sha256(data).hexdigest()
        self.anchor(filename, r'#sha256=\w+(".*)data-size="\d+"', rf'#sha256={digest}\1data-size="{len(data)}"')
        self.entry(filename, lambda one: one.update(hashes={"sha256": digest}, size=len(data)))

    def sibling(self, filename: str, raw: bytes, *, keep_hash: bool = False) -> None:
        """Replace the .metadata file of a wheel, and update its hash on the pages."""
        path = self.file(filename).with_name(f"{filename}.metadata")
        path.write_bytes(raw)
        if not keep_hash:
            digest = hashlib.sha256(raw).hexdigest()
            self.anchor(filename, r'metadata="sha256=\w+"', f'metadata="sha256={digest}"')
            self.entry(filename, lambda one: one.update({"core-metadata": {"sha256": digest}}))

    def rezip(self, filename: str, change: Callable[[dict[str, bytes]], object]) -> None:
        """Change the members of a wheel, and update its hash on the pages."""
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
        """Insert an attribute into an anchor."""
        self.anchor(filename, "<a ", f"<a {text} ")

    # --- the server -------------------------------------------------------------------------------------------------

    def fault(self, path: str, change: Callable[[Reply], Reply]) -> None:
        """Change the replies of the host for matching paths."""
        assert self.host
        self.host.faults.append(lambda asked, reply: change(reply) if re.fullmatch(path, asked) else reply)


def copy_index(good: Path, directory: Path, form: Form, *, manifest: bool = False) -> IndexCopy:
    """Copy the good tree, with pages in one form or both."""
    tree = directory / "tree"
    shutil.copytree(good, tree, ignore=None if manifest else shutil.ignore_patterns(".mkindex"))
    for name in {"html": [JSON], "json": [HTML]}.get(form, []):
        for path in (tree / "simple").rglob(name):
            path.unlink()
    return IndexCopy(tree, form)
