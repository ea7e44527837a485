"""Releases of repositories as a source: wheels and sdists that are attached to them."""
