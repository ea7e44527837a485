"""The table of all options of a build."""

from dataclasses import dataclass
from typing import Literal

from mkindex.config.reader_options import READERS
from mkindex.config.release_options import RELEASES
from mkindex.config.reserve_options import RESERVED
from mkindex.config.site_options import SITE
from mkindex.config.store_options import BUCKETS, StoreOptions
from mkindex.hosts.table import HOSTS
from mkindex.options import option, options_of
from mkindex.tree.names import SIMPLE_DIRECTORY

_DAY = 86_400  # seconds

# The headings of --help and of the table in docs/options.md, in order.
SOURCES, SELECTION, LOCKS, POLICY, OUTPUT = "Sources", "Selection", "Lock files", "Policy", "Output"
PUBLISHING, WATCHING, REPORTING = "Publishing", "Watch and serve", "Reporting"
GROUPS = (
    *(SOURCES, RELEASES, SELECTION, LOCKS, POLICY, RESERVED, OUTPUT, SITE, READERS, BUCKETS),
    *(PUBLISHING, WATCHING, REPORTING),
)

# The tables of mkindex.toml that are no options but a policy.
POLICY_TABLES = ("yank", "status", "keep", "only", "times", "variants")


# The methods that are left out take some milliseconds to generate. `Config` has them.
@dataclass(frozen=True, kw_only=True, slots=True, init=False, repr=False, eq=False)
class BuildOptions(StoreOptions):
    """The sources, the destination and the options of one build, not yet checked.

    An option that `shapes` the tree is kept in its manifest; so it cannot be a path of this machine.
    """

    sources: tuple[str, ...]
    destination: str

    recursive: bool = option(False, "Also read the subdirectories of a SOURCE.", group=SOURCES)
    follow_symlinks: bool = option(
        False, "Also read files outside a SOURCE that symlinks in it point to.", group=SOURCES
    )
    remote: Literal["reference", "mirror"] = option(
        "reference", "Remote files: link to them where they are, or download them into DEST.", group=SOURCES
    )
    max_download: int = option(
        5_000_000_000,
        "Stop if more than this must be read from servers, to hash or to mirror files.",
        group=SOURCES,
        metavar="SIZE",
        minimum=0,
        unit="bytes",
    )
    allow_unhashed: bool = option(
        False, "List a remote file without a hash, instead of reading the whole file to compute one.", group=SOURCES
    )
    verify_links: bool = option(
        False, "With --files-url: also ask the server for each file that a list names.", group=SOURCES
    )
    keep_going: bool = option(False, "Publish the rest when a source or a server fails.", group=SOURCES)
    jobs: int | None = option(
        None,
        "Read this many files at once.",
        group=SOURCES,
        short="-j",
        metavar="N",
        minimum=1,
        automatic="number of cores; up to 50 for servers",
    )
    timeout: float = option(
        30.0,
        "Give up an attempt to read from a server after this long without progress.",
        group=SOURCES,
        metavar="SECONDS",
        minimum=0.1,
        maximum=_DAY,
        unit="seconds",
    )
    trust_host: tuple[str, ...] = option(
        (),
        "Send credentials to this host, and read from it even in a private network, if only a page names it. May be "
        "repeated.",
        group=SOURCES,
        metavar="HOST",
    )
    cache_dir: str | None = option(
        None,
        "Cache the facts of files in this directory, for the next run.",
        group=SOURCES,
        metavar="DIR",
        automatic="the user's cache directory",
        path="directory",
    )

    include: tuple[str, ...] = option(
        (),
        "Publish only projects and files whose name matches: torch, 'torch-2.*-cp312-*.whl'. May be repeated.",
        group=SELECTION,
        metavar="GLOB",
    )
    exclude: tuple[str, ...] = option(
        (), "Do not publish projects and files whose name matches. May be repeated.", group=SELECTION, metavar="GLOB"
    )
    all: bool = option(False, "Read all projects of a source that is an index.", group=SELECTION)
    prefer: Literal["first"] | None = option(
        None,
        "If two sources have the same filename with different contents, use the first.",
        group=SELECTION,
        automatic="reject both",
    )
    fix_names: bool = option(
        False,
        "Publish a file whose name was changed on the way, such as 'a-1.0-py3-none-any (1).whl', under the name that "
        "its metadata says.",
        group=SELECTION,
        automatic="reject it",
    )

    index: tuple[str, ...] = option(
        (),
        "The index that a lock file was made with, if it names neither addresses nor an index (poetry.lock, pdm.lock, "
        "requirements.txt). May be repeated.",
        group=LOCKS,
        metavar="URL",
    )
    python: tuple[str, ...] = option(
        (),
        "Take only the files that clients install for this Python, such as 3.12: packages by their markers, the best "
        "wheel of each, and an sdist if no wheel fits. Requires --platform. May be repeated.",
        group=LOCKS,
        metavar="X.Y",
        automatic="all files",
    )
    platform: tuple[str, ...] = option(
        (),
        "For --python: linux, macos, windows, or a tag such as musllinux_1_2_x86_64. May be repeated.",
        group=LOCKS,
        metavar="TAG",
    )
    implementation: tuple[str, ...] = option(
        (), "For --python: cpython or pypy. May be repeated.", group=LOCKS, metavar="NAME", automatic="cpython"
    )
    extra: tuple[str, ...] = option(
        (),
        "Take only this extra of the locked project; none: no extra. May be repeated.",
        group=LOCKS,
        metavar="NAME",
        automatic="all extras",
    )
    group: tuple[str, ...] = option(
        (),
        "Take only this dependency group of the locked project; none: no group. May be repeated.",
        group=LOCKS,
        metavar="NAME",
        automatic="all groups",
    )
    no_sdists: bool = option(False, "Take no sdists.", group=LOCKS)
    build_requires: str | None = option(
        None,
        "Also take the files of this lock: the build requirements of sdists, which are not in the lock of an "
        "application.",
        group=LOCKS,
        metavar="LOCK",
        path="location",
    )

    installers: tuple[str, ...] = option(
        (),
        "Also take the newest wheels of this project, such as pip or uv, from the index of the lock or --index. May be "
        "repeated.",
        group=LOCKS,
        key="with",  # a word of Python
        metavar="NAME",
    )

    policy: str | None = option(
        None,
        "Read the policy from this file: yanks, status, retention, delays. It must not be in a SOURCE.",
        group=POLICY,
        metavar="FILE",
        automatic="the tables in mkindex.toml",
        path="file",
    )
    unyank: bool = option(
        False,
        "List files as not yanked even if the index in DEST yanks them, as after `mkindex yank`.",
        group=POLICY,
        automatic="refuse it",
    )
    wheel_variants: bool = option(
        False,
        "Publish wheel variants (PEP 825, a draft that uv reads with a preview feature), with a file for each release "
        "that says what they are for.",
        group=POLICY,
        automatic="reject them",
        shapes=True,
    )

    link_mode: Literal["copy", "hardlink"] = option(
        "copy",
        "How files get into DEST. Copies share their blocks if the file system can do that. Use hardlink only if files "
        "in SOURCE are replaced by renaming and never overwritten: a hard link in DEST would change with them.",
        group=OUTPUT,
    )
    files_url: str | None = option(
        None,
        "Do not put files into DEST: pages link to URL/<path relative to their SOURCE>.",
        group=OUTPUT,
        metavar="URL",
        shapes=True,
    )
    files_have_metadata: bool = option(
        False,
        "With --files-url: there is a .metadata file beside each wheel on that server.",
        group=OUTPUT,
        shapes=True,
    )
    upload_time: Literal["mtime", "none"] = option(
        "mtime",
        "Take upload times from modification times, of remote files from Last-Modified, at most SOURCE_DATE_EPOCH; "
        "or publish none.",
        group=OUTPUT,
        shapes=True,
    )
    previous: str | None = option(
        None,
        "Keep the upload times of files (by sha256) that this published site already has. With `mkindex add` and "
        "`remove`: keep all files that it lists.",
        group=OUTPUT,
        metavar="URL_OR_DIR",
        path="location",
    )
    simple_path: str = option(  # "": the root
        SIMPLE_DIRECTORY, "Path of the index in DEST; . is the root of DEST.", group=OUTPUT, metavar="PATH", shapes=True
    )
    host: str | None = option(
        None,
        "Also write what this host needs, and fail if the tree exceeds its limits.",
        group=OUTPUT,
        key="for",  # not a Python name
        choices=tuple(HOSTS),
        shapes=True,
    )
    json_root: str | None = option(
        None,
        "In a bucket, or with --for cloudflare-pages or netlify: path of a second index, for clients that read JSON. "
        "With --for github-pages, only for Renovate.",
        group=OUTPUT,
        metavar="PATH",
        shapes=True,
    )
    links: bool = option(
        False, "Also write links.html: all files on one page, for --find-links.", group=OUTPUT, shapes=True
    )
    templates: str | None = option(
        None,
        "Use the templates in this directory instead of those with the same name.",
        group=OUTPUT,
        metavar="DIR",
        path="directory",
    )

    archive: str | None = option(
        None,
        "Also write the tree as one file, a .tar or .zip with SHA256SUMS, to carry it elsewhere.",
        group=PUBLISHING,
        metavar="FILE",
        path="file",
    )
    url: str | None = option(
        None,
        "Public address of the root of DEST, for the commands and configurations that are printed.",
        group=PUBLISHING,
        metavar="URL",
    )
    grace: int = option(
        15 * 60,
        "Keep unlisted files for this long, for clients that still have an older page (0: delete at once).",
        group=PUBLISHING,
        metavar="SECONDS",
        minimum=0,
        unit="seconds",
        shapes=True,
    )
    strict: bool = option(False, "Publish nothing if a file is rejected.", group=PUBLISHING)
    overwrite: bool = option(
        False, "Replace files in DEST even if mkindex does not know them as its own.", group=PUBLISHING
    )
    allow_empty: bool = option(False, "Publish an index even if it has no files.", group=PUBLISHING)
    prune: bool = option(
        False,
        "Allow removing more than half of the files in an index of more than ten, and the indexes of all variants.",
        group=PUBLISHING,
    )
    dry_run: bool = option(
        False, "Print what a build would do, without doing it; with -v each path.", group=PUBLISHING, short="-n"
    )

    watch: bool = option(False, "Keep running, and build again whenever a SOURCE changes.", group=WATCHING)
    settle: float = option(
        0.3,
        "With --watch: wait until files have not changed for this long.",
        group=WATCHING,
        metavar="SECONDS",
        minimum=0,
        maximum=_DAY,
        unit="seconds",
    )
    poll: bool = option(
        False, "With --watch: look for changes, for network mounts that do not report them.", group=WATCHING
    )
    poll_interval: float = option(
        2.0,
        "With --watch --poll: look for changes this often.",
        group=WATCHING,
        metavar="SECONDS",
        minimum=0.1,
        maximum=_DAY,
        unit="seconds",
    )
    rescan: float = option(
        300.0,
        "With --watch: build at least this often, even if no change was noticed.",
        group=WATCHING,
        metavar="SECONDS",
        minimum=0.1,
        maximum=_DAY,
        unit="seconds",
    )
    interval: float = option(
        600.0,
        "With --watch: ask remote SOURCEs for changes this often.",
        group=WATCHING,
        metavar="SECONDS",
        minimum=0.1,
        maximum=_DAY,
        unit="seconds",
    )
    serve: bool = option(False, "With --watch: also serve DEST, as `mkindex serve DEST` does.", group=WATCHING)
    bind: str = option(
        "127.0.0.1:8000",
        "Address of the server. Port 0 is any free port.",
        group=WATCHING,
        metavar="HOST:PORT",
    )


@dataclass(frozen=True, kw_only=True, slots=True, init=False, repr=False, eq=False)
class RunOptions:
    """The options of the command line and of mkindex.toml that are not part of Config."""

    no_cache: bool = option(False, "Read every file again, and remember nothing.", group=SOURCES)
    on_build: str | None = option(
        None,
        "With --watch: run this shell command after each build that changed something. It gets the JSON line of the "
        "build on standard input.",
        group=WATCHING,
        metavar="COMMAND",
    )
    format: Literal["text", "json", "github"] = option(
        "text",
        "Format of the report. json: with --watch one line for each build. github: annotations, job summary and "
        "outputs of a workflow.",
        group=REPORTING,
    )
    json: bool = option(False, "Same as --format json.", group=REPORTING)
    quiet: bool = option(False, "Print problems only.", group=REPORTING, short="-q")
    verbose: bool = option(
        False,
        "Also print skipped files and every path written or removed; with --watch, every build.",
        group=REPORTING,
        short="-v",
    )


OPTIONS = options_of(BuildOptions)
RUN_OPTIONS = options_of(RunOptions)
BY_NAME = {one.name: one for one in (*OPTIONS, *RUN_OPTIONS)}
