"""Whether 32 bytes are a usable point: canonical, on the curve, not of small order.

The library that verifies signatures accepts keys of small order, under which one signature fits
every message. Fourteen encodings spell such a point.
"""

from __future__ import annotations

KEY_BYTES = 32  # of an encoded point, and of a seed
SPKI = bytes.fromhex("302a300506032b6570032100")  # what DER puts before a public key, RFC 8410
P = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P  # RFC 8032, 5.1
_SIGN = 1 << 255

# The y of the points of order eight solves d·y⁴ + 2·y² - 1 = 0: doubled, they have y = 0.
_EIGHTH = 0x05FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826
_SMALL_ORDER_YS = frozenset((0, 1, P - 1, _EIGHTH, P - _EIGHTH))


def is_canonical(encoded: bytes) -> bool:
    """Return whether ``encoded`` has its y coordinate below P, and a sign only where x has one."""
    number = int.from_bytes(encoded, "little")
    y, sign = number & (_SIGN - 1), number >> 255
    return y < P and not (sign and y in (1, P - 1))


def is_small_order(encoded: bytes) -> bool:
    """Return whether ``encoded``, in any spelling, is one of the eight points of small order."""
    return (int.from_bytes(encoded, "little") & (_SIGN - 1)) % P in _SMALL_ORDER_YS


def is_on_curve(encoded: bytes) -> bool:
    """Return whether there is an x for the y of ``encoded``: half of all bytes are no point."""
    y = int.from_bytes(encoded, "little") & (_SIGN - 1)
    # x² = (y² - 1) / (d·y² + 1): a quotient is a square where the product is one.
    product = (y * y - 1) * (D * y * y + 1) % P
    return pow(product, (P - 1) // 2, P) in (0, 1)


def is_scalar(encoded: bytes) -> bool:
    """Return whether ``encoded`` is below the order of the group: the one spelling of a scalar."""
    return int.from_bytes(encoded, "little") < ORDER
