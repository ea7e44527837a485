"""Configurations of pip, uv, poetry and PDM for an index, as text."""
