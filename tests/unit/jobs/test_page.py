"""GET / and GET /state: what a visitor sees."""

import re
from typing import Any

import pytest
from django.db import OperationalError
from django.test import Client
from django.utils import timezone

from jobs import board
from queueing.client import QueueClient
from queueing.models import Job

pytestmark = pytest.mark.usefixtures("queue")

HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    '"><b>bold</b>',
    "{{ settings.SECRET_KEY }} {% debug %}",
    "{% csrf_token %}",
]


def rows(html: str) -> list[tuple[str, str]]:
    return re.findall(r'data-id="([^"]+)" data-state="([^"]+)"', html)


def text_of(client: Client, path: str = "/") -> str:
    response = client.get(path)
    assert response.status_code == 200
    return response.content.decode()


def test_one_button_in_a_form_that_works_without_javascript(browser: Client) -> None:
    html = text_of(browser)

    assert html.count("<button") == 1
    assert '<form action="/job" method="post"' in html
    assert "csrfmiddlewaretoken" in html
    assert 'href="/"' in html


def test_nothing_in_it_is_inline(browser: Client) -> None:
    html = text_of(browser)

    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=", html)


def test_the_figures_of_the_queue_are_on_it(browser: Client, queue: QueueClient) -> None:
    queue.send_messages("testqueue", ["a", "b"])
    queue.send_message("testqueue", "later", delay=60)

    html = text_of(browser)

    for name, value in {"ready": 2, "delayed": 1, "running": 0, "dead": 0}.items():
        assert f'<div data-figure="{name}"><dt>{name}</dt><dd>{value}</dd></div>' in html


def test_each_message_has_id_state_text_and_time(browser: Client, queue: QueueClient) -> None:
    first = queue.send_message("testqueue", "one")
    second = queue.send_message("testqueue", "two", delay=60)

    html = text_of(browser)

    assert rows(html) == [(second, "delayed"), (first, "ready")]
    assert "<bdi>one</bdi>" in html
    assert '<time datetime="20' in html


def test_no_more_than_the_newest_twenty(browser: Client, queue: QueueClient) -> None:
    ids = queue.send_messages("testqueue", [str(number) for number in range(30)])

    assert [id for id, _ in rows(text_of(browser))] == ids[:-21:-1]


def test_the_message_just_sent_stays_on_it_although_others_came_later(
    browser: Client, queue: QueueClient
) -> None:
    mine, *_ = queue.send_messages("testqueue", [str(number) for number in range(30)])

    html = text_of(browser, f"/?sent={mine}")

    assert f"Sent. Your message is {mine}." in html
    assert re.search(rf'data-id="{mine}" data-state="ready" data-mine', html)


@pytest.mark.parametrize("sent", ["nonsense", "A" * 32, "<script>", "%00", "A" * 5000, "%ff%fe"])
def test_an_id_that_was_never_sent_is_ignored(browser: Client, sent: str) -> None:
    html = text_of(browser, f"/?sent={sent}")

    assert 'data-kind="ok"' not in html
    assert "<script>" not in html


def test_the_fragment_is_the_part_that_moves(browser: Client, queue: QueueClient) -> None:
    sent = queue.send_message("testqueue", "x")

    html = text_of(browser, f"/state?sent={sent}")

    assert "<html" not in html
    assert rows(html) == [(sent, "ready")]
    assert "data-mine" in html


def test_neither_is_kept_by_caches(browser: Client) -> None:
    for path in ("/", "/state"):
        assert "no-store" in browser.get(path)["Cache-Control"]


@pytest.mark.parametrize("path", ["/", "/state"])
def test_they_only_read(browser: Client, path: str) -> None:
    assert browser.post(path).status_code == 405


def test_a_missing_queue_is_made(browser: Client, queue: QueueClient) -> None:
    queue.delete_queue("testqueue")

    assert 'data-figure="ready"' in text_of(browser)
    assert queue.list_queues() == ["testqueue"]


def test_messages_that_wait_for_nobody_are_noticed(browser: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(board, "UNATTENDED_SECONDS", -1)

    assert "python manage.py runworker" in text_of(browser)


def test_it_comes_without_the_database(browser: Client, queue: QueueClient, monkeypatch: Any) -> None:
    sent = queue.send_message("testqueue", "x")
    monkeypatch.setattr("django.db.models.query.QuerySet._fetch_all", _database_away)

    assert rows(text_of(browser)) == [(sent, "ready")]


def _database_away(_self: Any) -> None:
    raise OperationalError("password=secret")


@pytest.mark.parametrize("body", HOSTILE)
def test_markup_and_template_syntax_in_a_message_are_text(
    browser: Client, queue: QueueClient, body: str
) -> None:
    queue.send_message("testqueue", body)

    html = text_of(browser)

    shown = body.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")
    assert f"<bdi>{shown}</bdi>" in html


def test_characters_that_turn_or_hide_text_are_escaped(browser: Client, queue: QueueClient) -> None:
    queue.send_message("testqueue", "safe\u202egpj.exe\0\x1b[31m\u2066")

    assert r"<bdi>safe\u202egpj.exe\u0000\u001b[31m\u2066</bdi>" in text_of(browser)


def test_bytes_that_are_not_text_are_shown(browser: Client, queue: QueueClient) -> None:
    sent = queue.send_message("testqueue", "x")
    queue.redis.hset("rsmq:testqueue:Q", sent, b"caf\xe9 \xff\xfe")

    assert r"caf\udce9 \udcff\udcfe" in text_of(browser)


@pytest.mark.parametrize("path", ["/", "/state"])
def test_secrets_in_a_message_and_in_its_error_are_struck_out_for_every_visitor(
    browser: Client, queue: QueueClient, path: str
) -> None:
    sent = queue.send_message("testqueue", '{"user": "ann", "password": "hunter2"}')
    Job.objects.create(
        queue="testqueue", message_id=sent, state="retrying", rc=1, attempts=1, finished_at=timezone.now(),
        error="LoginError: password=hunter2 refused",
    )  # fmt: skip

    html = text_of(browser, path)

    assert "hunter2" not in html
    assert "{&quot;user&quot;: &quot;ann&quot;, &quot;password&quot;: &quot;[redacted]&quot;}" in html
    assert "LoginError: password=[redacted] refused" in html


def test_a_secret_is_struck_out_where_its_value_is_cut_off(browser: Client, queue: QueueClient) -> None:
    queue.send_message("testqueue", '{"token": "' + "s3cr3t" * 10_000 + '"}')

    html = text_of(browser)

    assert "s3cr3t" not in html
    assert "{&quot;token&quot;: &quot;[redacted]&quot;" in html


def test_a_number_stays_as_it_was_written(browser: Client, queue: QueueClient) -> None:
    queue.send_message("testqueue", '{"n": 12345678901234567890123, "f": 1.10}')

    assert "{&quot;n&quot;: 12345678901234567890123, &quot;f&quot;: 1.10}" in text_of(browser)


def test_pages_without_an_icon_of_their_own_find_the_sites():
    response = Client().get("/favicon.ico")
    assert response.status_code == 302
    assert response["Location"].endswith(".svg")
