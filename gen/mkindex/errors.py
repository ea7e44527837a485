"""What can go wrong: errors that stop a build, and findings that do not."""

import re
from dataclasses import dataclass


class MkindexError(Exception):
    """A build that cannot be done; its text names what is wrong and says what to do."""


class SourceError(MkindexError):
    """A source that cannot be read, or is none."""


class DestinationError(MkindexError):
    """A destination that cannot be written, or holds something in the way."""


class ConfigError(MkindexError):
    """An option or a key of mkindex.toml that makes no sense; its text names it."""


class ServeError(MkindexError):
    """A tree that cannot be served, or an address where nobody can listen."""


class TemplateError(MkindexError):
    """A template that cannot be rendered; its text names template and line."""


class NotPublished(MkindexError):
    """Nothing was published, because of what was found: `findings` has it all."""

    def __init__(self, message: str, findings: "tuple[Rejected | Note, ...]") -> None:
        super().__init__(message)
        self.findings = findings


@dataclass(frozen=True, kw_only=True, slots=True)
class Rejected:
    """A file that is not published, and why; `reason` ends with what to do about it."""

    location: str
    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Note:
    """Something worth knowing that changes no exit status; `detail`: only for the curious (-v)."""

    location: str
    text: str
    detail: bool = False


_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:")
_ADDRESS = re.compile(r"[^:]+://(?:[^/@]*@)?(?:\[[0-9A-Fa-f:.]*\]|[^/:@]*)(?::\d*)?(?:/|$)")


def shown(location: str) -> str:
    """Return a path, or an address without what can be a secret in it: user, password and query."""
    scheme = _SCHEME.match(location)
    if not scheme:
        return printable(location)
    address = re.split(r"[?#]", location, maxsplit=1)[0]
    if _ADDRESS.match(address):
        return printable(re.sub(r"(?<=://)[^/]*@", "", address))
    # Nobody can tell what of it was meant to be a password.
    return f"{scheme[0]}…" if re.search("[:@]", address[scheme.end() :]) else printable(address)


def printable(text: str) -> str:
    """Escape what could drive a terminal or break a line: control characters, bidi marks, lone bytes."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "backslashreplace").decode() for c in text)
