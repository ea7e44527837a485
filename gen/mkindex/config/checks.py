"""The checks of options, alone and in combination."""

import os
import re
import shlex
from urllib.parse import SplitResult

from mkindex.config.site_options import SITE
from mkindex.config.table import OPTIONS, BuildOptions
from mkindex.errors import ConfigError
from mkindex.hosts.addresses import is_host, parse_bind, split_url
from mkindex.hosts.buckets import is_bucket, parse_bucket
from mkindex.hosts.table import HOSTS
from mkindex.options import InvalidOption
from mkindex.text import printable, redact
from mkindex.tree.names import (
    FILES_DIRECTORY,
    GENERATION_TXT,
    INDEX_HTML,
    LEGACY_DIRECTORY,
    LINKS_HTML,
    LOCKS_DIRECTORY,
    NOT_FOUND_HTML,
    SITE_NAMES,
)

TAKEN = (
    FILES_DIRECTORY,
    LOCKS_DIRECTORY,
    INDEX_HTML,
    NOT_FOUND_HTML,
    LINKS_HTML,
    GENERATION_TXT,
)  # other names at the root of the tree
_PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*")
_COLOR = re.compile(r"#[0-9A-Fa-f]{6}")
_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:")
_SETTING = re.compile(r"[A-Za-z0-9_]+=")
HOST_WANTED = "must be a host without scheme and port, such as files.example.com, not {value!r}"


def check(options: BuildOptions) -> None:
    """Raise ConfigError for a value, or a combination of values, that cannot be used."""
    _check_paths(options)
    for one in OPTIONS:
        one.check(getattr(options, one.name))
    _check_places(options)
    if options.files_url is not None:
        _check_files_url(options, options.files_url)
        if options.fix_names:
            raise InvalidOption("fix_names", "and {files_url} exclude each other: rename the files on that server")
    elif options.files_have_metadata:
        raise InvalidOption("files_have_metadata", "requires {files_url}")
    for host in options.trust_host:
        if not is_host(host):
            raise InvalidOption("trust_host", HOST_WANTED, value=printable(host))
    _check_locks(options)
    for setting in options.store_option:
        if not _SETTING.match(setting):
            raise InvalidOption("store_option", "must be KEY=VALUE, such as region=eu-central-1")
    if options.attested_by:
        _check_identities(options)
    if options.archive is not None:
        _check_archive(options, options.archive)
    if options.previous is not None:
        _check_previous(options, options.previous)
    if options.templates is not None and not os.path.isdir(options.templates):
        raise InvalidOption("templates", "{path}: not a directory", path=printable(options.templates))
    if options.url is not None:
        from mkindex.hosts.public_url import parse_public_url  # here, since most builds do not need it

        parse_public_url(options.url)
    if options.api_url is not None:
        _web_address("api_url", options.api_url)
    _check_site(options)
    _check_readers(options)
    _check_reserved(options)
    if options.engine is not None:
        from mkindex.config.engine_checks import check_engine  # here, since most builds do not need it

        check_engine(options.engine, (*options.sources, *options.index), options.store_option)
    if options.serve and not options.watch:
        raise InvalidOption(
            "serve",
            "requires {watch}. To serve an index that exists: mkindex serve {path}",
            path=printable(options.destination),
        )
    if options.watch and "-" in options.sources:
        raise InvalidOption("watch", "cannot watch standard input (-): give a file or a directory")
    if options.watch and options.dry_run:
        raise InvalidOption("watch", "and {dry_run} exclude each other: a dry run looks only once")
    parse_bind(options.bind)


def _check_identities(options: BuildOptions) -> None:
    from mkindex.model.identities import Identity  # here, since most builds do not need it

    if not options.require_attestations:
        raise InvalidOption("attested_by", "requires {require_attestations}")
    for text in options.attested_by:
        if Identity.parse(text) is None:
            raise InvalidOption(
                "attested_by",
                "must be github:OWNER/REPO, gitlab:GROUP/PROJECT or google:ADDRESS, not {value!r}",
                value=printable(text),
            )


