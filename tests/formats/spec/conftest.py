"""A user of the test's own, who knows two keys by their files."""

from __future__ import annotations

import pytest

from tests.formats.spec.verdicts import Judge


@pytest.fixture
def judge(tmp_path) -> Judge:
    """Ask the reader about bytes, as somebody without keys and trust of their own."""
    return Judge(tmp_path)
