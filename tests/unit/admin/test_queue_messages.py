"""Pages that show messages: bounded, inert, and without receiving any."""

import re

import pytest
from django.test import Client

from queueing.admin.queues.messages import SHOWN, SHOWN_AT_MOST
from queueing.client import QueueClient
from queueing.policies import Policy, unique

WORK = "/admin/queueing/queue/work/"

HOSTILE = {
    "script": "<script>alert(1)</script>",
    "template": "{{ 7|add:7 }}{% debug %}",
    "turned": "safe\u202egpj",
    "nul": "a\0b",
    "ansi": "\x1b[31mred",
    "lines": "a\r\nSet-Cookie: x=1",
    "attribute": '" onmouseover="alert(1)',
}


@pytest.fixture
def queue(shared_client: QueueClient) -> QueueClient:
    shared_client.create_queue("work", maxsize=-1)
    return shared_client


def text(browser: Client, path: str) -> str:
    answer = browser.get(WORK + path, follow=True)
    assert answer.status_code == 200
    return answer.content.decode()


def shown_bodies(html: str) -> list[str]:
    return re.findall(r'class="queueing-body"><bdi>(.*?)</bdi>', html)


def is_inert(html: str) -> bool:
    return not re.search(r"<script>alert|\u202e|\0|\x1b|\" onmouseover=|>14<", html)


class TestMessages:
    @pytest.mark.parametrize(
        ("query", "first"),
        [("", "0"), ("?which=first", "0"), ("?which=last", "99"), ("?which=<script>", "0")],
    )
    def test_it_begins_at_either_end(self, boss: Client, queue: QueueClient, query: str, first: str):
        queue.send_messages("work", [str(number) for number in range(100)])
        bodies = shown_bodies(text(boss, f"messages/{query}"))
        assert bodies[0] == first
        assert len(bodies) == SHOWN

    @pytest.mark.parametrize(
        ("count", "rows"),
        [("7", 7), ("0", 1), ("-5", 1), ("x", SHOWN), ("", SHOWN), ("9" * 40, SHOWN_AT_MOST), ("1e9", 1)],
    )
    def test_a_number_is_brought_back_to_reason(
        self, boss: Client, queue: QueueClient, count: str, rows: int
    ):
        queue.send_messages("work", ["x"] * 600)
        assert len(shown_bodies(text(boss, f"messages/?count={count}"))) == rows

    def test_none_is_received_nor_more_of_it_read_than_is_shown(
        self, boss: Client, queue: QueueClient, monkeypatch: pytest.MonkeyPatch
    ):
        queue.send_messages("work", ["x" * 50_000] * 20)
        read: list[int] = []
        peek = QueueClient.peek_messages

        def counted(self: QueueClient, *args: object, **options: object) -> object:
            found = peek(self, *args, **options)
            read.extend(len(message.body) for message in found)
            return found

        monkeypatch.setattr(QueueClient, "peek_messages", counted)
        html = text(boss, "messages/") + text(boss, "change/")
        assert max(read) <= 1000
        assert len(read) == 40
        assert "48.8\xa0KB" in html
        assert queue.get_queue_attributes("work").totalrecv == 0

    def test_the_first_of_many_long_ones_are_shown_by_their_beginnings_the_others_by_their_sizes(
        self, boss: Client, queue: QueueClient
    ):
        queue.send_messages("work", ["x" * 4_000_000] * 3 + ["short"])
        html = text(boss, "messages/")
        assert shown_bodies(html) == ["x" * 199 + "…"] * 2 + ["short"]
        assert html.count("3.8\xa0MB") == 3
        assert html.count("too long for the list") == 1

    @pytest.mark.parametrize("body", HOSTILE.values(), ids=HOSTILE)
    def test_their_content_is_text(self, boss: Client, queue: QueueClient, body: str):
        id = queue.send_message("work", body, headers={body: body})
        for path in ("messages/", "change/", f"messages/{id}/"):
            assert is_inert(text(boss, path))

    def test_a_foreign_id_is_shown_and_can_be_neither_opened_nor_ticked(
        self, boss: Client, queue: QueueClient
    ):
        for id in HOSTILE.values():
            queue.redis.hset("rsmq:work:Q", id, "x")
            queue.redis.zadd("rsmq:work", {id: 0})
        html = text(boss, "messages/")
        assert is_inert(html)
        assert len(shown_bodies(html)) == len(HOSTILE)
        assert "checkbox" not in html

    @pytest.mark.parametrize("of", ["<script>alert(1)</script>", "nowhere", "\u202e", "work", "a" * 500])
    def test_a_queue_that_has_no_dead_letters_here_is_not_offered_any(
        self, boss: Client, queue: QueueClient, of: str
    ):
        queue.send_message("work", "x")
        html = boss.get(WORK + "messages/", {"of": of}).content.decode()
        assert is_inert(html.replace(f'value="{of}"', ""))
        assert "/redrive/" not in html


