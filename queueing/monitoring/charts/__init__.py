"""Charts of metrics over time, drawn by the server as plain SVG.

Charts use no library, script or inline style. Colours are classes in ``charts.css``, so themes and a strict
Content-Security-Policy work. Each chart also exists as text: a description, the figures of each step as
tooltips, and a table.
"""

from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from queueing.text.humanize import visible

from .axes import COUNTS, SECONDS
from .chart import Chart, Series
from .drawing import drawing, sparkline
from .reading import legend, table

__all__ = ["COUNTS", "SECONDS", "Chart", "Series", "draw", "sparkline"]


def draw(chart: Chart) -> SafeString:
    """The chart as a ``figure`` element, or a sentence if it has no values."""
    if chart.is_empty:
        inside = format_html('<p class="quiet">{}</p>', _("Nothing was measured in this time."))
    else:
        inside = format_html("{}{}{}", legend(chart), drawing(chart), table(chart))
    return format_html(
        '<figure class="queueing-chart"><figcaption>{}</figcaption>{}</figure>', visible(chart.title), inside
    )
