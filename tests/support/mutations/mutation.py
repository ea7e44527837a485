"""One defect of an index, and where it can be."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Callable

    from support.index_copy import Form, IndexCopy, Place


@dataclass(frozen=True)
class Mutation:
    """One defect, put into a good index."""

    name: str
    rule: str
    apply: Callable[[IndexCopy], object]
    forms: tuple[Form, ...] = ("html", "json")
    places: tuple[Place, ...] = ("local", "served")
    files: Literal["none", "head", "hash", "deep"] | None = "hash"
    install: tuple[str, ...] = ("alpha",)
    intended: dict[str, str] = field(default_factory=lambda: {"alpha": "2.0", "gamma": "1.0"})
    options: dict[str, Any] = field(default_factory=dict)
    try_clients: bool = True  # False: a milder case than the rule describes, which clients may accept

    def __str__(self) -> str:
        return self.name


HTML_ONLY: tuple[Form, ...] = ("html",)
JSON_ONLY: tuple[Form, ...] = ("json",)
BOTH_FORMS: tuple[Form, ...] = ("both",)
LOCAL: tuple[Place, ...] = ("local",)
SERVED: tuple[Place, ...] = ("served",)
