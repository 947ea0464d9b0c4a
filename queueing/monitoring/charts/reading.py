"""A chart as text: its legend, a sentence for each series, and all figures in a table."""

from datetime import datetime

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from queueing.text.humanize import visible

from .chart import Chart, Series


def summary(chart: Chart) -> str:
    """A sentence for each series with its last and its highest value."""
    return " ".join(
        _("%(label)s: last %(last)s, highest %(highest)s at %(time)s.")
        % {
            "label": visible(series.label),
            "last": chart.text(known[-1][1]),
            "highest": chart.text(highest[1]),
            "time": chart.time(highest[0]),
        }
        for series in chart.series
        if (known := _known(chart, series)) and (highest := max(known, key=lambda point: point[1]))
    )


def _known(chart: Chart, series: Series) -> list[tuple[datetime, float]]:
    points = zip(chart.times, series.values, strict=True)
    return [(at, value) for at, value in points if value is not None]


def legend(chart: Chart) -> SafeString:
    items = [(series.name, visible(series.label)) for series in chart.series]
    return format_html(
        '<ul class="queueing-legend">{}</ul>',
        format_html_join("", '<li><span class="swatch series-{}"></span>{}</li>', items),
    )


def table(chart: Chart) -> SafeString:
    """The figures of the chart as a table, newest first."""
    heads = format_html_join("", '<th scope="col">{}</th>', ((visible(one.label),) for one in chart.series))
    rows = format_html_join(
        "",
        '<tr><th scope="row">{}</th>{}</tr>',
        ((chart.time(chart.times[step]), _cells(chart, step)) for step in reversed(range(len(chart.times)))),
    )
    return format_html(
        '<details><summary>{}<span class="visually-hidden">: {}</span></summary><div class="results">'
        '<table class="queueing-table"><thead><tr><th scope="col">{}</th>{}</tr></thead>'
        "<tbody>{}</tbody></table></div></details>",
        *(_("As a table"), visible(chart.title), _("Time"), heads, rows),
    )


def _cells(chart: Chart, step: int) -> SafeString:
    return format_html_join("", "<td>{}</td>", ((chart.text(one.values[step]),) for one in chart.series))
