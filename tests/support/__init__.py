"""Helpers that the tests share: what they build, serve, break and run."""
