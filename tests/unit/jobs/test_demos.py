"""POST /demo/…: the quieter buttons, for staff and for developers."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import OperationalError
from django.test import Client

from jobs import demos, limits
from queueing.broker.leases import QueueLease
from queueing.client import QueueClient
from queueing.conf import get_conf
from queueing.exceptions import QueueUnavailable
from queueing.testing import run_pending

JSON = {"accept": "application/json"}
pytestmark = pytest.mark.usefixtures("queue")


@pytest.fixture
def staff(db: Any) -> Client:
    """A visitor who is logged in and of the staff, with no permission at all."""
    client = Client()
    client.force_login(User.objects.create_user("ada", is_staff=True))
    return client


def rows(html: str) -> list[tuple[str, str]]:
    return re.findall(r'data-id="([^"]+)" data-state="([^"]+)"', html)


def page(client: Client, path: str = "/") -> str:
    return client.get(path).content.decode()


class TestWhoMay:
    @pytest.mark.parametrize("name", sorted(demos.DEMOS))
    def test_the_public_is_refused(self, browser: Client, queue: QueueClient, name: str) -> None:
        response = browser.post(f"/demo/{name}", {"count": 5}, headers=JSON)

        assert response.status_code == 403
        assert "staff" in response.json()["error"]
        assert not response.has_header("Retry-After")
        assert [figures.attributes.totalsent for figures in queue.queue_figures()] == [0]

    def test_the_public_reads_it_on_the_page(self, browser: Client) -> None:
        response = browser.post("/demo/slow")

        assert response.status_code == 403
        assert "Only staff may do that." in response.content.decode()

    def test_a_user_who_is_not_staff_is_refused(self, staff: Client) -> None:
        User.objects.update(is_staff=False)

        assert staff.post("/demo/slow").status_code == 403
        assert page(staff).count("<button") == 1

    def test_a_session_that_is_none_is_refused(self, browser: Client) -> None:
        browser.cookies["sessionid"] = "nonsense"

        assert browser.post("/demo/slow").status_code == 403

    def test_staff_sees_the_buttons(self, staff: Client) -> None:
        assert page(staff).count("<button") == 6

    def test_a_developer_needs_no_login(self, browser: Client, settings: Any) -> None:
        settings.DEBUG = True

        assert page(browser).count("<button") == 6
        assert browser.post("/demo/slow", headers=JSON).status_code == 202

    def test_without_a_session_nobody_asks_who_it_is(
        self, browser: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("django.contrib.auth.middleware.get_user", _database_away)

        assert browser.get("/").status_code == 200

    def test_with_the_database_away_nobody_is_staff(
        self, staff: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("django.db.models.query.QuerySet._fetch_all", _database_away)

        assert page(staff).count("<button") == 1
        assert staff.post("/demo/slow", headers=JSON).status_code == 403

    def test_a_form_without_token_is_refused(self, staff: Client) -> None:
        strict = Client(enforce_csrf_checks=True)
        strict.cookies = staff.cookies

        assert strict.post("/demo/slow", headers=JSON).status_code == 403
        token = re.search(r'csrfmiddlewaretoken" value="(\w+)"', page(strict))[1]
        assert strict.post("/demo/slow", {"csrfmiddlewaretoken": token}, headers=JSON).status_code == 202

    def test_only_post_sends_and_only_what_there_is(self, staff: Client) -> None:
        assert staff.get("/demo/slow").status_code == 405
        assert staff.post("/demo/nonsense").status_code == 404


def _database_away(*_args: Any) -> None:
    raise OperationalError("password=secret")


class TestMany:
    def test_they_are_sent_and_the_last_one_is_followed(self, staff: Client, queue: QueueClient) -> None:
        response = staff.post("/demo/many", {"count": "100"})

        newest = queue.peek_messages("testqueue", newest=True, count=1)[0]
        assert response["Location"] == f"/?sent={newest.id}&count=100"
        html = page(staff, response["Location"])
        assert f"Sent 100 messages. The last one is {newest.id}." in html
        assert "and 80 more ready messages" in html
        assert len(rows(html)) == 20

    def test_a_program_gets_the_number_too(self, staff: Client) -> None:
        response = staff.post("/demo/many", {"count": "3"}, headers=JSON)

        assert response.status_code == 202
        assert response.json() == {"id": rows(page(staff))[0][0], "count": 3}

    @pytest.mark.parametrize(
        ("count", "sent"), [("", 1), ("0", 1), ("-5", 1), ("x", 1), ("²", 1), ("9999", 1000), ("9" * 99, 1)]
    )
    def test_the_number_is_bounded(self, staff: Client, queue: QueueClient, count: str, sent: int) -> None:
        staff.post("/demo/many", {"count": count})

        assert queue.get_queue_attributes("testqueue").msgs == sent

    def test_messages_that_do_not_fit_into_the_queue_are_all_refused(
        self, staff: Client, queue: QueueClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(limits, "MESSAGES_MAX", 10)
        assert staff.post("/demo/many", {"count": "8"}, headers=JSON).status_code == 202

        response = staff.post("/demo/many", {"count": "3"}, headers=JSON)

        assert response.status_code == 503
        assert "full" in response.json()["error"]
        assert queue.get_queue_attributes("testqueue").msgs == 8

    def test_presses_are_limited_apart_from_the_button(
        self, staff: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(demos, "PRESSES_PER_MINUTE", 1)
        staff.post("/demo/many", {"count": "100"})

        assert staff.post("/demo/later", headers=JSON).status_code == 429
        assert staff.post("/job", headers=JSON).status_code == 202

    def test_a_missing_queue_is_made(self, staff: Client, queue: QueueClient) -> None:
        queue.delete_queue("testqueue")

        assert staff.post("/demo/many", {"count": "2"}, headers=JSON).status_code == 202


class TestTasks:
    @pytest.fixture
    def send(self, staff: Client, django_capture_on_commit_callbacks: Any) -> Callable[[str], str]:
        """Press a button; the id of what was sent. Tasks go out at the commit."""

        def press(name: str) -> str:
            with django_capture_on_commit_callbacks(execute=True):
                response = staff.post(f"/demo/{name}", headers=JSON)
            assert response.status_code == 202
            assert set(response.json()) == {"id"}
            return response.json()["id"]

        return press

    def test_each_is_listed_with_the_name_of_its_task(
        self, staff: Client, send: Callable[[str], str]
    ) -> None:
        slow, failing, later = send("slow"), send("failing"), send("later")

        html = page(staff)

        assert rows(html) == [(later, "delayed"), (failing, "ready"), (slow, "ready")]
        for name in ("count", "stumble", "remind"):
            assert f'<code class="task"><bdi>jobs.tasks.{name}</bdi></code>' in html
        assert "django_task" not in html

    def test_the_figures_are_those_of_both_queues(
        self, staff: Client, browser: Client, send: Callable[[str], str]
    ) -> None:
        send("slow")
        browser.post("/job")

        assert '<div data-figure="ready"><dt>ready</dt><dd>2</dd></div>' in page(staff)
        assert "The queues <code>default</code> <code>testqueue</code>" in page(staff)
        assert '<div data-figure="ready"><dt>ready</dt><dd>1</dd></div>' in page(browser)

    def test_the_public_does_not_see_tasks(self, browser: Client, send: Callable[[str], str]) -> None:
        id = send("slow")

        assert id not in page(browser)
        assert id not in page(browser, f"/?sent={id}")
        assert id not in page(browser, f"/state?sent={id}")

    def test_a_later_one_shows_when_it_is_due(self, staff: Client, send: Callable[[str], str]) -> None:
        send("later")

        assert re.search(r'<span class="due">due <time datetime="20[^"]+\+00:00"', page(staff))

    def test_a_running_one_shows_how_far_it_is(
        self, staff: Client, queue: QueueClient, send: Callable[[str], str]
    ) -> None:
        id = send("slow")
        lease = QueueLease(queue.session, get_conf(), "a worker", "default")
        queue.session.call_each([lease.claim(1, suspects="take")])
        queue.report_progress("default", id, 1, 0.424, "<b>17</b> of 40")

        html = page(staff)

        assert rows(html) == [(id, "running")]
        assert f'<progress max="100" value="42" aria-label="Progress of {id}">42&#160;%</progress>' in html
        assert "&lt;b&gt;17&lt;/b&gt; of 40" in html

    def test_a_failed_one_shows_its_attempt_its_error_and_when_it_is_due_again(
        self, staff: Client, send: Callable[[str], str]
    ) -> None:
        id = send("failing")

        run_pending("default")
        html = page(staff)

        assert rows(html) == [(id, "retrying")]
        assert "attempt 1" in html
        assert "ConnectionError" in html
        assert re.search(r'<span class="due">due again <time datetime="20[^"]+"', html)

    def test_it_succeeds_in_the_end_and_shows_how_long_it_ran(
        self, staff: Client, send: Callable[[str], str]
    ) -> None:
        id = send("failing")

        run_pending("default", delayed=True)
        html = page(staff)

        assert rows(html) == [(id, "done")]
        assert "attempt 3" in html
        assert re.search(r"ran [0-9.]+\xa0s", html)


def test_without_redis_a_demo_shows_an_error(staff: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def unavailable(*_args: object) -> int:
        raise QueueUnavailable("away")

    monkeypatch.setattr(QueueClient, "count_hit", unavailable)

    response = staff.post("/demo/slow", headers=JSON)

    assert response.status_code == 503
    assert "Redis does not answer" in response.json()["error"]


def test_a_paused_queue_is_told_from_one_without_worker(
    browser: Client, queue: QueueClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jobs.board.UNATTENDED_SECONDS", -1)
    queue.send_message("testqueue", "x")
    queue.pause_queue("testqueue")

    html = page(browser)

    assert "The queue <code>testqueue</code> is paused" in html
    assert "no worker takes them" not in html
