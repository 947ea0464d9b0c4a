"""The admin's page of batches."""

import json
import re
from collections.abc import Callable

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client

from queueing import handlers
from queueing.client import QueueClient
from queueing.composition import batch, get_batch, step
from queueing.policies import GiveUp
from queueing.testing import run_pending

PAGE = "/admin/queueing/batch/"


@pytest.fixture
def failed(queue: QueueClient, monkeypatch: pytest.MonkeyPatch) -> str:
    """The id of a batch with a dead member, a done one, and one that waits."""
    monkeypatch.setattr(handlers, "_handlers", {})

    @handlers.handler("testqueue")
    def take(message):
        if message.body == "bad":
            raise GiveUp("bad")

    queue.create_queue("later")
    members = [step("testqueue", "bad"), step("testqueue", "good"), step("later", "waits")]
    id = batch(members).enqueue()
    run_pending()
    return id


def text_of(browser: Client, path: str = PAGE) -> str:
    response = browser.get(path)
    assert response.status_code == 200, response
    return response.content.decode()


def test_a_batch_is_shown_with_its_counts(boss: Client, failed: str):
    html = text_of(boss)
    assert failed in html
    assert ">running</span>" in html
    cells = [part.split("<")[0] for part in re.split('<td class="nowrap"[^>]*>', html)]
    assert cells[2:7] == ["3", "1", "1", "1", "0"]
    assert "/queue/testqueue/change/" in html
    assert "/batch/retry/" in html
    assert "/batch/cancel/" in html


def test_retry_failed_runs_the_dead_members_again(boss: Client, failed: str, queue: QueueClient):
    html = boss.post(f"{PAGE}retry/", {"name": failed}, follow=True).content.decode()
    assert "1 dead member runs again." in html
    assert queue.figures_of_queue("testqueue").ready == 1
    assert LogEntry.objects.get().object_id == failed


def test_cancel_asks_first(boss: Client, failed: str):
    html = boss.post(f"{PAGE}cancel/", {"name": failed}).content.decode()
    assert "1 member waits or runs" in html
    assert not get_batch(failed).is_cancelled
    html = boss.post(f"{PAGE}cancel/", {"name": failed, "confirmed": "1"}, follow=True).content.decode()
    assert f"Cancelled the batch {failed}" in html
    assert get_batch(failed).is_cancelled
    assert ">cancelled</span>" in html
    assert "/batch/cancel/" not in html


def test_an_unknown_batch_and_one_that_has_ended_change_nothing(boss: Client, queue: QueueClient):
    for name, words in (("x" * 32, "does not exist any more"), (batch([]).enqueue(), "has ended")):
        data = {"name": name, "confirmed": "1"}
        assert words in boss.post(f"{PAGE}cancel/", data, follow=True).content.decode()
    assert not LogEntry.objects.exists()


@pytest.mark.parametrize(
    ("rights", "verbs"),
    [(("view_batch",), set()), (("view_batch", "retry_batch"), {"retry"}),
     (("view_batch", "cancel_batch"), {"cancel"})],
)  # fmt: skip
def test_each_action_needs_its_permission(
    staff: Callable[..., Client], failed: str, rights: tuple[str, ...], verbs: set[str]
):
    browser = staff(*rights)
    html = text_of(browser)
    for verb in ("retry", "cancel"):
        assert (f"/batch/{verb}/" in html) == (verb in verbs)
        status = browser.post(f"{PAGE}{verb}/", {"name": failed}).status_code
        assert (status == 403) == (verb not in verbs)


def test_a_batch_that_another_program_has_written_is_shown_inert(boss: Client, queue: QueueClient):
    id, title = "<b>\u202e", "<script>alert(1)</script>"
    queue.redis.zadd("rsmq::batches:order", {id: 1})
    record = json.dumps({"title": title, "queues": [title], "parent": 7})
    queue.redis.hset("rsmq::batches", mapping={id: record, f"{id} done": "NaN", f"{id} total": "1e9"})
    assert "<script>alert" not in text_of(boss)


def test_without_one_the_page_explains_how_to_make_one(boss: Client, queue: QueueClient):
    assert "batch(…).enqueue()" in text_of(boss)
    assert "<html" not in text_of(boss, f"{PAGE}live/")
