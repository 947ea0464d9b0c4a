"""Staged messages in the console: the list, sending now, deleting, and rights."""

import html
import re
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.admin.models import CHANGE, DELETION, LogEntry
from django.db import connection, transaction
from django.test import Client

import queueing
from queueing.admin import long_actions
from queueing.client import QueueClient
from queueing.client.default import connect, use_client
from queueing.conf import Config
from queueing.messages import Draft
from queueing.models import StagedMessage
from queueing.transactional import backlog, staging
from queueing.worker.relay import Relay

LIST = "/admin/queueing/stagedmessage/"
TASK = '{"django_task":1,"task":"shop.tasks.send_receipt","args":[7],"kwargs":{}}'

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _relayed(settings: Any) -> None:
    settings.QUEUEING = {**settings.QUEUEING, "RELAY_DATABASES": ["default"]}


def stage(*bodies: str, queue: str = "testqueue", together: bool = False) -> list[StagedMessage]:
    """Rows as a process leaves them that dies after the commit."""
    with transaction.atomic():
        if together:
            ids = staging.stage(queue, [Draft(body=body) for body in bodies])
        else:
            ids = [queueing.send_message(queue, body, via="database") for body in bodies]
        connection.run_on_commit = []
    return list(StagedMessage.objects.filter(message_id__in=ids).order_by("id"))


def refuse(row: StagedMessage, reason: str = "Queue not found") -> StagedMessage:
    StagedMessage.objects.filter(pk=row.pk).update(is_refused=True, refusal=reason)
    row.refresh_from_db()
    return row


def text_of(browser: Client, url: str) -> str:
    response = browser.get(url, follow=True)
    assert response.status_code == 200, response
    return response.content.decode()


def url(verb: str, query: str = "") -> str:
    return f"{LIST}all/{verb}/?{query}"


def do(browser: Client, verb: str, query: str = "") -> str:
    """Say yes, and press Continue as long as there is one. The text of the message at the end."""
    page = browser.get(url(verb, query))
    for _ in range(50):
        work = re.search(r'name="work" value="([^"]*)"', page.content.decode())
        assert work, page.content.decode()
        page = browser.post(url(verb), {"work": html.unescape(work[1])})
        if page.status_code == 302:
            page = browser.get(page["Location"])
            said = re.search(
                r'<ul class="messagelist">\s*<li[^>]*>(.*?)</li>', page.content.decode(), re.DOTALL
            )
            return html.unescape(said[1]) if said else ""
    raise AssertionError("it does not end")


def bodies(queue: QueueClient, name: str = "testqueue") -> list[str]:
    return [message.body for message in queue.peek_messages(name, count=1000)]


class TestList:
    def test_it_shows_each_row_with_its_call_its_state_and_the_reason(
        self, boss: Client, queue: QueueClient
    ) -> None:
        stage(TASK, "order 7")
        refuse(*stage("a", queue="nowhere"))

        text = text_of(boss, LIST)

        for part in ("send_receipt(7)", "order 7", "waiting", "refused", "nowhere", "Queue not found"):
            assert part in text, part
        assert "0 of 3 selected" in text

    def test_it_reads_the_beginning_of_a_long_payload_only(
        self, boss: Client, queue: QueueClient, django_assert_max_num_queries: Any
    ) -> None:
        stage("x" * 50_000, *("y" for _ in range(20)))

        with django_assert_max_num_queries(12):
            assert "x" * 2000 not in text_of(boss, LIST)

    def test_a_filter_shows_the_refused_ones(self, boss: Client, queue: QueueClient) -> None:
        [waiting] = stage("a")
        refused = refuse(*stage("b", queue="nowhere"))

        text = text_of(boss, f"{LIST}?state=refused")

        assert refused.message_id in text
        assert waiting.message_id not in text

    def test_an_empty_list_gives_the_reason(self, boss: Client, queue: QueueClient) -> None:
        assert "No message is staged" in text_of(boss, LIST)

    def test_the_menu_offers_it_only_if_messages_are_staged(
        self, boss: Client, queue: QueueClient, settings: Any
    ) -> None:
        assert LIST in text_of(boss, "/admin/")
        settings.QUEUEING = {**settings.QUEUEING, "RELAY_DATABASES": []}
        assert LIST not in text_of(boss, "/admin/")

    def test_it_works_while_redis_is_away(self, boss: Client, queue: QueueClient) -> None:
        [row] = stage("a")
        use_client(connect(Config(URL="redis://127.0.0.1:1")))

        assert row.message_id in text_of(boss, LIST)

    def test_the_page_of_a_message_shows_its_payload_and_the_reason(
        self, boss: Client, queue: QueueClient
    ) -> None:
        row = refuse(*stage('{"password": "hunter2", "order": 7}', queue="nowhere"))

        text = text_of(boss, f"{LIST}{row.pk}/change/")

        assert "Queue not found" in text
        assert "&quot;order&quot;: 7" in text
        assert "hunter2" not in text
        assert url("retry", f"ids={row.pk}") in html.unescape(text)

    @pytest.mark.parametrize(
        "text", ["<script>alert(1)</script>", "safe\u202egpj", "nul\0", "{{ 7|add:7 }}", ""]
    )
    def test_hostile_text_is_inert(self, boss: Client, queue: QueueClient, text: str) -> None:
        row = refuse(*stage(text), reason="<b>no</b>")

        for address in (LIST, f"{LIST}{row.pk}/change/", url("delete", f"ids={row.pk}")):
            shown = text_of(boss, address)
            assert "<script>alert" not in shown
            assert "<b>no" not in shown
            assert "\u202e" not in shown
            assert "\0" not in shown


