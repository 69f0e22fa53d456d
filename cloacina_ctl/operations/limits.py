"""Limits raised for one run, by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cloacina_ctl.errors import Code, UsageError
from cloacina_ctl.formats.limits import DEFAULT_LIMITS, Limits

if TYPE_CHECKING:
    from collections.abc import Iterable


def raised_limits(settings: Iterable[str]) -> Limits:
    """Return the default limits with those of ``settings`` (``name=number``) in their place."""
    limits = DEFAULT_LIMITS
    for setting in settings:
        name, _, number = setting.partition("=")
        if name not in Limits._fields:
            known = ", ".join(Limits._fields)
            raise UsageError.of(Code.USAGE, f"no such limit: {name}", hint=f"use one of {known}")
        if not (number.isascii() and number.isdigit() and len(number) <= 18):
            raise UsageError.of(Code.USAGE, f"expected NAME=NUMBER, found: {setting}")
        limits = limits._replace(**{name: int(number)})
    return limits
