"""What can go wrong: errors that stop a build, and findings that do not."""

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


class Unreadable(Exception):
    """An archive, or the metadata in it, that cannot be published; its text says why and what to do."""


def nothing(_: object = None, /) -> None:
    """Do nothing: the default of every callback."""
