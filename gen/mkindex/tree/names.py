"""Every path of the published tree, spelled once. All are relative to its root, with "/" between."""

# --- pages ----------------------------------------------------------------------------------------------------------

SIMPLE_DIRECTORY = "simple"  # the root of the index, unless --simple-path gives another
INDEX_HTML, INDEX_JSON = "index.html", "index.v1_json"  # in the root, and in the directory of each project
LINKS_HTML = "links.html"
NOT_FOUND_HTML = "404.html"
NO_JEKYLL = ".nojekyll"  # tells GitHub Pages to serve names that begin with a dot or an underscore

# --- files ----------------------------------------------------------------------------------------------------------

FILES_DIRECTORY = "files"
METADATA_SUFFIX = ".metadata"  # of the sibling with the core metadata of a wheel (PEP 658)


def file_path(sha256: str, filename: str) -> str:
    """Return the path of a file. It contains the hash, so the contents at a path never change."""
    return f"{FILES_DIRECTORY}/{sha256[:2]}/{sha256[2:]}/{filename}"


# --- mkindex's record of its own output -----------------------------------------------------------------------------

STATE_DIRECTORY = ".mkindex"
# In the state directory:
MANIFEST = "manifest"
INTENT = "intent"  # of a run under way, or of one that died
LOCK = "lock"
TEMPORARY_DIRECTORY = "tmp"
DOWNLOADS_DIRECTORY = "downloads"
