"""The policy: what the user decides about the files that sources have. Pure functions on the projects of an index."""
