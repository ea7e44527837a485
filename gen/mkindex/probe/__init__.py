"""The command `client`: identify an index, configure a client for it, and try the configuration."""
