"""The page while Redis is away: it answers soon and names the reason."""

import pytest
from django.test import Client

from queueing.client import QueueClient
from tests.support.clock import Clock

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis_away")]


def test_the_page_comes_with_a_banner(browser: Client, redis_away: Clock) -> None:
    response = browser.get("/")

    assert redis_away.passed_seconds < 2
    html = response.content.decode()
    assert response.status_code == 200
    assert 'role="alert">Redis does not answer' in html
    assert "<button" in html
    assert "secret" not in html


def test_the_fragment_is_the_banner_alone(browser: Client) -> None:
    response = browser.get("/state")

    assert response.status_code == 200
    assert "Redis does not answer" in response.content.decode()
    assert 'data-part="banner"' in response.content.decode()
    assert 'data-part="messages"' not in response.content.decode()


def test_a_browser_that_sends_reads_a_sentence(browser: Client, redis_away: Clock) -> None:
    response = browser.post("/job")

    assert redis_away.passed_seconds < 2
    assert response.status_code == 503
    assert response["Retry-After"]
    html = response.content.decode()
    assert "probably not sent" in html
    assert "secret" not in html


def test_a_program_that_sends_gets_it_as_json(browser: Client) -> None:
    response = browser.post("/job", headers={"accept": "application/json"})

    assert response.status_code == 503
    assert "probably not sent" in response.json()["error"]


def test_only_one_call_is_tried(browser: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    tried = []
    queue_figures = QueueClient.queue_figures
    monkeypatch.setattr(
        QueueClient,
        "queue_figures",
        lambda self, names=None: (tried.append(1), queue_figures(self, names))[1],
    )

    browser.get("/")

    assert tried == [1]
