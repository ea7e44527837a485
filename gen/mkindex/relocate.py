"""Change the address of a bundle in its lock files to the place where it is now."""

import os
from pathlib import Path
from tempfile import NamedTemporaryFile

from mkindex.clients.bundle import bundle_address
from mkindex.errors import DestinationError
from mkindex.text import printable
from mkindex.tree.names import INSTALL_MD, LOCKS_DIRECTORY


def relocate(directory: str, url: str | None = None) -> tuple[str, list[str]]:
    """Change the address of a bundle to a URL or, without one, to the `file:` address of its directory.

    Returns the new address and the names of the files that changed. Raises DestinationError.
    """
    if os.path.isfile(directory):
        raise DestinationError(
            f"{printable(directory)} is a file. Extract it (mkdir usb && tar -xf FILE -C usb), then run: "
            "mkindex relocate usb"
        )
    locks = os.path.join(os.path.realpath(directory), LOCKS_DIRECTORY)
    if os.path.islink(locks):
        raise DestinationError(f"{printable(directory)}: {LOCKS_DIRECTORY} is a symlink, which mkindex does not follow")
    old = bundle_address(_read(os.path.join(locks, INSTALL_MD), directory))
    if not old:
        raise DestinationError(f"{printable(directory)}: {LOCKS_DIRECTORY}/{INSTALL_MD} is not one that mkindex wrote")
    new = f"{(url or Path(os.path.realpath(directory)).as_uri()).rstrip('/')}/"
    changed = []
    for name in sorted(os.listdir(locks), key=lambda name: (name == INSTALL_MD, name)):  # the old address is in it
        path = os.path.join(locks, name)
        if os.path.islink(path) or not os.path.isfile(path):
            continue
        text = _read(path, directory)
        if (new_text := text.replace(old, new)) != text:
            _replace(path, new_text)
            changed.append(name)
    return new, changed


def _read(path: str, directory: str) -> str:
    try:
        with open(path, encoding="utf-8", newline="") as file:
            return file.read()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise DestinationError(
            f"{printable(directory)} is not a bundle: {LOCKS_DIRECTORY}/{os.path.basename(path)} cannot be read "
            f"({reason}). Make one: mkindex uv.lock {printable(directory)} --remote mirror"
        ) from error


def _replace(path: str, text: str) -> None:
    try:
        with NamedTemporaryFile("w", dir=os.path.dirname(path), encoding="utf-8", newline="", delete=False) as file:
            file.write(text)
        os.chmod(file.name, os.stat(path).st_mode & 0o777)
        os.replace(file.name, path)
    except OSError as error:
        raise DestinationError(f"cannot write {printable(path)}: {error.strerror}") from error
