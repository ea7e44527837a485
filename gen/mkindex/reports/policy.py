"""What a policy did to an index, as text for people or as JSON for programs."""

from collections.abc import Iterator
from typing import Any

from mkindex.policy.apply import PolicyResult
from mkindex.policy.decide import Verdict
from mkindex.text import plural

_TEXTS: dict[Verdict, str] = {
    "yanked": "yanked",
    "not yanked": "listed as not yanked",
    "not kept": "not listed ([[keep]])",
    "not selected": "not listed ([[only]])",
    "waits": "waiting",
}


def policy_lines(result: PolicyResult) -> Iterator[str]:
    """Yield lines for the summary of a build: what the policy did, and how limits of time were resolved."""
    counts = {verdict: result.count(verdict) for verdict in _TEXTS}
    texts = [f"{plural(count, 'file')} {_TEXTS[verdict]}" for verdict, count in counts.items() if count]
    if counts["waits"] and result.first_appears:
        texts[-1] += f" (the first until {result.first_appears})"
    yield f"Policy: {', '.join(texts) or 'nothing to change'}"
    if result.moments:
        yield f"        {', '.join(result.moments)}"


def policy_as_json(result: PolicyResult) -> dict[str, Any]:
    """Return the key `policy` of a JSON report."""
    counts = {verdict.replace(" ", "-"): result.count(verdict) for verdict in _TEXTS}
    return {"policy": {**counts, "first-appears": result.first_appears or None, "limits": list(result.moments)}}
