"""Fixtures of the tests with real clients and servers."""

from support.example_index import base, hashes, home, index_server, server, site, site_server, tree, wheels

__all__ = ["base", "hashes", "home", "index_server", "server", "site", "site_server", "tree", "wheels"]