def _check_archive(options: BuildOptions, archive: str) -> None:
    if not archive.endswith((".tar", ".zip")):
        raise InvalidOption(
            "archive", "must be a file whose name ends in .tar or .zip, not {value}", value=printable(archive)
        )
    if options.watch:
        raise InvalidOption("archive", "and {watch} exclude each other: an archive is of one build")
    if options.files_url is not None:
        raise InvalidOption("archive", "and {files_url} exclude each other: the files would not be in it")


def _check_locks(options: BuildOptions) -> None:
    """Check the options for lock files."""
    for name, other in (("python", "platform"), ("platform", "python"), ("implementation", "python")):
        if getattr(options, name) and not getattr(options, other):
            raise InvalidOption(name, f"requires {{{other}}}: clients choose files by both")
    if options.implementation:
        from mkindex.environments import IMPLEMENTATIONS  # here, since it takes many milliseconds
    for implementation in options.implementation:
        if implementation not in IMPLEMENTATIONS:
            known = " or ".join(IMPLEMENTATIONS)
            raise InvalidOption(
                "implementation", "must be {known}, not {value}", known=known, value=printable(implementation)
            )
    for name in options.installers:
        if not _NAME.fullmatch(name):
            raise InvalidOption(
                "installers", "must be the name of a project, such as pip, not {value}", value=printable(name)
            )
    for index in options.index:
        url = split_url(index)
        if not url or url.scheme not in ("http", "https", "file") or not (url.hostname or url.scheme == "file"):
            raise InvalidOption("index", "must be an http, https or file URL, not {value}", value=redact(index))


def _check_paths(options: BuildOptions) -> None:
    if not options.destination or "" in options.sources:
        raise ConfigError("give at least one SOURCE and a DEST, such as: mkindex ./wheels ./public")
    if options.sources.count("-") > 1:
        raise ConfigError("standard input (-) can be a source only once")
    if is_bucket(options.destination):
        _check_bucket(options)
    elif options.host == "s3":
        raise InvalidOption(
            "host",
            "s3 requires a bucket as DEST, which needs no upload: mkindex {source} s3://BUCKET/PREFIX",
            source=printable(" ".join(map(shlex.quote, options.sources))) or "SOURCE...",
        )
    elif _SCHEME.match(options.destination) and not os.path.isdir(options.destination):
        path = printable(options.destination)
        raise ConfigError(
            f"DEST {path} looks like a URL, but must be a directory, or a bucket (s3://, az://, or gs://, which is "
            "experimental). Of a directory "
            f"of that name, the path is ./{path}"
        )


def _check_bucket(options: BuildOptions) -> None:
    """Check what cannot be done with a bucket as DEST."""
    try:
        parse_bucket(options.destination)
    except ValueError as error:
        raise ConfigError(f"DEST {redact(options.destination)} {error}") from error
    if options.host not in (None, "s3"):
        raise InvalidOption("host", "{value} requires a directory as DEST, not a bucket", value=options.host)
    if options.link_mode == "hardlink":
        raise InvalidOption("link_mode", "hardlink requires a directory as DEST: files are uploaded to a bucket")
    for name in ("archive", "serve"):
        if getattr(options, name):
            raise InvalidOption(name, "requires a directory as DEST, not a bucket")


def _check_places(options: BuildOptions) -> None:
    """Check the paths of the indexes in the tree, which depend on the host."""
    kind = options.host or ("s3" if is_bucket(options.destination) else None)
    host = HOSTS[kind] if kind else None
    if options.simple_path:
        _check_tree_path("simple_path", options.simple_path, " (. is the root)")
    for name, path in ("simple_path", options.simple_path), ("json_root", options.json_root):
        if host and path and path.split("/")[0] in host.written_files:
            raise InvalidOption(
                name, "{path!r} is taken: {host} needs a file there. Choose another path", path=path, host=options.host
            )
    if options.json_root is None:
        return
    if host is None:
        able = ", ".join(name for name, one in HOSTS.items() if not one.why_no_json_root and name != "s3")
        raise InvalidOption("json_root", "requires a bucket as DEST, or {host} with one of {able}", able=able)
    if host.why_no_json_root:
        raise InvalidOption(
            "json_root",
            "is useless with {host} {value}: {reason}",
            value=options.host,
            reason=host.why_no_json_root,
        )
    _check_tree_path("json_root", options.json_root)
    parts, others = options.json_root.split("/"), options.simple_path.split("/") if options.simple_path else []
    shared = min(len(parts), len(others))
    if parts[:shared] == others[:shared]:
        raise InvalidOption(
            "json_root",
            "{path!r} and {simple_path} {other!r} must not be in each other: a project could have the name of the "
            "inner directory",
            path=options.json_root,
            other=options.simple_path or ".",
        )


