"""The rules: small functions over what was seen, in the order of the harm that was measured for what they find."""

from mkindex.check.rules import files, hosts, pages, projects, trees

__all__ = ["files", "hosts", "pages", "projects", "trees"]
