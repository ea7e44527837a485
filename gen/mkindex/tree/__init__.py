"""What a published tree looks like on disk: its paths and its manifest."""
