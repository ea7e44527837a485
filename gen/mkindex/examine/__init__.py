"""Turn artifacts and links into the files of an index, or into rejections."""