class TestOneMessage:
    def test_json_is_laid_out_with_its_numbers_as_they_were_written(self, boss: Client, queue: QueueClient):
        id = queue.send_message("work", '{"n":12345678901234567890123,"x":1.50}', headers={"tenant": "a"})
        html = text(boss, f"messages/{id}/")
        assert "&quot;n&quot;: 12345678901234567890123,\n" in html
        assert "&quot;x&quot;: 1.50\n" in html
        assert "tenant" in html

    def test_a_huge_one_can_be_had_whole_without_its_secrets(self, boss: Client, queue: QueueClient):
        body = '{"token":"geheim","n":1.50,"text":"' + "漢" * 200_000 + '"}'
        id = queue.send_message("work", body)
        assert f'href="payload/" download>Download all {586.0}\xa0KB' in text(boss, f"messages/{id}/")
        answer = boss.get(f"{WORK}messages/{id}/payload/")
        assert answer["Content-Disposition"] == f'attachment; filename="payload-{id}.txt"'
        whole = b"".join(answer.streaming_content).decode()
        assert whole == body.replace('"geheim"', '"[redacted]"')
        assert queue.get_queue_attributes("work").totalrecv == 0

    def test_bytes_that_are_not_text_come_unchanged(self, boss: Client, queue: QueueClient):
        id = queue.send_message("work", "x")
        queue.redis.hset("rsmq:work:Q", id, b"caf\xe9\0")
        answer = boss.get(f"{WORK}messages/{id}/payload/")
        assert b"".join(answer.streaming_content) == b"caf\xe9\0"

    @pytest.mark.parametrize("id", ["x", "0" * 32])
    def test_there_is_no_file_of_what_is_not_there(self, boss: Client, queue: QueueClient, id: str):
        answer = boss.get(f"{WORK}messages/{id}/payload/", follow=True)
        assert not answer.streaming
        assert re.search("This is not the id of a message|has left this queue", answer.content.decode())

    def test_a_huge_one_is_shown_in_part_with_a_note(self, boss: Client, queue: QueueClient):
        id = queue.send_message("work", "漢" * 3_000_000)
        html = text(boss, f"messages/{id}/")
        assert html.count("漢") == 100_000
        assert "The first 100000 characters." in html
        assert "8.6\xa0MB" in html

    @pytest.mark.parametrize("size", [0, 9_000_000])
    def test_secrets_are_struck_out(self, boss: Client, queue: QueueClient, size: int):
        body = '{"password": "hunter2", "x": "%s"}' % ("x" * size)  # noqa: UP031, braces
        id = queue.send_message("work", body, headers={"Authorization": "Bearer hunter2", "tenant": "a"})
        for path in ("change/", "messages/", f"messages/{id}/"):
            assert "hunter2" not in text(boss, path)
        assert "<bdi>[redacted]</bdi>" in text(boss, f"messages/{id}/")

    def test_the_key_of_a_unique_message_is_shown_without_secrets(self, boss: Client, queue: QueueClient):
        named = unique.headers(Policy(unique="until_done"), "<b>job", [], {"shop": 7, "password": "hunter2"})
        html = text(boss, f"messages/{queue.send_message('work', 'x', headers=named)}/")
        assert "Unique key:" in html
        assert (
            "&lt;b&gt;job [[], {&quot;password&quot;: &quot;[redacted]&quot;, &quot;shop&quot;: 7}]" in html
        )
        assert "hunter2" not in html
        assert "queueing-unique" not in html
        assert "Unique key:" not in text(boss, f"messages/{queue.send_message('work', 'x')}/")

    @pytest.mark.parametrize("id", ["x" * 32, "x", "<script>alert(1)</script>", "..", "%00"])
    def test_one_that_is_not_there_leads_to_the_queue(self, boss: Client, queue: QueueClient, id: str):
        html = text(boss, f"messages/{id}/")
        assert is_inert(html)

    def test_it_leads_to_its_job_once_it_was_received(self, boss: Client, queue: QueueClient):
        id = queue.send_message("work", "x")
        assert f"?q={id}" not in text(boss, f"messages/{id}/")
        queue.receive_message("work")
        assert f"?q={id}" in text(boss, f"messages/{id}/")
