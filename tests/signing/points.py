"""The curve of Ed25519, added and multiplied by its textbook formulas: slow, and written apart."""

from __future__ import annotations

P = 2**255 - 19
D = -121665 * pow(121666, P - 2, P) % P
L = 2**252 + 27742317777372353535851937790883648493
NEUTRAL = (0, 1)

Point = tuple[int, int]


def add(one: Point, other: Point) -> Point:
    """Return the sum of two points of -x² + y² = 1 + d·x²·y²."""
    (x1, y1), (x2, y2) = one, other
    product = D * x1 * x2 * y1 * y2 % P
    x = (x1 * y2 + x2 * y1) * pow(1 + product, P - 2, P) % P
    y = (y1 * y2 + x1 * x2) * pow(1 - product, P - 2, P) % P
    return x, y


def multiply(times: int, point: Point) -> Point:
    """Return the sum of ``times`` times ``point``."""
    total = NEUTRAL
    while times:
        if times & 1:
            total = add(total, point)
        point = add(point, point)
        times >>= 1
    return total


def x_of(y: int) -> int | None:
    """Return an x for which (x, y) is on the curve, or None."""
    square = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    for root in (x := pow(square, (P + 3) // 8, P), x * pow(2, (P - 1) // 4, P) % P):
        if root * root % P == square:
            return root
    return None


def encode(point: Point) -> bytes:
    """Return the canonical encoding."""
    x, y = point
    return (y | (x & 1) << 255).to_bytes(32, "little")


def small_order_points() -> set[Point]:
    """Return the points whose order divides eight: L times any point is one."""
    found: set[Point] = set()
    y = 2
    while len(found) < 8:
        x = x_of(y)
        if x is not None:
            start = multiply(L, (x, y))
            for times in range(8):
                found.add(multiply(times, start))
        y += 1
    return found


def small_order_encodings() -> set[bytes]:
    """Return every 32 bytes that a lenient decoder takes for such a point."""
    found = set()
    for x, y in small_order_points():
        for number in (y, y + P):
            if number < 2**255:
                # the sign of x = 0 has no meaning, so both spell the point
                signs = (0, 1) if x == 0 else (x & 1,)
                found |= {(number | sign << 255).to_bytes(32, "little") for sign in signs}
    return found
