"""A line drawn with braille signs, two by four dots in each."""

from collections.abc import Sequence

_DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))


def braille(
    points: Sequence[tuple[float, float]], width: int, height: int, *, until: float
) -> list[str]:
    """Lines of text with the curve through `points` (x from 0 to `until`, sorted), top line first.

    The lowest y is at the bottom, the highest at the top.
    """
    cells = [[0] * width for _ in range(height)]
    low = min(y for _, y in points)
    span = (max(y for _, y in points) - low) or 1.0
    places = [
        (
            min(2 * width - 1, int(x / until * 2 * width)),
            round((1 - (y - low) / span) * (4 * height - 1)),
        )
        for x, y in points
    ]
    for (x0, y0), (x1, y1) in zip(places, [*places[1:], places[-1]], strict=True):
        steps = max(abs(x1 - x0), abs(y1 - y0), 1)
        for step in range(steps + 1):
            x, y = round(x0 + (x1 - x0) * step / steps), round(y0 + (y1 - y0) * step / steps)
            cells[y // 4][x // 2] |= _DOTS[y % 4][x % 2]
    return ["".join(chr(0x2800 + cell) for cell in line) for line in cells]
