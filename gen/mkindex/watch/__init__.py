"""Build again whenever a source changes."""
