"""What pip, uv, poetry and PDM have to be told of an index, as text."""
