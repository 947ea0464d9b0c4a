"""Draws a chart as SVG: grid, times, bars or curves, and tooltips.

Horizontal positions are percentages, vertical ones pixels. So a drawing fills the available width without
scaling its text.
"""

from collections.abc import Iterator, Sequence

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from queueing.text.humanize import visible

from .axes import count_text, time_text, time_ticks
from .chart import Chart, Value
from .reading import summary

#: Heights in pixels: of the part with the data, and of the whole drawing, which has the times at the bottom.
PLOT_PX, HEIGHT_PX = 160, 182


def drawing(chart: Chart) -> SafeString:
    """The SVG of a chart, which must have at least one known value."""
    ticks = chart.measure[0](chart.highest)
    shape = _bars(chart, ticks[-1]) if chart.shape == "bars" else _curves(chart, ticks[-1])
    return format_html(
        '<svg role="img" height="{}"><title>{}</title><desc>{}</desc>{}{}{}{}</svg>',
        *(HEIGHT_PX, visible(chart.title), summary(chart)),
        *(_grid(chart, ticks), _times(chart), shape, _columns(chart)),
    )


def sparkline(values: Sequence[Value], label: str) -> SafeString:
    """A small area chart without axes, for a table cell, ``""`` if all values are unknown.

    ``label`` is the beginning of its accessible description.
    """
    known = [value for value in values if value is not None]
    if not known:
        return SafeString("")
    top = max(*known, 0.0) or 1.0
    said = _("%(label)s: last %(last)s, highest %(highest)s") % {
        "label": label,
        "last": count_text(known[-1]),
        "highest": count_text(max(known)),
    }
    paths = format_html_join("", '<path class="{}" d="{}"/>', _paths(values, PLOT_PX / top, is_filled=True))
    return format_html(
        '<svg class="queueing-spark" role="img" width="80" height="20" viewBox="0 -8 {} {}"'
        ' preserveAspectRatio="none"><title>{}</title>{}</svg>',
        *(len(values), PLOT_PX + 8, visible(said), paths),
    )


def _grid(chart: Chart, ticks: Sequence[float]) -> SafeString:
    heights = [(PLOT_PX * (1 - tick / ticks[-1]), chart.text(tick)) for tick in ticks]
    return format_html_join(
        "",
        '<line class="grid" x1="0" x2="100%" y1="{0}" y2="{0}"/>'
        '<text class="value" x="-6" y="{0}">{1}</text>',
        ((f"{y:.1f}", text) for y, text in heights),
    )


def _times(chart: Chart) -> SafeString:
    begin, end = chart.times[0], chart.end
    marks = ((100 * ((at - begin) / (end - begin)), at) for at in time_ticks(begin, end))
    return format_html_join(
        "",
        '<line class="mark" x1="{0}%" x2="{0}%" y1="{1}" y2="{2}"/>'
        '<text class="time" x="{0}%" y="{3}">{4}</text>',
        (
            (f"{x:.2f}", PLOT_PX, PLOT_PX + 4, PLOT_PX + 17, time_text(at, of_days=chart.is_of_days))
            for x, at in marks
        ),
    )


def _bars(chart: Chart, top: float) -> SafeString:
    wide = 100 / len(chart.times)
    return format_html_join(
        "",
        '<rect class="bar series-{}" x="{}%" y="{}" width="{}%" height="{}"/>',
        (
            (name, f"{wide * (step + 0.1):.3f}", f"{PLOT_PX - top_px:.2f}", f"{wide * 0.8:.3f}", f"{px:.2f}")
            for step in range(len(chart.times))
            for name, top_px, px in _stack(chart, step, PLOT_PX / top)
        ),
    )


def _stack(chart: Chart, step: int, scale: float) -> Iterator[tuple[str, float, float]]:
    """Yield the bars of one step from the bottom up: name of the series, upper edge, height.

    Upper edge and height are in pixels. The upper edge is measured from the bottom of the chart.
    """
    below = 0.0
    for series in chart.series:
        if value := series.values[step]:
            below += value * scale
            yield series.name, below, value * scale


def _curves(chart: Chart, top: float) -> SafeString:
    """The curves, in a nested SVG.

    In the nested SVG, one unit of width is one step. The nested SVG is stretched to the available width.
    """
    parts = [
        (kind, series.name, path)
        for series in chart.series
        for kind, path in _paths(series.values, PLOT_PX / top, is_filled=chart.shape == "area")
    ]
    paths = format_html_join("", '<path class="{} series-{}" d="{}"/>', parts)
    return format_html(
        '<svg width="100%" height="{1}" viewBox="0 0 {0} {1}" preserveAspectRatio="none">{2}</svg>',
        *(len(chart.times), PLOT_PX, paths),
    )


def _paths(values: Sequence[Value], scale: float, *, is_filled: bool) -> Iterator[tuple[str, str]]:
    """Yield the SVG paths that draw a series, each with its kind: ``area`` or ``line``.

    The series is drawn as a single ``line``, with gaps at unknown values. With ``is_filled``, each part
    between two gaps also has an ``area``, which is yielded before the line.
    """
    pieces = [
        [f"{step + 0.5:g} {PLOT_PX - value * scale:.2f}" for step, value in piece]
        for piece in _stretches(values)
    ]
    if is_filled:
        floor = f"{PLOT_PX}"
        for piece in pieces:
            first, last = piece[0].split()[0], piece[-1].split()[0]
            yield "area", f"M{first} {floor}L{'L'.join(piece)}L{last} {floor}Z"
    # A single point is drawn as a line that ends where it begins. Its round ends make it a visible dot.
    yield "line", "".join(f"M{'L'.join(piece if len(piece) > 1 else piece * 2)}" for piece in pieces)


def _stretches(values: Sequence[Value]) -> Iterator[list[tuple[int, float]]]:
    piece: list[tuple[int, float]] = []
    for step, value in enumerate(values):
        if value is not None:
            piece.append((step, value))
        elif piece:
            yield piece
            piece = []
    if piece:
        yield piece


def _columns(chart: Chart) -> SafeString:
    """Tooltips: an invisible column over each step, whose ``title`` element has the figures."""
    wide = 100 / len(chart.times)
    return format_html_join(
        "",
        '<rect class="step" x="{}%" y="0" width="{}%" height="{}"><title>{}</title></rect>',
        (
            (f"{wide * step:.3f}", f"{wide:.3f}", PLOT_PX, f"{chart.time(at)}\n{_figures(chart, step)}")
            for step, at in enumerate(chart.times)
        ),
    )


def _figures(chart: Chart, step: int) -> str:
    return "\n".join(f"{visible(series.label)}: {chart.text(series.values[step])}" for series in chart.series)
