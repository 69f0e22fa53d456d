"""What the tests of projects share."""

from __future__ import annotations

import pytest

from tests.tools import need


@pytest.fixture
def needs_cargo() -> str:
    """Skip where cargo is not installed; in CI that is a failure."""
    return need("cargo")
