"""A published tree over HTTP, for development and small networks: `mkindex serve`."""
