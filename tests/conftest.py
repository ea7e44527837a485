"""What every test stands on: nothing that the user has set or cached reaches mkindex."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from collections.abc import Iterator

# The same examples each time: what a change breaks is then its own doing. `make soak` looks for new ones.
settings.register_profile("same", derandomize=True, deadline=None)
settings.load_profile("default" if os.environ.get("MKINDEX_SOAK") else "same")


@pytest.fixture(scope="session", autouse=True)
def _own_settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name.startswith("MKINDEX_") and name != "MKINDEX_REQUIRE":
                patch.delenv(name)
        patch.delenv("SOURCE_DATE_EPOCH", raising=False)
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield
