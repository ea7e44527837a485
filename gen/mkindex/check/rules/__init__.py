"""The rules: small functions over what was seen, in the order of the harm that was measured for what they find."""

from mkindex.check.rules import files as files  # noqa: I001 (reports keep this order)
from mkindex.check.rules import server as server
from mkindex.check.rules import pages as pages
from mkindex.check.rules import links as links
from mkindex.check.rules import projects as projects
from mkindex.check.rules import directory as directory
