"""Programs that some tests need: without them, the tests are skipped, or with MKINDEX_REQUIRE=all they fail."""

from __future__ import annotations

import os
from typing import NoReturn

import pytest


def skip_or_fail(what: str) -> NoReturn:
    """Skip a test because `what` is missing; with MKINDEX_REQUIRE=all, fail instead."""
    if os.environ.get("MKINDEX_REQUIRE") == "all":
        pytest.fail(f"MISSING: {what}", pytrace=False)
    pytest.skip(f"MISSING: {what}")
