"""What the tests of projects share."""

from __future__ import annotations

import os

import pytest

from tests.tools import need


@pytest.fixture
def needs_cargo() -> str:
    """Skip where cargo is not installed; in CI that is a failure."""
    return need("cargo")


@pytest.fixture
def plain_cargo(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take away what the environment of the tests tells cargo and the compiler."""
    for name in list(os.environ):
        if name.startswith("CARGO_") and name != "CARGO_HOME":
            monkeypatch.delenv(name)
    monkeypatch.delenv("RUSTFLAGS", raising=False)
