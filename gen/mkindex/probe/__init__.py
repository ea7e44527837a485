"""The command `client`: what an address is, what a client has to be told of it, and whether that works."""
