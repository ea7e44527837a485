"""Processes that examine files: those of this machine, or the workers of a Dask cluster."""
