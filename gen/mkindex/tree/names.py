"""Every path of the published tree, spelled once. All are relative to its root, with "/" between."""

# --- pages ----------------------------------------------------------------------------------------------------------

SIMPLE_DIRECTORY = "simple"  # the root of the index, unless --simple-path gives another
INDEX_HTML, INDEX_JSON = "index.html", "index.v1_json"  # in the root, and in the directory of each project
LINKS_HTML = "links.html"
LOCKS_DIRECTORY = "locks"  # of lock files, with their addresses changed to the tree
INSTALL_MD = "INSTALL.md"  # beside them
ARCHIVE_SUMS = "SHA256SUMS"  # only in an archive of the tree
NOT_FOUND_HTML = "404.html"
LEGACY_DIRECTORY, LEGACY_JSON = "pypi", "json"  # with --legacy-json: pypi/NAME/json
PYODIDE_JSON = f"{LEGACY_DIRECTORY}/all.json"  # with --pyodide-json
GENERATION_TXT = "generation.txt"  # of a site that each deployment replaces
NO_JEKYLL = ".nojekyll"  # tells GitHub Pages to serve names that begin with a dot or an underscore

# Pages for people, with --site.
PROJECT_DIRECTORY = "project"  # of the pages of projects
ASSETS_DIRECTORY = "assets"  # style, scripts, logo. Sorts before index.html, and so it is published earlier
LICENSES_HTML, FEED_XML = "licenses.html", "feed.xml"
RELEASES_HTML, CONTENTS_HTML, BADGE_SVG = "releases.html", "contents.html", "badge.svg"  # of a project
SITE_NAMES = (PROJECT_DIRECTORY, ASSETS_DIRECTORY, LICENSES_HTML, FEED_XML)

# The published names that begin with a dot; the second one configures Apache.
DOT_FILES = (NO_JEKYLL, ".htaccess")

# --- files ----------------------------------------------------------------------------------------------------------

FILES_DIRECTORY = "files"
METADATA_SUFFIX = ".metadata"  # of the sibling with the core metadata of a wheel (PEP 658)
PROVENANCE_SUFFIX = ".provenance"  # of a provenance object (PEP 740)


def file_path(sha256: str, filename: str) -> str:
    """Return the path of a file. It contains the hash, so the contents at a path never change."""
    return f"{FILES_DIRECTORY}/{sha256[:2]}/{sha256[2:]}/{filename}"


def is_legacy_page(path: str) -> bool:
    """Tell whether this is the path of a page of --legacy-json, which has no suffix that says its type."""
    directory, _, rest = path.partition("/")
    name, _, last = rest.partition("/")
    return (directory, bool(name), last) == (LEGACY_DIRECTORY, True, LEGACY_JSON)


# --- mkindex's record of its own output -----------------------------------------------------------------------------

STATE_DIRECTORY = ".mkindex"
MANIFEST = f"{STATE_DIRECTORY}/manifest"  # all paths that mkindex wrote
PARTS_DIRECTORY = f"{STATE_DIRECTORY}/parts"  # of a divided manifest, in a bucket: each named by its sha256
INTENT = f"{STATE_DIRECTORY}/intent"  # the paths that a run writes or deletes, while it does
LOCK = f"{STATE_DIRECTORY}/lock"  # held by the process that writes
TEMPORARY_DIRECTORY = f"{STATE_DIRECTORY}/tmp"  # noqa: S108 (of files that no reader may see yet)
DOWNLOADS_DIRECTORY = f"{STATE_DIRECTORY}/downloads"  # the next run continues where an interrupted one stopped
