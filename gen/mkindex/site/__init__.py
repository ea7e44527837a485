"""The index as a tree of resources: pages, files and their metadata."""
