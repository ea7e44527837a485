"""Errors that stop a build, and findings that do not."""

from dataclasses import dataclass


class MkindexError(Exception):
    """A command failed and changed nothing. The text says what is wrong and what to do."""


class SourceError(MkindexError):
    """A source cannot be read, or is not a source."""


class DestinationError(MkindexError):
    """A destination cannot be written, or contains something that is in the way."""


class ConfigError(MkindexError):
    """An option or a key of mkindex.toml has an impossible value; the text names it."""


class ServeError(MkindexError):
    """A tree cannot be served, or the address is in use."""


class TemplateError(MkindexError):
    """A template cannot be rendered; the text names the template and the line."""


class NotPublished(MkindexError):
    """Nothing was published because of `findings`."""

    def __init__(self, message: str, findings: "tuple[Rejected | Note, ...]") -> None:
        super().__init__(message)
        self.findings = findings


class PruneRequired(NotPublished):
    """The build would remove more than half of the files in the index."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Rejected:
    """A file that is not published; `reason` ends with what to do about it."""

    location: str
    reason: str
    reason_of_many: str = ""  # the same without what is only true of this file, for a line about many files


@dataclass(frozen=True, kw_only=True, slots=True)
class Note:
    """A finding that does not change the exit status; with `detail` it is shown only with -v."""

    location: str
    text: str
    detail: bool = False
    text_of_many: str = ""  # as `Rejected.reason_of_many`


class Unreadable(Exception):
    """An archive, or the metadata in it, cannot be published; the text says why and what to do."""


class Misnamed(Unreadable):
    """The filename is not valid, or says something else than the metadata."""


def nothing(_: object = None, /) -> None:
    """Do nothing: the default of every callback."""
