"""Every path of the published tree, spelled once."""

INDEX_HTML, INDEX_JSON = "index.html", "index.v1_json"


def file_path(sha256: str, filename: str) -> str:
    """Return the path of a file in the published tree: made of its own hash, so that it never changes there."""
    return f"files/{sha256[:2]}/{sha256[2:]}/{filename}"


STATE_DIRECTORY = ".mkindex"
