"""The options that say which files are read, and which of them are published."""

from typing import Literal

from mkindex.options import Options, option

SOURCES, SELECTION, LOCKS = "Sources", "Selection", "Lock files"  # the headings

DAY = 86_400  # seconds


class SourceOptions(Options, heading=SOURCES):
    """How sources are read."""

    recursive: bool = option(False, "Also read the subdirectories of a SOURCE.")
    follow_symlinks: bool = option(False, "Also read files outside a SOURCE that symlinks in it point to.")
    remote: Literal["reference", "mirror"] = option(
        "reference", "Remote files: link to them where they are, or download them into DEST."
    )
    max_download: int = option(
        5_000_000_000,
        "Stop if more than this must be read from servers, to hash or to mirror files.",
        metavar="SIZE",
        minimum=0,
        unit="bytes",
    )
    allow_unhashed: bool = option(
        False, "List a remote file without a hash, instead of reading the whole file to compute one."
    )
    verify_links: bool = option(False, "With --files-url: also ask the server for each file that a list names.")
    keep_going: bool = option(False, "Publish the rest when a source or a server fails.")
    jobs: int | None = option(
        None,
        "Read this many files at once.",
        short="-j",
        metavar="N",
        minimum=1,
        automatic="number of cores; up to 50 for servers",
    )
    timeout: float = option(
        30.0,
        "Give up an attempt to read from a server after this long without progress.",
        metavar="SECONDS",
        minimum=0.1,
        maximum=DAY,
        unit="seconds",
    )
    trust_host: tuple[str, ...] = option(
        (),
        "Send credentials to this host, and read from it even in a private network, if only a page names it. May be "
        "repeated.",
        metavar="HOST",
    )
    cache_dir: str | None = option(
        None,
        "Cache the facts of files in this directory, for the next run.",
        metavar="DIR",
        automatic="the user's cache directory",
        path="directory",
    )


class SelectionOptions(Options, heading=SELECTION):
    """What is taken of the sources."""

    include: tuple[str, ...] = option(
        (),
        "Publish only projects and files whose name matches: torch, 'torch-2.*-cp312-*.whl'. May be repeated.",
        metavar="GLOB",
    )
    exclude: tuple[str, ...] = option(
        (), "Do not publish projects and files whose name matches. May be repeated.", metavar="GLOB"
    )
    all: bool = option(False, "Read all projects of a source that is an index.")
    prefer: Literal["first"] | None = option(
        None,
        "If two sources have the same filename with different contents, use the first.",
        automatic="reject both",
    )
    fix_names: bool = option(
        False,
        "Publish a file whose name was changed on the way, such as 'a-1.0-py3-none-any (1).whl', under the name that "
        "its metadata says.",
        automatic="reject it",
    )


class LockOptions(Options, heading=LOCKS):
    """What is taken of lock files."""

    index: tuple[str, ...] = option(
        (),
        "The index that a lock file was made with, if it names neither addresses nor an index (poetry.lock, pdm.lock, "
        "requirements.txt). May be repeated.",
        metavar="URL",
    )
    python: tuple[str, ...] = option(
        (),
        "Take only the files that clients install for this Python, such as 3.12: packages by their markers, the best "
        "wheel of each, and an sdist if no wheel fits. Requires --platform. May be repeated.",
        metavar="X.Y",
        automatic="all files",
    )
    platform: tuple[str, ...] = option(
        (),
        "For --python: linux, macos, windows, or a tag such as musllinux_1_2_x86_64. May be repeated.",
        metavar="TAG",
    )
    implementation: tuple[str, ...] = option(
        (), "For --python: cpython or pypy. May be repeated.", metavar="NAME", automatic="cpython"
    )
    extra: tuple[str, ...] = option(
        (),
        "Take only this extra of the locked project; none: no extra. May be repeated.",
        metavar="NAME",
        automatic="all extras",
    )
    group: tuple[str, ...] = option(
        (),
        "Take only this dependency group of the locked project; none: no group. May be repeated.",
        metavar="NAME",
        automatic="all groups",
    )
    no_sdists: bool = option(False, "Take no sdists.")
    build_requires: str | None = option(
        None,
        "Also take the files of this lock: the build requirements of sdists, which are not in the lock of an "
        "application.",
        metavar="LOCK",
        path="location",
    )
    installers: tuple[str, ...] = option(
        (),
        "Also take the newest wheels of this project, such as pip or uv, from the index of the lock or --index. May be "
        "repeated.",
        key="with",  # a word of Python
        metavar="NAME",
    )
