"""Open pages of the history: they show their age, learn of new jobs, and follow running ones."""

import re
from collections.abc import Callable, Iterator

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from queueing.admin.jobs import changelist
from queueing.client import QueueClient

from .jobs import LIST, job, text_of

pytestmark = pytest.mark.django_db
FAILURES = LIST + "failures/"


@pytest.fixture(autouse=True)
def _nothing_known() -> Iterator[None]:
    changelist.newest.forget()
    yield
    changelist.newest.forget()


def asks(html: str) -> str:
    """The address at which an open page asks for new jobs."""
    return re.search(r'data-live-url="([^"]*)"', html)[1].replace("&amp;", "&")  # type: ignore[index]


def told(browser: Client, url: str) -> str:
    """The answer at that address."""
    changelist.newest.forget()  # as if a second had passed
    html = text_of(browser, url)
    assert "data-live-answer" in html
    assert "<html" not in html
    found = re.search(r'<div data-live="news">(.*?)</div>', html, re.DOTALL)
    return re.sub("<[^>]*>", "", found[1]).strip()  # type: ignore[index]


class TestNews:
    @pytest.mark.parametrize("path", [LIST, LIST + "?state=dead", FAILURES])
    def test_a_page_shows_its_age_and_learns_of_newer_jobs(self, boss: Client, queue: QueueClient, path: str):
        job(0)
        html = text_of(boss, path)
        assert re.search(r"Updated \d{4}-\d\d-\d\d \d\d:\d\d:\d\d", html)
        url = asks(html)
        assert told(boss, url) == ""
        job(1)
        assert told(boss, url) == "1 new job was processed. Reload"
        job(2)
        assert told(boss, url) == "2 new jobs were processed. Reload"
        assert told(boss, asks(text_of(boss, path))) == ""

    def test_an_empty_history_learns_of_its_first_job(self, boss: Client, queue: QueueClient):
        url = asks(text_of(boss, LIST))
        assert told(boss, url) == ""
        job(0)
        assert told(boss, url).startswith("1 new job was")

    def test_many_are_not_counted(self, boss: Client, queue: QueueClient, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(changelist, "COUNTED_MAX", 3)
        url = asks(text_of(boss, LIST))
        for number in range(5):
            job(number)
        assert told(boss, url).startswith("3+ new jobs were processed.")

    @pytest.mark.parametrize("since", ["", "x", "-1", "9" * 500, "1e3", "<script>"])
    def test_any_moment_may_be_asked_about(self, boss: Client, queue: QueueClient, since: str):
        job(0)
        told(boss, f"{LIST}live/?since={since}")

    def test_many_who_look_ask_the_history_once(
        self, boss: Client, queue: QueueClient, django_assert_max_num_queries: DjangoAssertNumQueries
    ):
        job(0)
        with django_assert_max_num_queries(11) as asked:
            for _viewer in range(5):
                text_of(boss, f"{LIST}live/?since=0")
        assert len([one for one in asked if '"queueing_job"' in one["sql"]]) == 1

    @pytest.mark.parametrize(("rights", "status"), [(("view_job",), 200), (("view_queue",), 403), ((), 403)])
    def test_the_rights_to_ask(
        self, staff: Callable[..., Client], queue: QueueClient, rights: tuple[str, ...], status: int
    ):
        assert staff(*rights).get(LIST + "live/").status_code == status

    def test_nobody_else_may(self, queue: QueueClient):
        assert Client().get(LIST + "live/")["Location"].startswith("/admin/login/")


class TestOneJob:
    def test_a_retrying_job_is_followed(self, boss: Client, queue: QueueClient):
        id = queue.send_message("testqueue", "x", delay=60)
        row = job(message_id=id, state="retrying", body="the payload")
        page = f"{LIST}{row.pk}/change/"
        html = text_of(boss, page)
        assert asks(html) == "?part=live"
        assert f"all/cancel/?ids={row.pk}" in html

        queue.delete_message("testqueue", id)
        row.state = "done"
        row.save()
        fresh = text_of(boss, page + "?part=live")

        assert "<html" not in fresh
        assert "data-ended" in fresh
        assert "The message has left its queue." in fresh
        assert 'data-state="done"' in fresh
        assert "all/cancel/" not in fresh
        assert "the payload" in fresh
        places = re.findall(r'<div data-live="([^"]*)"', fresh)
        assert set(places) == set(re.findall(r'<div data-live="([^"]*)"', html))

    @pytest.mark.parametrize("state", ["retrying", "released", "abandoned"])
    def test_it_continues_until_the_history_knows_the_end(self, boss: Client, queue: QueueClient, state: str):
        row = job(state=state)
        assert "data-ended" not in text_of(boss, f"{LIST}{row.pk}/change/?part=live")

    def test_a_job_that_was_redriven_elsewhere_is_followed_again(self, boss: Client, queue: QueueClient):
        id = queue.send_message("testqueue", "x")
        assert "data-live-url" in text_of(boss, f"{LIST}{job(message_id=id, state='dead').pk}/change/")

    @pytest.mark.parametrize("state", ["done", "dead", "cancelled"])
    def test_an_ended_job_asks_for_nothing(self, boss: Client, queue: QueueClient, state: str):
        assert "data-live-url" not in text_of(boss, f"{LIST}{job(state=state).pk}/change/")

    def test_a_user_without_the_right_to_view_may_not_follow(
        self, staff: Callable[..., Client], queue: QueueClient
    ):
        assert staff("view_queue").get(f"{LIST}{job().pk}/change/?part=live").status_code == 403
