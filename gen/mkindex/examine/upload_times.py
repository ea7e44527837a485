"""Choose the upload time of each file: what its source says, else when it was published before, else its mtime."""

import os
from collections.abc import Mapping

from mkindex.config import Config
from mkindex.errors import ConfigError
from mkindex.model.files import YEAR_10000, Artifact, File, format_upload_time
from mkindex.text import printable


def dated(config: Config, files: list[File], before: Mapping[str, str]) -> list[File]:
    """Return files with the upload times to publish: none at all, or those published before instead of mtimes.

    `before`: by sha256, of the previous site. An mtime after SOURCE_DATE_EPOCH is replaced by it. Raises ConfigError.
    """
    if config.upload_time == "none":
        return [file.with_upload_time("") for file in files]
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    if epoch and not (epoch.isascii() and epoch.isdecimal()):
        raise ConfigError(f"SOURCE_DATE_EPOCH is {printable(epoch)!r}, not a number of seconds: correct or unset it")
    if not (epoch or before):
        return files
    latest = epoch and (format_upload_time(int(epoch[:20])) or format_upload_time(YEAR_10000 - 1))
    return [_with_time(file, before.get(file.sha256), latest) for file in files]


def _with_time(file: File, before: str | None, latest: str | None) -> File:
    """Return a file with the upload time that it was published with before, or an mtime that is not after `latest`."""
    if before and (_is_mtime(file) or not file.upload_time):
        return file.with_upload_time(before)
    if latest and _is_mtime(file) and file.upload_time > latest:
        return file.with_upload_time(latest)
    return file


def _is_mtime(file: File) -> bool:
    """Tell whether the upload time of a file is only its mtime."""
    return isinstance(file.artifact, Artifact) and not (file.artifact.link and file.artifact.link.upload_time)
