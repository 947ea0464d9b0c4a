"""Lists with many columns: the important ones are visible, the others can be scrolled to, and names stay."""

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page

from queueing.client import QueueClient

from .conftest import Visit
from .test_jobs_live import record

#: The titles of columns that are completely visible.
IN_SIGHT = """() => {
    const edge = document.querySelector("#result_list").closest(".results").getBoundingClientRect().right + 1;
    const titles = [...document.querySelectorAll("#result_list thead th")];
    return titles.filter((title) => title.getBoundingClientRect().right <= edge)
        .map((title) => title.textContent.trim().toLowerCase());
}"""
LEFT = """(scrolled) => {
    document.querySelector("#result_list").closest(".results").scrollLeft = scrolled;
    return document.querySelector("#result_list tbody th").getBoundingClientRect().left;
}"""
LISTS = {"queue": {"dead", "latency", "rate in", "rate out", "failure %"}, "job": {"state", "wait", "run"}}


@pytest.mark.parametrize("name", LISTS)
def test_the_important_columns_are_visible_beside_the_sidebar_of_a_laptop(
    visit: Visit, log_in: Callable[[Page], None], database: Path, name: str
):
    record(database, "a" * 32, "done")
    page = visit.page(width=1280)
    log_in(page)
    page.goto(f"/admin/queueing/{name}/")
    assert page.locator("#nav-sidebar").is_visible()
    assert set(page.evaluate(IN_SIGHT)) >= LISTS[name]


@pytest.mark.parametrize(("width", "dark"), [(390, True), (1280, False)])
@pytest.mark.parametrize("name", LISTS)
def test_a_name_stays_visible_when_its_row_is_scrolled(
    visit: Visit,
    log_in: Callable[[Page], None],
    database: Path,
    client: QueueClient,
    name: str,
    width: int,
    dark: bool,
):
    record(database, "a" * 32, "done")
    page = visit.page(width=width, dark=dark)
    log_in(page)
    page.goto(f"/admin/queueing/{name}/")
    edge = page.locator("#changelist .results").bounding_box()["x"]  # type: ignore[index]
    assert page.evaluate(LEFT, 200) == pytest.approx(edge, abs=1)
    assert page.evaluate("document.documentElement.scrollWidth") == width
