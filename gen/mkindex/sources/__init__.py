"""Where artifacts come from: directories, pages, indexes and lists."""
