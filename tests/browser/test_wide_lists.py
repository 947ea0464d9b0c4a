"""Lists with many columns: the important ones are visible on a laptop, and a row is a card on a phone."""

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from queueing.broker import batches
from queueing.broker.idempotency import whole_id
from queueing.client import QueueClient

from .conftest import Visit
from .test_jobs_live import record
from .test_page import overflow

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
#: The number of pixels by which the list is wider than its place.
HIDDEN = """() => {
    const place = document.querySelector("#result_list").closest(".results");
    return place.scrollWidth - place.clientWidth;
}"""
FIGURES = ("ready", "running", "delayed", "dead", "oldest", "in", "out", "failures")
LISTS = {
    "queue": ["name", "state", *FIGURES, "last hour", "actions"],
    "job": ["job", "state", "queue", "finished", "wait", "run", "message id"],
    "stagedmessage": ["message", "state", "queue", "staged", "due", "message id"],
    "batch": [
        *("batch", "state", "actions", "members", "waiting", "done", "failed", "cancelled"),
        *("queues", "started", "ended"),
    ],
}
#: Labels on cards.
LABELS = {
    "queue": {"ready", "running", "delayed", "dead", "oldest"}, "job": {"run"}, "stagedmessage": {"staged"},
    "batch": {"Members", "Waiting", "Done", "Failed", "Cancelled", "Queues", "Started", "Ended"},
}  # fmt: skip


def open_batch(client: QueueClient, *, done: int = 0, failed: int = 0, title: str = "") -> str:
    """A batch of 12,345 members, which has ended if ``done`` and ``failed`` are all of them."""
    id = whole_id()
    record = {
        "title": title or "shop.tasks.render_thumbnail_of_a_product",
        "queues": ["reports-of-the-warehouse"],
    }
    batches.open_batch(client.session, id, json.dumps(record), "", "")
    client.redis.hset(client.keys.batches(), mapping={f"{id} done": done, f"{id} failed": failed})
    batches.seal_batch(client.session, id, 12345)
    return id


def stage(database: Path, message_id: str, *, refusal: str = "") -> None:
    """Write the row of a staged message with a long URL in its call."""
    at = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")
    url = "https://example.com/a/very/long/path/to/the/hook/of/a/customer/who/likes/long/names"
    body = f'{{"django_task":1,"task":"shop.tasks.call_webhook","args":["{url}"],"kwargs":{{}}}}'
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute(
            """INSERT INTO queueing_stagedmessage
            (queue, message_id, sender, number, task_queue, body, headers, priority, due_ms, staged_at,
            is_refused, refusal) VALUES ('webhooks-of-customers', ?, 's', 1, '', ?, '', 0, 4102444800000,
            ?, ?, ?)""",
            (message_id, body.encode(), at, bool(refusal), refusal),
        )


@pytest.fixture
def lists(database: Path, client: QueueClient) -> None:
    """A job with a long URL in its call, a paused queue, dead letters, two staged messages, two batches."""
    open_batch(client, done=12000, failed=345)
    open_batch(client, done=1000, failed=2)
    client.create_queue("reports-of-the-warehouse")
    client.create_queue("reports-of-the-warehouse-dead")
    client.send_messages("reports-of-the-warehouse", ["x"] * 1234)
    client.pause_queue("reports-of-the-warehouse")
    record(database, "a" * 32, "done")
    stage(database, "a" * 32)
    stage(database, "b" * 32, refusal="Message too long: 70,000 characters, and the queue takes 65,536")


@pytest.mark.usefixtures("lists")
@pytest.mark.parametrize("name", LISTS)
def test_all_columns_are_visible_beside_the_sidebar_of_a_laptop(
    visit: Visit, log_in: Callable[[Page], None], name: str
):
    page = visit.page(width=1280)
    log_in(page)
    page.goto(f"/admin/queueing/{name}/")
    assert page.locator("#nav-sidebar").is_visible()
    assert [title for title in page.evaluate(IN_SIGHT) if title in LISTS[name]] == LISTS[name]
    assert page.evaluate(HIDDEN) <= 0
    assert overflow(page) <= 0


@pytest.mark.usefixtures("lists")
def test_names_stay_visible_when_the_attributes_of_queues_are_scrolled(
    visit: Visit, log_in: Callable[[Page], None]
):
    page = visit.page(width=1280)
    log_in(page)
    page.goto("/admin/queueing/queue/")
    page.click("text=Show the attributes of RSMQ")
    expect(page.locator("#result_list thead .column-vt")).to_be_attached()
    edge = page.locator("#changelist .results").bounding_box()["x"]  # type: ignore[index]
    assert page.evaluate(LEFT, 200) == pytest.approx(edge, abs=1)
    assert overflow(page) <= 0
    page.click("text=Hide the attributes of RSMQ")
    expect(page.locator("#result_list thead .column-vt")).to_have_count(0)


@pytest.mark.usefixtures("lists")
@pytest.mark.parametrize("name", LISTS)
def test_a_row_is_a_card_on_a_phone(visit: Visit, log_in: Callable[[Page], None], name: str):
    page = visit.page(width=390, dark=True)
    log_in(page)
    page.goto(f"/admin/queueing/{name}/")
    assert overflow(page) <= 0
    assert page.evaluate(HIDDEN) <= 0
    for card in page.locator("#result_list tbody tr").all():
        box = card.bounding_box()
        assert box is not None
        for cell in card.locator("td, th").all():
            place = cell.bounding_box()
            assert place is not None
            assert place["x"] + place["width"] <= box["x"] + box["width"] + 1
        expect(card.locator(".queueing-state")).to_be_visible()
    labels = (
        page.locator("#result_list tbody tr")
        .first.locator("[data-label]")
        .evaluate_all("cells => cells.map(cell => cell.dataset.label)")
    )
    assert set(labels) >= LABELS[name]


@pytest.mark.usefixtures("lists")
def test_a_batch_is_found_by_its_name_and_id_behind_the_newest_hundred(
    visit: Visit, log_in: Callable[[Page], None], client: QueueClient
):
    wanted = open_batch(client, title="shop.tasks.close_the_year")
    for _ in range(100):
        open_batch(client)
    page = visit.page(width=390)
    log_in(page)
    page.goto("/admin/queueing/batch/")
    expect(page.locator("#content-main")).not_to_contain_text(wanted)
    for text in ("Close_the", wanted):
        page.fill("[name=q]", text)
        page.click("button:text('Search')")
        expect(page.locator("#result_list tbody code")).to_have_text(wanted)
        assert overflow(page) <= 0
    page.fill("[name=q]", "nothing")
    page.click("button:text('Search')")
    expect(page.locator("#content-main")).to_contain_text("No batch has this name or id.")


@pytest.mark.usefixtures("lists")
def test_a_paused_queue_is_marked_and_its_dead_letters_are_below_it(
    visit: Visit, log_in: Callable[[Page], None]
):
    page = visit.page()
    log_in(page)
    page.goto("/admin/queueing/queue/")
    rows = page.locator("#result_list tbody tr")
    paused, below = rows.nth(0), rows.nth(1)
    expect(paused.locator("[data-state=paused]")).to_be_visible()
    colour = "cell => getComputedStyle(cell).backgroundColor"
    assert paused.locator("td").first.evaluate(colour) != below.locator("td").first.evaluate(colour)
    assert paused.locator("bdi").evaluate("name => getComputedStyle(name).paddingLeft") == "0px"
    assert below.locator("bdi").evaluate("name => getComputedStyle(name).paddingLeft") != "0px"
