"""JSON that a package's code returns: limited before it is parsed, checked before it is kept.

A context is passed to other tasks, files and screens. So a value that an engine's reader would
refuse, or that cannot be written as JSON again, fails the attempt that returned it, nothing later.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any, NoReturn

from cloacina_ctl.errors import Code, Refused
from cloacina_ctl.manifest.canonical import check_bounds
from cloacina_ctl.runtime.scheduler.context import MAX_DEPTH

MAX_ITEMS = 2_000_000  # lists, objects and commas: some 250 MB once they are parsed
_MAX_DIGITS = 309  # of the largest number that a float holds
_PERHAPS_HALF = re.compile(r"\\u[dD][89a-fA-F]")


class BadResult(Exception):
    """A returned value that cannot be kept; the text says why."""


def context_of(text: object) -> dict[str, Any]:
    """Return the context in the JSON of ``text``. Raises ``BadResult``."""
    try:
        value = _value(text) if isinstance(text, str) else None
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise BadResult(f"the result is not a JSON object: {text!r:.80}")
    return value


def output_of(text: object) -> object:
    """Return the value of a graph's output, or the text itself where it is not JSON.

    Raises ``BadResult``.
    """
    if not isinstance(text, str):
        return None
    try:
        return _value(text)
    except ValueError:
        return text


def _value(text: str) -> object:
    """Return the JSON value of ``text``. Raises ``ValueError`` where it is not JSON."""
    try:
        data = text.encode()
        check_bounds(
            data, what="the result", max_bytes=len(data), max_depth=MAX_DEPTH, max_items=MAX_ITEMS
        )
        value = json.loads(
            text, parse_int=_integer, parse_float=_finite, parse_constant=_refuse_constant
        )
        if _PERHAPS_HALF.search(text):
            json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise BadResult("the result has half of a surrogate pair in a string") from None
    except Refused as why:
        if why.diagnostics[0].code is not Code.LIMIT:
            raise ValueError(str(why)) from None
        raise BadResult(str(why)) from None
    return value


def _integer(text: str) -> int:
    if len(text) > _MAX_DIGITS:
        raise BadResult(f"the result has a number of {len(text)} digits")
    return int(text)


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise BadResult(f"the result has a number that is too large: {text:.40}")
    return value


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(name)
