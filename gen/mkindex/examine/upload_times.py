"""Choose the upload time of each file: what its source says, else when it was published before, else when it changed.

The last is the mtime, or the Last-Modified of a remote file.
"""

import os
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING

from mkindex.config import Config
from mkindex.errors import ConfigError, SourceError
from mkindex.model.files import YEAR_10000, Artifact, File, format_upload_time
from mkindex.text import printable
from mkindex.web.client import WebClient

if TYPE_CHECKING:
    from concurrent.futures import Executor


def dated(
    config: Config, files: list[File], *, web: WebClient, executor: "Executor"
) -> tuple[list[File], Mapping[str, str] | None]:
    """Return files with the upload times to publish, and those of the --previous site by sha256.

    That is None without such a site, or if nothing is published there. Raises ConfigError, and SourceError if the site
    cannot be read.
    """
    if config.upload_time == "none":
        return [file.with_upload_time("") for file in files], None
    epoch = source_date_epoch()
    previous = None if config.previous is None else _published(config.previous, files, config, web, executor)
    before = {**_mirrored_before(config, files, web, executor), **(previous or {})}
    if epoch is None and not before:
        return files, previous
    latest = None if epoch is None else format_upload_time(min(epoch, YEAR_10000 - 1))
    return [_with_time(file, before.get(file.sha256), latest) for file in files], previous


def source_date_epoch() -> int | None:
    """Return SOURCE_DATE_EPOCH, in seconds since the epoch; None if it is not set. Raises ConfigError."""
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    if not epoch:
        return None
    if not (epoch.isascii() and epoch.isdecimal()):
        raise ConfigError(f"SOURCE_DATE_EPOCH is {printable(epoch)!r}, not a number of seconds: correct or unset it")
    return int(epoch[:20])


def _published(
    site: str, files: list[File], config: Config, web: WebClient, executor: "Executor"
) -> dict[str, str] | None:
    # Here, since most builds need neither this nor what reads pages.
    from mkindex.examine.previous_site import published

    return published(site, files, simple_path=config.simple_path, web=web, executor=executor)


def _mirrored_before(config: Config, files: list[File], web: WebClient, executor: "Executor") -> Mapping[str, str]:
    """Return the published upload times of mirrored files that are in DEST, and of which the cache knows nothing.

    Their server is not asked again.
    """
    if config.remote != "mirror":
        return {}
    unknown = [file for file in files if not file.upload_time and isinstance(file.artifact, Artifact)]
    with suppress(SourceError):  # without a page there is no upload time
        return (unknown and _published(config.destination, unknown, config, web, executor)) or {}
    return {}


def _with_time(file: File, before: str | None, latest: str | None) -> File:
    """Return a file with the upload time to publish: not after the one `before`, nor an unstated one after `latest`."""
    is_stated = file.listing and file.listing.upload_time
    if before and (not is_stated or before < file.upload_time):
        return file.with_upload_time(before)
    if latest and not is_stated and file.upload_time > latest:
        return file.with_upload_time(latest)
    return file
