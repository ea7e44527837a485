"""Who may attest files: the values of --attested-by, compared with the publishers of provenance objects (PEP 740)."""

import re
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

Publisher = dict[str, Any]  # as in a provenance object: "kind", and what that kind has

_IDENTITY = re.compile(r"(?P<kind>github|gitlab|google):(?P<name>[\w.@*?/+-]+)", re.ASCII)
_KINDS = {"github": "GitHub", "gitlab": "GitLab", "google": "Google"}


class Identity(NamedTuple):
    """Who may attest files, as --attested-by names them: a repository or an account, with * and ?."""

    kind: str  # as in a publisher
    pattern: str

    @classmethod
    def parse(cls, text: str) -> "Identity | None":
        """Read github:OWNER/REPOSITORY, gitlab:GROUP/PROJECT or google:ADDRESS; None for anything else."""
        found = _IDENTITY.fullmatch(text)
        if not found or (found["kind"] == "google") is not ("@" in found["name"] and "/" not in found["name"]):
            return None
        if found["kind"] != "google" and "/" not in found["name"]:
            return None
        return cls(_KINDS[found["kind"]], found["name"])

    def matches(self, publisher: Publisher) -> bool:
        """Tell whether this is the publisher. Names are compared without case, as forges do."""
        name = publisher.get("email" if self.kind == "Google" else "repository", "")
        return publisher.get("kind") == self.kind and fnmatchcase(str(name).lower(), self.pattern.lower())
