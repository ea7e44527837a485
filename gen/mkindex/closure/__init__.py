"""What can be installed from an index, and what it lacks."""
