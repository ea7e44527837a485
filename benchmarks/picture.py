"""Pictures of a value of each program, such as its time, against the number of files, both in powers of ten."""

import math
from collections.abc import Iterator, Mapping, Sequence
from html import escape

WIDTH, HEIGHT = 760, 420
LEFT, RIGHT, TOP, BOTTOM = 70, 270, 20, 50  # margins; on the right are the names
OURS, OTHERS = "#c0392b", ("#2c5f8a", "#3b8a6e", "#8a6d2c", "#6b4c8a", "#777777")

Lines = Mapping[str, Sequence[tuple[int, float]]]


def draw(
    lines: Lines,
    *,
    title: str = "Time of the first run against the number of wheels",
    unit: str = "s",
    across: str = "wheels",
) -> str:
    """Return an SVG. `lines`: for each program its points, number of files and value; the first one is ours."""
    counts = [count for points in lines.values() for count, _ in points]
    values = [value for points in lines.values() for _, value in points]
    horizontal = _Scale(counts, LEFT, WIDTH - RIGHT)
    vertical = _Scale(values, HEIGHT - BOTTOM, TOP)
    parts = [*_grid(horizontal, vertical, unit, across), *_curves(lines, horizontal, vertical)]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" '
        f'font-size="12">\n<title>{escape(title)}</title>\n'
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>\n' + "\n".join(parts) + "\n</svg>\n"
    )


class _Scale:
    """A logarithmic scale from the power of ten below the least value to that above the greatest."""

    def __init__(self, values: Sequence[float], start: float, end: float) -> None:
        self.low = math.floor(math.log10(min(values)))
        self.high = max(math.ceil(math.log10(max(values))), self.low + 1)
        self._start, self._end = start, end

    def at(self, value: float) -> float:
        share = (math.log10(value) - self.low) / (self.high - self.low)
        return round(self._start + share * (self._end - self._start), 1)

    @property
    def powers(self) -> list[float]:
        return [10.0**power for power in range(self.low, self.high + 1)]


def _grid(across: _Scale, up: _Scale, unit: str, counted: str) -> Iterator[str]:
    left, right, top, bottom = LEFT, WIDTH - RIGHT, TOP, HEIGHT - BOTTOM
    for count in across.powers:
        x = across.at(count)
        yield f'<path d="M{x} {top}V{bottom}" stroke="#ddd"/>'
        yield f'<text x="{x}" y="{bottom + 18}" text-anchor="middle">{count:,.0f}</text>'
    for value in up.powers:
        y = up.at(value)
        yield f'<path d="M{left} {y}H{right}" stroke="#ddd"/>'
        yield f'<text x="{left - 8}" y="{y + 4}" text-anchor="end">{value:g} {unit}</text>'
    yield f'<text x="{(left + right) / 2:g}" y="{HEIGHT - 10}" text-anchor="middle">{counted}</text>'


def _curves(lines: Lines, across: _Scale, up: _Scale) -> Iterator[str]:
    """Yield a line for each program, and its name at the end; names that would overlap are moved down."""
    colors = dict(zip(lines, (OURS, *OTHERS), strict=False))
    ends = sorted((up.at(points[-1][1]), name) for name, points in lines.items())
    y_of, last = {}, 0.0
    for y, name in ends:
        y_of[name] = last = max(y + 4, last + 15)
    for name, points in lines.items():
        color, width = colors.get(name, OTHERS[-1]), 3 if colors.get(name) == OURS else 1.5
        places = [(across.at(count), up.at(value)) for count, value in points]
        path = "L".join(f"{x} {y}" for x, y in places)
        yield f'<path d="M{path}" fill="none" stroke="{color}" stroke-width="{width}"/>'
        yield from (f'<circle cx="{x}" cy="{y}" r="3" fill="{color}"/>' for x, y in places)
        yield f'<text x="{WIDTH - RIGHT + 12}" y="{y_of[name]:g}" fill="{color}">{escape(name)}</text>'
