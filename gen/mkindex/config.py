"""What a build is asked to do: options and mkindex.toml, checked; every error names its key."""

import os
import re
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal
from urllib.parse import SplitResult, urlsplit

from mkindex.errors import ConfigError
from mkindex.hosts.table import HOSTS
from mkindex.text import printable, redact
from mkindex.tree.names import FILES_DIRECTORY, INDEX_HTML, LINKS_HTML, NOT_FOUND_HTML

_TAKEN = (FILES_DIRECTORY, INDEX_HTML, NOT_FOUND_HTML, LINKS_HTML)  # what else is at the root of the tree
_PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*")
_DAY = 86_400  # seconds
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:")
_PATHS = ("destination", "templates", "cache-dir")
_KEYS = {"host": "for"}  # what cannot be the name of a field


@dataclass(frozen=True, kw_only=True, slots=True)
class Config:
    """One build. The fields are the options of the command line, whose help says more of each.

    Raises ConfigError for a value that makes no sense.
    """

    sources: tuple[str, ...]
    destination: str
    recursive: bool = False
    follow_symlinks: bool = False
    link_mode: Literal["copy", "hardlink"] = "copy"
    files_url: str | None = None
    files_have_metadata: bool = False
    prefer: Literal["first"] | None = None
    upload_time: Literal["mtime", "none"] = "mtime"
    previous: str | None = None  # a site, or a directory, that says when files were uploaded
    simple_path: str = "simple"  # "": the root
    host: str | None = None  # the one that the tree is for, as --for names it
    json_root: str | None = None  # where a second root lies, whose pages are JSON
    links: bool = False
    templates: str | None = None
    grace: int = 15 * 60  # seconds
    overwrite: bool = False
    allow_empty: bool = False
    strict: bool = False
    dry_run: bool = False
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    all: bool = False  # of an index, all projects
    remote: Literal["reference", "mirror"] = "reference"
    max_download: int = 5_000_000_000  # bytes
    allow_unhashed: bool = False
    verify_links: bool = False
    keep_going: bool = False
    jobs: int | None = None  # None: as many as there are cores
    cache_dir: str | None = None  # None: no cache
    watch: bool = False
    settle: float = 0.3  # seconds
    poll: bool = False
    poll_interval: float = 2.0  # seconds
    rescan: float = 300.0  # seconds
    interval: float = 600.0  # seconds
    serve: bool = False
    bind: str = "127.0.0.1:8000"

    def __post_init__(self) -> None:
        if not self.destination or "" in self.sources or not self.sources:
            raise ConfigError("sources, destination: name at least one SOURCE and a DEST, . for this directory")
        if self.sources.count("-") > 1:
            raise ConfigError("sources: standard input, -, can be read only once")
        if re.match(r"[A-Za-z][A-Za-z0-9+.-]+:", self.destination) and not os.path.isdir(self.destination):
            raise ConfigError(
                f"destination {printable(self.destination)} looks like a URL, and mkindex writes directories "
                f"(one of that name is ./{printable(self.destination)})"
            )
        parts = self.simple_path.split("/") if self.simple_path else []
        if parts[:1] in ([name] for name in _TAKEN) or not all(map(_PART.fullmatch, parts)):
            raise ConfigError(
                f"simple-path {printable(self.simple_path)!r}: give a relative path of letters, digits and - _ . "
                f"whose first part is none of {', '.join(_TAKEN)}, or . for the root"
            )
        self._check_host()
        if self.files_url is not None:
            url = _split(self.files_url)
            if not url or url.scheme not in ("http", "https") or not url.hostname or url.query or url.fragment:
                raise ConfigError(
                    f"files-url {printable(self.files_url)!r}: give an http or https URL without query and fragment"
                )
            if self.remote == "mirror":
                raise ConfigError("files-url and remote mirror exclude each other: mirrored files are in the tree")
            if url.password or url.username:
                raise ConfigError("files-url holds a user name or password, which every reader would see: leave it out")
        elif self.files_have_metadata:
            raise ConfigError("files-have-metadata says something of the files at files-url, which is not given")
        if self.previous is not None:
            self._check_previous(self.previous)
        if self.templates is not None and not os.path.isdir(self.templates):
            raise ConfigError(f"templates {printable(self.templates)} is no directory")
        if self.grace < 0:
            raise ConfigError(f"grace {self.grace}: give seconds, 0 or more")
        if self.max_download < 0:
            raise ConfigError(f"max-download {self.max_download}: give a number of bytes, 0 or more")
        if self.jobs is not None and self.jobs < 1:
            raise ConfigError(f"jobs {self.jobs}: give 1 or more")
        if not 0 <= self.settle <= _DAY:
            raise ConfigError(f"settle {self.settle}: give seconds, 0 or more")
        for key in ("poll-interval", "rescan", "interval"):
            seconds = getattr(self, key.replace("-", "_"))
            if not 0.1 <= seconds <= _DAY:
                raise ConfigError(f"{key} {seconds}: give seconds, from 0.1 to {_DAY} (a day)")
        if self.serve and not self.watch:
            raise ConfigError(
                f"serve goes with watch; to serve an index that is there: mkindex serve {printable(self.destination)}"
            )
        if self.watch and "-" in self.sources:
            raise ConfigError("watch: standard input, -, is read once and tells of no change: name a file")
        if self.watch and self.dry_run:
            raise ConfigError("watch and dry-run do not go together: a dry run does nothing, and ends")
        parse_bind(self.bind)

    def _check_previous(self, site: str) -> None:
        if self.upload_time == "none":
            raise ConfigError("previous and upload-time none exclude each other: no upload time is carried over")
        if self.watch:
            raise ConfigError("previous and watch do not go together: a watch has the files that it published before")
        if not site:
            raise ConfigError("previous: name the address of a published site, or a directory with one")
        if _SCHEME.match(site) and not os.path.exists(site):
            url = _split(site)
            if not url or url.scheme not in ("http", "https", "file") or not (url.hostname or url.scheme == "file"):
                raise ConfigError(f"previous {redact(site)}: give an http or https URL, or a directory")

    def _check_host(self) -> None:
        host = HOSTS.get(self.host or "")
        if self.host is not None and host is None:
            raise ConfigError(f"for {printable(self.host)!r}: give one of {', '.join(HOSTS)}")
        for key, path in ("simple-path", self.simple_path), ("json-root", self.json_root):
            if host and path and path.split("/")[0] in host.written_files:
                raise ConfigError(f"{key} {path!r}: {self.host} needs a file at that place, choose another")
        if self.json_root is None:
            return
        if host is None:
            able = [name for name, one in HOSTS.items() if not one.why_no_json_root]
            raise ConfigError(
                f"json-root goes with a host that can be told the type of its pages: for {', '.join(able)}"
            )
        if host.why_no_json_root:
            raise ConfigError(
                f"json-root is of no use with for {self.host}: {host.why_no_json_root}. Leave json-root out"
            )
        parts, others = self.json_root.split("/"), self.simple_path.split("/") if self.simple_path else []
        if parts[0] in _TAKEN or not all(map(_PART.fullmatch, parts)):
            raise ConfigError(
                f"json-root {printable(self.json_root)!r}: give a relative path of letters, digits and - _ . "
                f"whose first part is none of {', '.join(_TAKEN)}"
            )
        shared = min(len(parts), len(others))
        if parts[:shared] == others[:shared]:
            raise ConfigError(
                f"json-root {self.json_root!r} and simple-path {self.simple_path or '.'!r}: one lies in the other, "
                "where a project can have the name of a directory. Give two that lie beside each other"
            )