def _check_site(options: BuildOptions) -> None:
    for one in OPTIONS:
        if one.group == SITE and one.name != "site" and getattr(options, one.name) and not options.site:
            raise InvalidOption(one.name, "requires {site}")
    if not options.site:
        return
    if not options.simple_path:
        raise InvalidOption("site", "and {simple_path} . exclude each other: both need index.html at the root of DEST")
    for name, path in ("simple_path", options.simple_path), ("json_root", options.json_root):
        if path and path.split("/")[0] in SITE_NAMES:
            raise InvalidOption(name, "{path!r} is taken: {site} writes there. Choose another path", path=path)
    if options.site_color is not None and not _COLOR.fullmatch(options.site_color):
        raise InvalidOption(
            "site_color", "must be a color such as #2b5f9e, not {value!r}", value=printable(options.site_color)
        )


def _check_readers(options: BuildOptions) -> None:
    """Check that nothing else is where the pages for other readers are."""
    used = next((name for name in ("legacy_json", "pyodide_json") if getattr(options, name)), None)
    if used is None:
        return
    if not options.simple_path:
        raise InvalidOption(
            used,
            "and {simple_path} . exclude each other: a project could have the name of the directory {taken}",
            taken=LEGACY_DIRECTORY,
        )
    for name, path in ("simple_path", options.simple_path), ("json_root", options.json_root):
        if path and path.split("/")[0] == LEGACY_DIRECTORY:
            raise InvalidOption(name, f"{{path!r}} is taken: {{{used}}} writes there. Choose another path", path=path)


def _check_reserved(options: BuildOptions) -> None:
    if not (options.reserve or options.release):
        return
    from mkindex.hosts.reserved import Reserved  # here, since most builds reserve nothing

    reserved, released = Reserved(options.reserve), Reserved(options.release, "release")
    if both := [name for name in released.globs if name in reserved.globs or reserved.has(name)]:
        raise InvalidOption(
            "release", "{value!r} has no effect: {reserve} reserves it. Remove one of them", value=both[0]
        )


def _check_files_url(options: BuildOptions, files_url: str) -> None:
    url = _web_address("files_url", files_url)
    if options.remote == "mirror":
        raise InvalidOption("files_url", "and {remote} mirror exclude each other: mirrored files are in DEST")
    if url.password or url.username:
        raise InvalidOption("files_url", "must not contain a user name or password: every reader would see it")


def _web_address(name: str, address: str) -> SplitResult:
    """Return the parts of an address that paths can be appended to. Raises InvalidOption."""
    url = split_url(address)
    if not url or url.scheme not in ("http", "https") or not url.hostname or url.query or url.fragment:
        shown = redact(address) if url and url.password else printable(address)
        raise InvalidOption(name, "must be an http or https URL without query and fragment, not {value!r}", value=shown)
    return url


def _check_previous(options: BuildOptions, site: str) -> None:
    if options.upload_time == "none":
        raise InvalidOption("previous", "and {upload_time} none exclude each other: no upload times are published")
    if options.watch:
        raise InvalidOption("previous", "and {watch} exclude each other: a watch knows what it published before")
    if not site:
        raise InvalidOption("previous", "must be the URL of a published site, or a directory with one")
    if _SCHEME.match(site) and not os.path.exists(site):
        url = split_url(site)
        if not url or url.scheme not in ("http", "https", "file") or not (url.hostname or url.scheme == "file"):
            raise InvalidOption(
                "previous", "must be an http or https URL, or a directory, not {site}", site=redact(site)
            )


def _check_tree_path(name: str, path: str, hint: str = "") -> None:
    parts = path.split("/")
    if parts[0] in TAKEN or not all(map(_PART.fullmatch, parts)):
        raise InvalidOption(
            name,
            "{path!r} must be a relative path of letters, digits and - _ . whose first part is not {taken}{hint}",
            taken=f"{', '.join(TAKEN[:-1])} or {TAKEN[-1]}",
            path=printable(path),
            hint=hint,
        )
