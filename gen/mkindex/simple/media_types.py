"""The media types of the Simple API (PEP 691), without their parameters."""

JSON_TYPE, HTML_TYPE = "application/vnd.pypi.simple.v1+json", "application/vnd.pypi.simple.v1+html"