class TestSendNow:
    def test_a_selection_is_sent_in_the_order_of_its_rows(self, boss: Client, queue: QueueClient) -> None:
        first, _, third = stage("a", "b", "c")
        menu = {"action": "retry", "_selected_action": [str(third.pk), str(first.pk)]}

        asked = boss.post(LIST, menu)

        assert asked["Location"] == url("retry", f"ids={third.pk}%2C{first.pk}")
        assert bodies(queue) == []
        assert do(boss, "retry", f"ids={third.pk},{first.pk}") == "2 messages were sent."
        assert bodies(queue) == ["a", "c"]
        assert StagedMessage.objects.count() == 1

    def test_a_refused_message_is_sent_once_its_queue_exists(self, boss: Client, queue: QueueClient) -> None:
        row = refuse(*stage("a", queue="later"))
        assert "was not sent" in do(boss, "retry", f"ids={row.pk}")
        queue.create_queue("later")

        assert do(boss, "retry", "state=refused") == "1 message was sent."

        assert bodies(queue, "later") == ["a"]
        assert LogEntry.objects.get().action_flag == CHANGE

    def test_only_the_selected_one_of_several_that_were_staged_together_is_sent(
        self, boss: Client, queue: QueueClient
    ) -> None:
        first, second = stage("a", "b", together=True)

        do(boss, "retry", f"ids={second.pk}")

        assert bodies(queue) == ["b"]
        assert StagedMessage.objects.get() == first

    def test_one_of_several_that_is_refused_does_not_hold_up_the_others(
        self, boss: Client, queue: QueueClient
    ) -> None:
        queue.create_queue("short", maxsize=1024)
        stage("a", "b" * 2000, "c", queue="short", together=True)

        said = do(boss, "retry")

        assert said == "2 messages were sent. 1 message was not sent: see its reason in the list."
        assert bodies(queue, "short") == ["a", "c"]
        assert StagedMessage.objects.get().is_refused

    def test_many_are_sent_in_steps(
        self, boss: Client, queue: QueueClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(backlog, "CHUNK", 10)
        monkeypatch.setattr(long_actions, "SLICE_SECONDS", 0.0)
        stage(*map(str, range(25)))

        assert do(boss, "retry") == "25 messages were sent."

        assert bodies(queue) == [str(number) for number in range(25)]

    def test_while_redis_is_away_nothing_is_lost_and_the_page_continues(
        self, boss: Client, queue: QueueClient
    ) -> None:
        stage("a")
        page = boss.get(url("retry"))
        work = html.unescape(re.search(r'name="work" value="([^"]*)"', page.content.decode())[1])  # type: ignore[index]
        use_client(connect(Config(URL="redis://127.0.0.1:1")))

        text = boss.post(url("retry"), {"work": work}).content.decode()

        assert "Redis does not answer" in text
        assert StagedMessage.objects.count() == 1


class TestDelete:
    def test_a_deleted_message_is_never_sent(self, boss: Client, queue: QueueClient) -> None:
        [row] = stage("a")
        asked = boss.get(f"{LIST}{row.pk}/delete/")
        assert asked["Location"] == url("delete", f"ids={row.pk}")
        assert "Delete 1 staged message?" in text_of(boss, asked["Location"])
        assert StagedMessage.objects.count() == 1

        assert do(boss, "delete", f"ids={row.pk}") == "1 message was deleted."

        assert not StagedMessage.objects.exists()
        assert bodies(queue) == []
        assert LogEntry.objects.get().action_flag == DELETION

    def test_the_others_of_its_send_are_still_relayed(self, boss: Client, queue: QueueClient) -> None:
        first, _ = stage("a", "b", together=True)

        do(boss, "delete", f"ids={first.pk}")

        relay = Relay(queue, ["default"], name="relay")
        relay.step()
        relay.step()
        assert bodies(queue) == ["b"]


class TestRights:
    def test_each_action_needs_its_permission(self, staff: Callable[..., Client], queue: QueueClient) -> None:
        [row] = stage("a")
        browser = staff("view_stagedmessage")

        text = text_of(browser, LIST)

        assert "all/retry/" not in text
        assert "all/delete/" not in text
        for verb in ("retry", "delete"):
            assert browser.get(url(verb, f"ids={row.pk}")).status_code == 403
            assert browser.post(url(verb), {"work": "x"}).status_code == 403

    @pytest.mark.parametrize(
        ("permission", "verb", "other"),
        [("retry_stagedmessage", "retry", "delete"), ("delete_stagedmessage", "delete", "retry")],
    )
    def test_with_it_the_action_is_offered(
        self, staff: Callable[..., Client], queue: QueueClient, permission: str, verb: str, other: str
    ) -> None:
        stage("a")
        browser = staff("view_stagedmessage", permission)

        text = text_of(browser, LIST)

        assert f"all/{verb}/" in text
        assert f"all/{other}/" not in text
        assert browser.get(url(verb)).status_code == 200

    def test_nobody_adds_or_changes_a_row(self, boss: Client, queue: QueueClient) -> None:
        [row] = stage("a")
        assert boss.get(f"{LIST}add/").status_code == 403
        assert boss.post(f"{LIST}{row.pk}/change/", {"queue": "b"}).status_code == 403

    def test_work_of_another_person_is_refused(self, boss: Client, queue: QueueClient) -> None:
        assert boss.post(url("retry"), {"work": "forged"}).status_code == 400
