"""Retries as the engines decide them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloacina_ctl.manifest.model import Retry
from cloacina_ctl.runtime.scheduler.schedule import delay_seconds, is_retried

COUNTS = st.integers(0, 2**53 - 1)
POLICIES = st.builds(
    Retry, attempts=COUNTS, backoff=st.sampled_from(["fixed", "linear", "exponential"]),
    delay_ms=COUNTS, max_delay_ms=COUNTS, jitter=st.booleans(),
    condition=st.sampled_from(["all", "never", "transient", "broken pipe, 503"]),
)  # fmt: skip


@given(POLICIES, st.integers(1, 10**9), st.floats(0, 1))
def test_a_delay_is_never_negative_and_never_a_quarter_over_its_limit(retry, attempt, chance):
    delay = delay_seconds(retry, attempt, chance)
    assert 0 <= delay <= retry.max_delay_ms / 1000 * (1.25 if retry.jitter else 1) * (1 + 1e-9)


@given(POLICIES, st.integers(1, 200))
def test_without_jitter_a_delay_never_shrinks(retry, attempt):
    retry = retry._replace(jitter=False)
    assert delay_seconds(retry, attempt, 0.3) <= delay_seconds(retry, attempt + 1, 0.7)


@given(POLICIES, st.text(max_size=30))
def test_the_number_of_attempts_counts_the_first_and_is_never_passed(retry, error):
    attempts = 1
    while attempts < 40 and is_retried(retry, attempts, error):
        attempts += 1
    assert attempts <= max(1, retry.attempts)


def test_a_delay_that_code_computed_is_never_longer_than_a_year():
    retry = Retry(attempts=2, delay_ms=10**400, max_delay_ms=10**400, jitter=True)
    assert delay_seconds(retry, 1, 0.5) == 365 * 24 * 3600


@pytest.mark.parametrize(
    ("backoff", "delays"),
    [("fixed", [2, 2, 2, 2]), ("linear", [2, 4, 6, 7]), ("exponential", [2, 4, 7, 7])],
)
def test_the_three_ways_to_back_off(backoff, delays):
    retry = Retry(backoff=backoff, delay_ms=2000, max_delay_ms=7000, jitter=False)
    assert [delay_seconds(retry, attempt, 0.0) for attempt in (1, 2, 3, 4)] == delays


@pytest.mark.parametrize(("chance", "delay"), [(0.0, 0.75), (0.5, 1.0), (1.0, 1.25)])
def test_jitter_spreads_by_a_quarter_to_both_sides(chance, delay):
    assert delay_seconds(Retry(delay_ms=1000), 1, chance) == delay


@pytest.mark.parametrize(
    ("condition", "error", "timed_out", "again"),
    [
        ("all", "whatever", False, True),
        ("never", "timeout", True, False),
        ("transient", "Connection refused", False, True),
        ("transient", "no such column", False, False),
        ("transient", "no such column", True, True),
        ("broken pipe, 503", "HTTP 503", False, True),
        ("broken pipe, 503", "BROKEN PIPE", False, True),
        ("broken pipe, 503", "HTTP 404", True, False),
    ],
)
def test_conditions(condition, error, timed_out, again):
    assert is_retried(Retry(condition=condition), 1, error, timed_out=timed_out) is again