def parse_bind(bind: str) -> tuple[str, int]:
    """Return host and port of HOST:PORT, an IPv6 address in brackets. Raises ConfigError, which names `bind`."""
    match = re.fullmatch(r"(?:\[([0-9A-Fa-f:.%]+)]|([A-Za-z0-9.-]+)):(\d{1,5})", bind)
    if not match or int(match[3]) > 65535:
        raise ConfigError(
            f"bind {printable(bind)!r}: give HOST:PORT, as in 127.0.0.1:8000 or [::1]:8000; port 0 is one that is free"
        )
    return match[1] or match[2], int(match[3])


def _split(url: str) -> SplitResult | None:
    """Return the parts of a URL, None where it is none."""
    try:
        parts = urlsplit(url)
        return parts if url.isprintable() and url.isascii() and (parts.port or 0) >= 0 else None
    except ValueError:
        return None


def read_file(path: Path) -> dict[str, Any]:
    """Return the keys of a mkindex.toml, spelled as the fields of Config; its relative paths are made relative to it.

    Raises ConfigError for what is no TOML and for a key that is none of ours.
    """
    import tomllib

    try:
        content = tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"cannot read {printable(str(path))}: {printable(str(error))}") from error
    options = {_KEYS.get(field.name, field.name.replace("_", "-")): field for field in fields(Config)}
    defaults: dict[str, object] = {key: field.default for key, field in options.items()}
    defaults |= dict.fromkeys(("no-cache", "json", "quiet", "verbose"), False) | {"format": "text"}
    for key, value in content.items():
        if key not in defaults:
            raise ConfigError(f"{printable(str(path))}: no such key: {printable(key)}")
        if key == "sources" and not (isinstance(value, list) and all(isinstance(spec, str) for spec in value)):
            raise ConfigError(f"{printable(str(path))}: sources must be a list of strings")
        default = defaults.get(key)
        if isinstance(default, bool) and not isinstance(value, bool):
            raise ConfigError(f"{printable(str(path))}: {key} must be true or false")
        if isinstance(default, tuple) and not (
            isinstance(value, list) and all(isinstance(item, str) for item in value)
        ):
            raise ConfigError(f"{printable(str(path))}: {key} must be a list of strings")
        if not isinstance(default, tuple) and key not in ("sources", *_PATHS) and isinstance(value, list | dict):
            raise ConfigError(f"{printable(str(path))}: {key} must be one value")
        if key in _PATHS and not isinstance(value, str):
            raise ConfigError(f"{printable(str(path))}: {key} must be a string")
        if "\0" in "".join(value if isinstance(value, list) else [str(value)]):
            raise ConfigError(f"{printable(str(path))}: {key} has a NUL in it, which no path can have")
    for key in _PATHS:
        if key in content:
            content[key] = _from(path.parent, content[key])
    if "sources" in content:
        content["sources"] = [_from(path.parent, spec) if spec != "-" else spec for spec in content["sources"]]
    if isinstance(content.get("previous"), str):
        content["previous"] = _from(path.parent, content["previous"])
    return {options[key].name if key in options else key.replace("-", "_"): value for key, value in content.items()}


def _from(directory: Path, spec: str) -> str:
    """Return an address as it is, and a path made relative to a directory."""
    return spec if _SCHEME.match(spec) else os.path.join(directory, spec.removeprefix("./"))
