"""The Simple Repository API on the wire: PEP 503 and PEP 691, version 1.4."""
