"""Retry policies: as keywords of the decorator, or built as an object."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

_BACKOFFS = ("fixed", "linear", "exponential")
_CONDITIONS = ("never", "transient", "all")
# Defaults; names and units are those of a manifest.
DEFAULTS: dict[str, Any] = {
    "attempts": 3, "backoff": "exponential", "delay_ms": 1000, "max_delay_ms": 30_000,
    "jitter": True, "condition": "all",
}  # fmt: skip


class BackoffStrategy:
    """How the delay grows from attempt to attempt."""

    def __init__(self, kind: str) -> None:
        self.kind = kind

    @staticmethod
    def fixed() -> BackoffStrategy:
        """Return the strategy with a constant delay."""
        return BackoffStrategy("fixed")

    @staticmethod
    def linear(multiplier: float) -> BackoffStrategy:  # noqa: ARG004 - the signature is given
        """Return the strategy whose delay grows linearly."""
        return BackoffStrategy("linear")

    @staticmethod
    def exponential(base: float, multiplier: float | None = None) -> BackoffStrategy:  # noqa: ARG004
        """Return the strategy whose delay doubles."""
        return BackoffStrategy("exponential")

    def __repr__(self) -> str:
        return f"BackoffStrategy.{self.kind.capitalize()}"


class RetryCondition:
    """Which failures are retried."""

    def __init__(self, text: str) -> None:
        self.text = text

    @staticmethod
    def never() -> RetryCondition:
        """Return the condition that no failure meets."""
        return RetryCondition("never")

    @staticmethod
    def transient_only() -> RetryCondition:
        """Return the condition that transient failures meet."""
        return RetryCondition("transient")

    @staticmethod
    def all_errors() -> RetryCondition:
        """Return the condition that every failure meets."""
        return RetryCondition("all")

    @staticmethod
    def error_pattern(patterns: Sequence[str]) -> RetryCondition:
        """Return the condition that failures with one of these words meet."""
        return RetryCondition(",".join(patterns))

    def __repr__(self) -> str:
        return f"RetryCondition({self.text!r})"


class RetryPolicy:
    """Whether and when a failed task is retried; times in seconds."""

    def __init__(self, settings: dict[str, Any]) -> None:
        self.settings = {**DEFAULTS, **settings}

    @staticmethod
    def builder() -> RetryPolicyBuilder:
        """Return a builder with nothing set."""
        return RetryPolicyBuilder({})

    @staticmethod
    def default() -> RetryPolicy:
        """Return the policy of a task without settings."""
        return RetryPolicy({})

    @property
    def max_attempts(self) -> int:
        """The largest number of attempts."""
        return int(self.settings["attempts"])

    @property
    def initial_delay(self) -> float:
        """The seconds before the second attempt."""
        return float(self.settings["delay_ms"]) / 1000

    @property
    def max_delay(self) -> float:
        """The longest delay, in seconds."""
        return float(self.settings["max_delay_ms"]) / 1000

    @property
    def with_jitter(self) -> bool:
        """Whether delays are spread."""
        return bool(self.settings["jitter"])

    def should_retry(self, attempt: int, error_type: str) -> bool:  # noqa: ARG002 - given
        """Return whether another attempt follows."""
        return attempt < self.max_attempts

    def calculate_delay(self, attempt: int) -> float:
        """Return the delay after the failed attempt in seconds, without jitter."""
        factor = {"fixed": 1, "linear": max(attempt, 1)}.get(
            self.settings["backoff"], 2 ** max(attempt - 1, 0)
        )
        return float(min(self.initial_delay * factor, self.max_delay))

    def __repr__(self) -> str:
        return (
            f"RetryPolicy(max_attempts={self.max_attempts}, initial_delay={self.initial_delay}s, "
            f"max_delay={self.max_delay}s, jitter={self.with_jitter})"
        )


class RetryPolicyBuilder:
    """Builds a policy; each method returns another builder."""

    def __init__(self, settings: dict[str, Any]) -> None:
        self._settings = settings

    def _with(self, name: str, value: object) -> RetryPolicyBuilder:
        return RetryPolicyBuilder({**self._settings, name: value})

    def max_attempts(self, attempts: int) -> RetryPolicyBuilder:
        """Set the largest number of attempts."""
        return self._with("attempts", int(attempts))

    def initial_delay(self, delay_seconds: float) -> RetryPolicyBuilder:
        """Set the seconds before the second attempt."""
        return self._with("delay_ms", int(delay_seconds * 1000))

    def max_delay(self, delay_seconds: float) -> RetryPolicyBuilder:
        """Set the longest delay, in seconds."""
        return self._with("max_delay_ms", int(delay_seconds * 1000))

    def backoff_strategy(self, strategy: BackoffStrategy) -> RetryPolicyBuilder:
        """Set how the delay grows."""
        return self._with("backoff", strategy.kind)

    def retry_condition(self, condition: RetryCondition) -> RetryPolicyBuilder:
        """Set which failures are retried."""
        return self._with("condition", condition.text)

    def with_jitter(self, jitter: bool) -> RetryPolicyBuilder:  # noqa: FBT001 - given
        """Set whether delays are spread."""
        return self._with("jitter", bool(jitter))

    def build(self) -> RetryPolicy:
        """Return the policy."""
        return RetryPolicy(self._settings)


def settings_of(policy: RetryPolicy | None, keywords: dict[str, Any]) -> dict[str, Any] | None:
    """Return the settings of a task, None where it has none of its own. Raises ``ValueError``."""
    given = {name: value for name, value in keywords.items() if value is not None}
    if policy is not None:
        if given:
            raise ValueError(
                "set the retries of a task by `retry` or by the other arguments, not by both: "
                f"{', '.join(given)}"
            )
        return policy.settings
    _check("retry_backoff", given, _BACKOFFS)
    _check("retry_condition", given, _CONDITIONS)
    named = {name.removeprefix("retry_"): value for name, value in given.items()}
    return {**DEFAULTS, **named} if named else None


def _check(name: str, given: dict[str, Any], known: tuple[str, ...]) -> None:
    if name in given and given[name] not in known:
        expected = ", ".join(f'"{one}"' for one in known)
        raise ValueError(f"`{name}` is one of {expected}, not: {given[name]}")
