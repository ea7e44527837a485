"""HTTP: one transport, and the client that adds redirects, credentials, retries, bounds and a cache."""
