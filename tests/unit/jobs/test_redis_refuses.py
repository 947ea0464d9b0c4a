"""The page, the probe and the console while Redis answers and takes no writes."""

from collections.abc import Iterator

import pytest
from django.test import Client

from queueing.client import QueueClient
from queueing.client.default import connect, use_client
from queueing.conf import Config
from queueing.resilience import deadline


@pytest.fixture(autouse=True)
def replica(own_redis) -> Iterator[QueueClient]:
    """The client of this process is on a replica."""
    server = own_redis()
    client = connect(Config(URL=server.url))
    client.create_queue("testqueue")
    client.send_message("testqueue", "text")
    client.redis.execute_command("REPLICAOF", "127.0.0.1", "1")
    use_client(client)
    yield client
    use_client(None)
    client.redis.close()


@pytest.fixture(autouse=True)
def long_deadlines(monkeypatch: pytest.MonkeyPatch) -> None:
    """A slow machine must not turn the refusal into an absence."""
    monkeypatch.setattr(deadline, "READ_SECONDS", 20.0)
    monkeypatch.setattr(deadline, "WRITE_SECONDS", 20.0)


@pytest.mark.django_db
def test_a_visitor_that_sends_reads_that_nothing_was_sent_and_sees_the_queue(browser: Client) -> None:
    response = browser.post("/job")
    assert response.status_code == 503
    assert response["Retry-After"]
    html = response.content.decode()
    assert "was not sent" in html
    assert "Redis does not answer" not in html
    assert browser.post("/job", headers={"accept": "application/json"}).status_code == 503


@pytest.mark.django_db
def test_the_page_shows_the_queue(browser: Client) -> None:
    html = browser.get("/").content.decode()
    assert 'role="alert"' not in html
    assert 'data-part="messages"' in html


@pytest.mark.django_db(transaction=True)
def test_the_process_is_not_ready(browser: Client) -> None:
    response = browser.get("/readyz")
    assert response.status_code == 503
    assert response.json()["redis"] == "refuses (READONLY)"


@pytest.mark.parametrize(
    "page", ["queue/", "queue/testqueue/change/", "queue/testqueue/messages/", "worker/"]
)
def test_the_console_shows_what_it_can_read(admin_client: Client, page: str) -> None:
    response = admin_client.get(f"/admin/queueing/{page}")
    assert response.status_code == 200
    assert "Redis does not answer" not in response.content.decode().split("data-live-banner")[0]


def test_a_verb_of_the_console_changes_nothing_and_names_the_refusal(admin_client: Client) -> None:
    response = admin_client.post("/admin/queueing/queue/testqueue/pause/", {"confirmed": "1"}, follow=True)
    html = response.content.decode()
    assert "Redis refuses (READONLY): it is a replica" in html
    assert "Redis does not answer" not in html


@pytest.mark.parametrize(
    "page",
    [
        "queue/",
        "queue/charts/",
        "queue/live/",
        "queue/testqueue/change/",
        "worker/",
        "worker/live/",
        "schedule/",
    ],
)
def test_a_page_that_may_not_read_names_the_refusal(
    admin_client: Client, replica: QueueClient, page: str
) -> None:
    replica.redis.execute_command("ACL", "SETUSER", "default", "-eval", "-evalsha")
    html = admin_client.get(f"/admin/queueing/{page}").content.decode()
    assert "Redis refuses (NOPERM)" in html
    assert "Redis does not answer" not in html.split("data-live-banner")[0]


def test_a_scrape_that_may_not_read_answers_that_redis_refuses(
    browser: Client, replica: QueueClient, settings
) -> None:
    settings.DEBUG = True
    replica.redis.execute_command("ACL", "SETUSER", "default", "-eval", "-evalsha")
    for path in ("/metrics", "/queues.json"):
        response = browser.get(path)
        assert response.status_code == 503
        assert "Redis refuses" in response.content.decode()
