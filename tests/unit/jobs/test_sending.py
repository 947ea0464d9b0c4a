"""POST /job: for browsers, for programs, and at the limits."""

import json
import re
from datetime import datetime

import pytest
from django.test import Client
from pytest_django import Settings

from jobs import hello, limits
from queueing.client import QueueClient

JSON = {"accept": "application/json"}
pytestmark = pytest.mark.usefixtures("queue")


def only_message(queue: QueueClient) -> str:
    [message] = queue.peek_messages("testqueue")
    return message.body


def test_a_browser_is_led_back_with_the_id(browser: Client, queue: QueueClient) -> None:
    response = browser.post("/job", headers={"accept": "text/html,application/xhtml+xml,*/*;q=0.8"})

    assert response.status_code == 303
    [message] = queue.peek_messages("testqueue")
    assert response["Location"] == f"/?sent={message.id}"
    assert f"Sent. Your message is {message.id}." in browser.get(response["Location"]).content.decode()


def test_a_program_gets_the_id_as_json(browser: Client, queue: QueueClient) -> None:
    response = browser.post("/job", headers=JSON)

    assert response.status_code == 202
    [message] = queue.peek_messages("testqueue")
    assert response.json() == {"id": message.id}


@pytest.mark.parametrize("accept", ["*/*", "text/html", "text/html, application/json;q=0.5", "image/png"])
def test_a_client_that_does_not_prefer_json_gets_none(browser: Client, accept: str) -> None:
    assert browser.post("/job", headers={"accept": accept}).status_code == 303


def test_the_text_is_the_greeting_with_the_time(browser: Client, queue: QueueClient) -> None:
    browser.post("/job")

    found = re.fullmatch(r"Hello World at (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z)", only_message(queue))
    assert found
    assert datetime.fromisoformat(found[1]).tzinfo is not None


def test_whole_seconds_have_their_milliseconds_too() -> None:
    noon = datetime.fromisoformat("2026-01-02T12:00:00+00:00")

    assert hello.greeting(noon) == "Hello World at 2026-01-02T12:00:00.000Z"


def test_a_missing_queue_is_made(browser: Client, queue: QueueClient) -> None:
    queue.delete_queue("testqueue")

    assert browser.post("/job", headers=JSON).status_code == 202
    assert only_message(queue)


def test_only_post_sends(browser: Client, queue: QueueClient) -> None:
    assert browser.get("/job").status_code == 405
    assert queue.peek_messages("testqueue") == []


class TestWithoutToken:
    @pytest.fixture
    def browser(self) -> Client:
        return Client(enforce_csrf_checks=True)

    def test_a_program_gets_the_command_of_the_terminal(self, browser: Client, queue: QueueClient) -> None:
        response = browser.post("/job", headers=JSON)

        assert response.status_code == 403
        assert response["Content-Type"] == "application/json"
        assert 'python manage.py queues send testqueue "Hello"' in response.json()["error"]
        assert queue.peek_messages("testqueue") == []

    def test_a_browser_gets_a_page(self, browser: Client) -> None:
        response = browser.post("/job")

        assert response.status_code == 403
        assert "reload the page" in response.content.decode()

    def test_the_token_of_the_form_is_enough(self, browser: Client) -> None:
        token = re.search(r'csrfmiddlewaretoken" value="(\w+)"', browser.get("/").content.decode())[1]

        assert browser.post("/job", {"csrfmiddlewaretoken": token}, headers=JSON).status_code == 202


class TestLimits:
    def test_thirty_a_minute_and_address_are_enough(self, browser: Client) -> None:
        for _ in range(hello.POSTS_PER_MINUTE):
            assert browser.post("/job", headers=JSON).status_code == 202

        response = browser.post("/job", headers=JSON)

        assert response.status_code == 429
        assert int(response["Retry-After"]) > 0
        assert "30 messages in a minute" in response.json()["error"]
        assert browser.post("/job", headers=JSON, REMOTE_ADDR="192.0.2.7").status_code == 202

    @pytest.mark.parametrize(
        ("first", "second"),
        [
            ("2001:db8:1:2::1", "2001:db8:1:2:ffff:ffff:ffff:ffff"),
            ("203.0.113.7", "::ffff:203.0.113.7"),
        ],
    )
    @pytest.mark.parametrize("behind_proxy", [True, False])
    def test_all_addresses_of_one_client_share_the_limit(
        self,
        browser: Client,
        settings: Settings,
        monkeypatch: pytest.MonkeyPatch,
        first: str,
        second: str,
        behind_proxy: bool,
    ) -> None:
        monkeypatch.setattr(hello, "POSTS_PER_MINUTE", 1)
        settings.TRUST_PROXY = behind_proxy

        def press(address: str) -> int:
            at = {"HTTP_X_FORWARDED_FOR": address} if behind_proxy else {"REMOTE_ADDR": address}
            return browser.post("/job", headers=JSON, **at).status_code

        assert [press(first), press(second), press("2001:db8:1:3::1")] == [202, 429, 202]

    def test_a_browser_reads_it_on_the_page(self, browser: Client, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(hello, "POSTS_PER_MINUTE", 1)
        browser.post("/job")

        response = browser.post("/job")

        assert response.status_code == 429
        html = response.content.decode()
        assert "1 messages in a minute" in html
        assert 'data-figure="ready"' in html

    def test_a_full_queue_takes_no_more(
        self, browser: Client, queue: QueueClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(limits, "MESSAGES_MAX", 3)
        queue.send_messages("testqueue", ["a", "b"])
        assert browser.post("/job", headers=JSON).status_code == 202

        response = browser.post("/job", headers=JSON)

        assert response.status_code == 503
        assert response["Retry-After"]
        assert "full" in response.json()["error"]
        assert len(queue.peek_messages("testqueue")) == 3

    def test_it_is_ten_thousand(self) -> None:
        assert (hello.POSTS_PER_MINUTE, limits.MESSAGES_MAX) == (30, 10_000)


def test_a_full_redis_is_said(browser: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    from queueing.exceptions import QueueFull

    monkeypatch.setattr(QueueClient, "count_hit", _raising(QueueFull()))

    response = browser.post("/job", headers=JSON)

    assert response.status_code == 503
    assert "Redis is full" in response.json()["error"]


def test_errors_are_json_to_the_letter(browser: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hello, "POSTS_PER_MINUTE", 0)

    assert set(json.loads(browser.post("/job", headers=JSON).content)) == {"error"}


def _raising(error: Exception):
    def call(*_args: object, **_kwargs: object) -> int:
        raise error

    return call
