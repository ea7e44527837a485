"""Attacks on mkindex that go on for as long as there is time, and a table of what they found."""
