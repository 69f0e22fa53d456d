"""Waiting for a condition, and never for a time."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")
PAUSE_SECONDS = 0.005


def wait_until(condition: Callable[[], T], seconds: float = 30.0) -> T:
    """Return the first answer of ``condition`` that is true; fail after ``seconds`` without one."""
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, "what was waited for did not happen"
        time.sleep(PAUSE_SECONDS)
    return found
