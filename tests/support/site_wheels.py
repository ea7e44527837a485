"""Wheels whose metadata says much, and wheels whose metadata means harm."""

from __future__ import annotations

from typing import TYPE_CHECKING

from support.wheels import metadata, write_sdist, write_wheel

if TYPE_CHECKING:
    from pathlib import Path

JANUARY = 1_767_225_600  # 2026-01-01, in seconds since the epoch
DAY = 86_400

MARKDOWN = """\
# Rich text

A *paragraph* with [a link](https://docs.example/), [a relative one](docs/other.md) and ![a picture](https://img.example/a.png).

```python
print("hello")
```

- [x] done

| a | b |
|---|---|
| 1 | 2 |
"""
RST = "Title\n=====\n\nA paragraph with ``code`` and `a link <https://docs.example/>`_.\n\n.. image:: https://img.example/a.png\n"

# What must not survive in a page, whatever a README is written in.
ATTACKS = """\
<script>alert(1)</script>
<img src=x onerror=alert(1)>
<a href="javascript:alert(1)">click</a>
<a title='></a><script>alert(1)</script>'>title</a>
<input type='><script>alert(1)</script>'>
<h1 id="search" class="banner hidden">fake</h1>
<style>body { display: none }</style>
<iframe src="https://evil.example/"></iframe>
<form action="https://evil.example/"><button>go</button></form>
<base href="https://evil.example/">
<meta http-equiv="refresh" content="0;url=https://evil.example/">
<svg onload=alert(1)></svg>
<div style="position:fixed;inset:0">over everything</div>
</div></section></main></body></html>
"""
TURNED = "\u202egnp.exe\u202c \u2066isolated\u2069 \u200fright"


def write_examples(directory: Path) -> None:
    """Write four projects that require each other, whose releases are a day apart."""
    directory.mkdir(parents=True, exist_ok=True)
    write_wheel(directory, "base", "1.0", summary="The first release", mtime=JANUARY)
    write_wheel(
        directory,
        "base",
        "2.0",
        summary="What others stand on",
        requires_python=">=3.9",
        headers=[
            "License-Expression: MIT",
            "Author-email: Ada <ada@example.com>, bob@example.com",
            "Keywords: alpha,beta",
            "Classifier: Topic :: Software Development",
            "Project-URL: Docs, https://docs.example/",
            "Project-URL: Odd, javascript:alert(1)",
            "Import-Name: base_module",
            "Platform: any",
            "Description-Content-Type: text/markdown",
        ],
        body=MARKDOWN,
        metadata_version="2.4",
        mtime=JANUARY + DAY,
    )
    for tag in ("cp312-cp312-manylinux_2_28_x86_64", "cp313-cp313-win_amd64"):
        write_wheel(directory, "native", "1.0rc1", tag=tag, requires_dist=["base>=1"], mtime=JANUARY + 2 * DAY)
    write_sdist(directory, "native", "1.0rc1", requires_dist=["base>=1"], mtime=JANUARY + 2 * DAY)
    write_wheel(
        directory,
        "app",
        "1!1.0+local.1",
        summary="An application",
        requires_dist=["base[x]>=1; python_version < '4'", "native; extra == 'fast'", "elsewhere"],
        extras=["fast"],
        headers=["Description-Content-Type: text/x-rst"],
        body=RST,
        mtime=JANUARY + 3 * DAY,
    )


def write_hostile(directory: Path) -> None:
    """Write projects whose texts try to act, to break out of their place, or to turn what is around them."""
    directory.mkdir(parents=True, exist_ok=True)
    for number, kind in enumerate(("text/markdown", "text/x-rst", "text/plain", "text/html; charset=é", "")):
        headers = [f"Description-Content-Type: {kind}"] if kind else []
        write_wheel(directory, f"attack-{number}", "1.0", summary="attack", headers=headers, body=ATTACKS)
    text = f"<script>alert(1)</script>\"'><img src=x> {TURNED} {{{{ 7 * 7 }}}}"
    write_wheel(
        directory,
        "fields",
        "1.0",
        summary=text,
        extras=[text],
        requires_dist=[text],
        headers=[
            f"{name}: {text}"
            for name in ("Author", "License", "Keywords", "Classifier", "Platform", "Import-Name", "Home-page")
        ]
        + [
            f"Project-URL: {text}, data:text/html,{text}",
            "Content-Type: multipart/mixed; boundary=x",
            f"Dynamic: {text}",
        ],
        body=f"--x\n\n{TURNED}\n--x--\n",
        metadata_version="2.4",
    )
    raw = metadata("latin", "1.0", headers=["Author-email: <<<@>>>, ,"], body="[" * 50_000)
    write_wheel(directory, "latin", "1.0", metadata=raw)
