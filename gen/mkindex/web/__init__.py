"""HTTP for building and for checking: a client with bounds, over one narrow transport."""
