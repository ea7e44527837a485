"""The hosts that a tree can go to, and the configurations of web servers."""
