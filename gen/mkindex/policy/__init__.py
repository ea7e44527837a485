"""What the user decides about files that are there: pure functions on the projects of an index."""
