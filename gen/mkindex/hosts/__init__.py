"""The hosts that a tree can go to, public addresses, and the configuration of web servers."""
