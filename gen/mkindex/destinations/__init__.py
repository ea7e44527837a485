"""Where resources go: each module one kind of place, all of them `mkindex.publish.Destination`."""
