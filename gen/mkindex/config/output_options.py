"""The options that say what is published, and how."""

from typing import Literal

from mkindex.config.source_options import DAY
from mkindex.hosts.table import HOSTS
from mkindex.options import Options, option
from mkindex.tree.names import SIMPLE_DIRECTORY

POLICY, OUTPUT, PUBLISHING, WATCHING = "Policy", "Output", "Publishing", "Watch and serve"  # the headings


class PolicyOptions(Options, heading=POLICY):
    """What is listed of the files that are there."""

    policy: str | None = option(
        None,
        "Read the policy from this file: yanks, status, retention, delays. It must not be in a SOURCE.",
        metavar="FILE",
        automatic="the tables in mkindex.toml",
        path="file",
    )
    unyank: bool = option(
        False,
        "List files that the index in DEST yanks as not yanked, and those of projects that it quarantines, as after "
        "`mkindex yank` and `mkindex status`.",
        automatic="refuse it",
    )
    wheel_variants: bool = option(
        False,
        "Publish wheel variants (PEP 825, a draft that uv reads with a preview feature), with a file for each release "
        "that says what they are for.",
        automatic="reject them",
        shapes=True,
    )


class OutputOptions(Options, heading=OUTPUT):
    """The published tree."""

    link_mode: Literal["copy", "hardlink"] = option(
        "copy",
        "How files get into DEST. Copies share their blocks if the file system can do that. Use hardlink only if files "
        "in SOURCE are replaced by renaming and never overwritten: a hard link in DEST would change with them.",
    )
    files_url: str | None = option(
        None,
        "Do not put files into DEST: pages link to URL/<path relative to their SOURCE>.",
        metavar="URL",
        shapes=True,
    )
    files_have_metadata: bool = option(
        False,
        "With --files-url: there is a .metadata file beside each wheel on that server.",
        shapes=True,
    )
    upload_time: Literal["mtime", "none"] = option(
        "mtime",
        "Take upload times from modification times, of remote files from Last-Modified, at most SOURCE_DATE_EPOCH; "
        "or publish none.",
        shapes=True,
    )
    previous: str | None = option(
        None,
        "Keep the upload times of files (by sha256) that this published site already has. With `mkindex add` and "
        "`remove`: keep all files that it lists.",
        metavar="URL_OR_DIR",
        path="location",
    )
    simple_path: str = option(  # "": the root
        SIMPLE_DIRECTORY, "Path of the index in DEST; . is the root of DEST.", metavar="PATH", shapes=True
    )
    host: str | None = option(
        None,
        "Also write what this host needs, and fail if the tree exceeds its limits.",
        key="for",  # not a Python name
        choices=tuple(HOSTS),
        shapes=True,
    )
    json_root: str | None = option(
        None,
        "In a bucket, or with --for cloudflare-pages or netlify: path of a second index, for clients that read JSON. "
        "With --for github-pages, only for Renovate.",
        metavar="PATH",
        shapes=True,
    )
    links: bool = option(False, "Also write links.html: all files on one page, for --find-links.", shapes=True)
    templates: str | None = option(
        None,
        "Use the templates in this directory instead of those with the same name.",
        metavar="DIR",
        path="directory",
    )


class PublishingOptions(Options, heading=PUBLISHING):
    """How the tree is published."""

    archive: str | None = option(
        None,
        "Also write the tree as one file, a .tar or .zip with SHA256SUMS, to carry it elsewhere.",
        metavar="FILE",
        path="file",
    )
    url: str | None = option(
        None,
        "Public address of the root of DEST, for the commands and configurations that are printed, and for links that "
        "must be absolute, as to attestations.",
        metavar="URL",
        shapes=True,
    )
    grace: int = option(
        15 * 60,
        "Keep unlisted files for this long, for clients that still have an older page (0: delete at once).",
        metavar="SECONDS",
        minimum=0,
        unit="seconds",
        shapes=True,
    )
    strict: bool = option(False, "Publish nothing if a file is rejected.")
    overwrite: bool = option(False, "Replace files in DEST even if mkindex does not know them as its own.")
    allow_empty: bool = option(False, "Publish an index even if it has no files.")
    prune: bool = option(
        False,
        "Allow removing more than half of the files in an index of more than ten, and the indexes of all variants.",
    )
    dry_run: bool = option(False, "Print what a build would do, without doing it; with -v each path.", short="-n")


class WatchOptions(Options, heading=WATCHING):
    """Builds that follow each other."""

    watch: bool = option(False, "Keep running, and build again whenever a SOURCE changes.")
    settle: float = option(
        0.3,
        "With --watch: wait until files have not changed for this long.",
        metavar="SECONDS",
        minimum=0,
        maximum=DAY,
        unit="seconds",
    )
    poll: bool = option(False, "With --watch: look for changes, for network mounts that do not report them.")
    poll_interval: float = option(
        2.0,
        "With --watch --poll: look for changes this often.",
        metavar="SECONDS",
        minimum=0.1,
        maximum=DAY,
        unit="seconds",
    )
    rescan: float = option(
        300.0,
        "With --watch: build at least this often, even if no change was noticed.",
        metavar="SECONDS",
        minimum=0.1,
        maximum=DAY,
        unit="seconds",
    )
    interval: float = option(
        600.0,
        "With --watch: ask remote SOURCEs for changes this often.",
        metavar="SECONDS",
        minimum=0.1,
        maximum=DAY,
        unit="seconds",
    )
    serve: bool = option(False, "With --watch: also serve DEST, as `mkindex serve DEST` does.")
    bind: str = option(
        "127.0.0.1:8000",
        "Address of the server. Port 0 is any free port.",
        metavar="HOST:PORT",
    )
