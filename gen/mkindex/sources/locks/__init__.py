"""Lock files as sources: which files they name, and which of them a client would install."""
