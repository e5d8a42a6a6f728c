"""What all tests share: the same examples in every run, and nothing of the surroundings."""

from __future__ import annotations

import os

import pytest
from hypothesis import settings

from builder.engines import registry

settings.register_profile("same", deadline=None, derandomize=True, database=None)
settings.register_profile("search", deadline=None, max_examples=1000, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "same"))


@pytest.fixture(autouse=True)
def _no_keys_or_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys and addresses of whoever runs the tests play no part in them."""
    for preset in registry.PRESETS.values():
        for name in (preset.api_key_env, preset.base_url_env):
            if name is not None:
                monkeypatch.delenv(name, raising=False)
