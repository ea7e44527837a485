"""The rules: small pure functions over observations. Reports list them in the order of this file."""

from mkindex.check.rules import files as files  # noqa: I001 (the order matters)
from mkindex.check.rules import attestations as attestations
from mkindex.check.rules import wheels as wheels
from mkindex.check.rules import metadata as metadata
from mkindex.check.rules import server as server
from mkindex.check.rules import pages as pages
from mkindex.check.rules import json_pages as json_pages
from mkindex.check.rules import html_pages as html_pages
from mkindex.check.rules import links as links
from mkindex.check.rules import listings as listings
from mkindex.check.rules import projects as projects
from mkindex.check.rules import variants as variants
from mkindex.check.rules import directory as directory
