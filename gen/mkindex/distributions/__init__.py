"""Wheels and sdists: their filenames, their archives, and the core metadata inside."""
