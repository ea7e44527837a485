"""Turn a directory of wheels and sdists into a static Simple Repository."""

__version__ = "0.1.0"
