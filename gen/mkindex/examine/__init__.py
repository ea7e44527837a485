"""From artifacts and links to the files of an index, or to the reason why one is rejected."""
