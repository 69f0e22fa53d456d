"""JSON of legacy packages: any layout, but one meaning, and bounded before the parser runs.

Their parsers take the first or the last of two equal keys, NaN or not, and any number of digits.
What they could read differently is refused.
"""

from __future__ import annotations

import json
import math
from typing import Any, NoReturn

from cloacina_ctl.errors import Code, Refused
from cloacina_ctl.manifest.canonical import check_bounds

MAX_DEPTH = 32
MAX_ITEMS = 200_000
MAX_DIGITS = 19


def parse_json(data: bytes, where: str, *, max_depth: int = MAX_DEPTH) -> dict[str, Any]:
    """Return the object that ``data`` spells, or raise ``Refused`` with the place in ``where``."""
    check_bounds(data, what=where, max_bytes=len(data), max_depth=max_depth, max_items=MAX_ITEMS)
    try:
        value = json.loads(
            data.decode("utf-8"),
            object_pairs_hook=_object,
            parse_constant=_no_number,
            parse_int=_integer,
            parse_float=_float,
        )
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except json.JSONDecodeError as error:
        place = f"{where}:{error.lineno}:{error.colno}"
        raise _bad(f"not JSON: {error.msg[:1].lower()}{error.msg[1:]}", place) from error
    except UnicodeDecodeError as error:
        raise _bad(f"not UTF-8 at byte {error.start}", where) from error
    except UnicodeEncodeError as error:
        raise _bad("half of a surrogate pair in a text", where) from error
    except ValueError as error:
        raise _bad(f"not JSON: {error}", where) from error
    if not isinstance(value, dict):
        raise _bad("not a JSON object", where)
    return value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"the key `{twice[:80]}` stands twice")
    return found


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"no number: {text}")


def _integer(text: str) -> int:
    if len(text) > MAX_DIGITS:
        raise ValueError(f"a number of {len(text)} digits")
    return int(text)


def _float(text: str) -> float:
    value = float(text) if len(text) <= 64 else math.inf
    if not math.isfinite(value):
        raise ValueError(f"a number that is too large: {text[:40]}")
    return value


def _bad(message: str, where: str) -> Refused:
    return Refused.of(Code.BAD_MANIFEST, message, where=where)
