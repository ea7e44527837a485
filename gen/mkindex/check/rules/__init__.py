"""The rules: small functions over what was seen, in the order of the harm that was measured for what they find."""

# isort: off (reports keep this order)
from mkindex.check.rules import directory, files, pages, projects, server

__all__ = ["directory", "files", "pages", "projects", "server"]
