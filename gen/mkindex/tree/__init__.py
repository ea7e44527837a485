"""The format of a published tree: its paths and its manifest."""
