"""Which 32 bytes are a point that a signature may use: canonical, and not of small order.

The library verifies signatures, yet takes keys of small order, under which one signature fits
every message. There are fourteen encodings of such points; they are computed, not listed.
"""

from __future__ import annotations

from functools import lru_cache

P = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
_D = -121665 * pow(121666, P - 2, P) % P
_SIGN = 1 << 255

Point = tuple[int, int]


def is_canonical(encoded: bytes) -> bool:
    """Tell whether ``encoded`` spells its y coordinate below P, and a sign only where x has one."""
    number = int.from_bytes(encoded, "little")
    y, sign = number & (_SIGN - 1), number >> 255
    return y < P and not (sign and y in (1, P - 1))


def is_small_order(encoded: bytes) -> bool:
    """Tell whether ``encoded``, in any spelling, is one of the eight points of small order."""
    y = (int.from_bytes(encoded, "little") & (_SIGN - 1)) % P
    return y in _small_order_ys()


def is_scalar(encoded: bytes) -> bool:
    """Tell whether ``encoded`` is below the order of the group: the one spelling of a scalar."""
    return int.from_bytes(encoded, "little") < ORDER


@lru_cache(maxsize=1)
def _small_order_ys() -> frozenset[int]:
    """Return the y coordinates of the points whose order divides eight.

    Order 1: y = 1. Order 2: y = -1. Order 4: y = 0. Order 8: the doubled point has y = 0, which
    for -x² + y² = 1 + dx²y² means y² = -x², so d·y⁴ + 2·y² - 1 = 0.
    """
    root = _sqrt((1 + _D) % P)
    halves = [(-1 + root) * pow(_D, P - 2, P) % P, (-1 - root) * pow(_D, P - 2, P) % P]
    ys = {0, 1, P - 1}
    for square in halves:
        if pow(square, (P - 1) // 2, P) == 1:
            y = _sqrt(square)
            ys |= {y, P - y}
    return frozenset(ys)


def _sqrt(square: int) -> int:
    """Return a square root modulo P (RFC 8032, 5.1.3)."""
    root = pow(square, (P + 3) // 8, P)
    if root * root % P != square % P:
        root = root * pow(2, (P - 1) // 4, P) % P
    return root
