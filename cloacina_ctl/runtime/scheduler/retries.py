"""Whether and when a failed attempt is repeated, as the engines decide it.

The rules are those of the engines' ``RetryPolicy``: ``attempts`` counts every run of the task, the
first one too; the delay follows from the number of the attempt that failed, and is capped before
it is spread by a quarter to both sides.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cloacina_ctl.manifest.model import Retry

_TRANSIENT = ("timeout", "connection", "network", "temporary", "unavailable")
_SPREAD = 0.25
# Enough to pass any `max_delay_ms` that a manifest can hold.
_MAX_DOUBLINGS = 64
_MAX_DELAY_MS = 365 * 24 * 3600 * 1000  # code may compute any number


def is_retried(retry: Retry, attempt: int, error: str, *, timed_out: bool = False) -> bool:
    """Tell whether there is another attempt after this one, counted from 1, failed."""
    if attempt >= retry.attempts or retry.condition == "never":
        return False
    if retry.condition == "all":
        return True
    text = error.lower()
    if retry.condition == "transient":
        return timed_out or any(word in text for word in _TRANSIENT)
    return any(word.strip().lower() in text for word in retry.condition.split(","))


def delay_seconds(retry: Retry, attempt: int, chance: float) -> float:
    """Return the seconds between the failure of this attempt, counted from 1, and the next one.

    ``chance`` is from 0 to 1 and decides about the spread, where the task has one.
    """
    delay = retry.delay_ms
    if retry.backoff == "linear":
        delay *= attempt
    elif retry.backoff == "exponential":
        delay *= 2 ** min(attempt - 1, _MAX_DOUBLINGS)
    delay = min(delay, retry.max_delay_ms, _MAX_DELAY_MS)
    if retry.jitter:
        delay = int(delay * (1 - _SPREAD + 2 * _SPREAD * chance))
    return delay / 1000
