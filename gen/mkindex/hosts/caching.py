"""The values of Cache-Control for pages and files, which are the same on every host."""

PAGE_CACHING = "max-age=60, must-revalidate"
FILE_CACHING = "public, max-age=31536000, immutable"  # the path of a file contains its hash, so it never changes
