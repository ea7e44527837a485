"""What some tests need beyond Python: they are skipped where it is missing, or fail where all of it has to be there."""

from __future__ import annotations

import os
from typing import NoReturn

import pytest


def skip_or_fail(what: str) -> NoReturn:
    """Leave a test for want of `what`, loudly: with MKINDEX_REQUIRE=all as a failure."""
    if os.environ.get("MKINDEX_REQUIRE") == "all":
        pytest.fail(f"MISSING: {what}", pytrace=False)
    pytest.skip(f"MISSING: {what}")
