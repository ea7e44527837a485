"""Builds: from sources to a published index."""
