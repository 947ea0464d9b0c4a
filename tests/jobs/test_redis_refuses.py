"""The page, the probe and the console while Redis answers and takes no writes."""

from collections.abc import Iterator

import pytest
from django.test import Client

from queueing.conf import Conf
from queueing.connections import connect, use_client


@pytest.fixture(autouse=True)
def _refusing(own_redis) -> Iterator[None]:
    """The client of this process is on a replica."""
    server = own_redis()
    client = connect(Conf(URL=server.url))
    client.create_queue("testqueue")
    client.send_message("testqueue", "text")
    client.redis.execute_command("REPLICAOF", "127.0.0.1", "1")
    use_client(client)
    yield
    use_client(None)
    client.redis.close()


@pytest.mark.django_db
def test_a_visitor_that_sends_is_told_that_nothing_was_sent_and_sees_the_queue(browser: Client) -> None:
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
    assert response.json()["redis"] == "does not answer"


@pytest.mark.parametrize(
    "page", ["queue/", "queue/testqueue/change/", "queue/testqueue/messages/", "worker/"]
)
def test_the_console_shows_what_it_can_read(admin_client: Client, page: str) -> None:
    response = admin_client.get(f"/admin/queueing/{page}")
    assert response.status_code == 200
    assert "Redis does not answer" not in response.content.decode().split("data-live-banner")[0]


def test_a_verb_of_the_console_changes_nothing_and_says_so(admin_client: Client) -> None:
    response = admin_client.post("/admin/queueing/queue/testqueue/pause/", {"confirmed": "1"}, follow=True)
    assert "Redis does not answer" in response.content.decode()
