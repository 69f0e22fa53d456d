"""A user of the test's own, who knows two keys by their files."""

from __future__ import annotations

import pytest

from tests.format.verdicts import Judge


@pytest.fixture
def judge(tmp_path, monkeypatch) -> Judge:
    """Ask the reader about bytes, as somebody without keys and trust of their own."""
    monkeypatch.setenv("CLOACINA_CTL_CONFIG_DIR", str(tmp_path / "user"))
    return Judge(tmp_path)
