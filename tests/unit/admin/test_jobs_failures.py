"""Failures grouped by exception and handler."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client

from queueing.admin.jobs import failures as failures_page
from queueing.admin.jobs.failures import failures
from queueing.models import Attempt

from .jobs import LIST, job, listed, text_of

PAGE = LIST + "failures/"
pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis_away")]


def failed(ago: timedelta, exception: str | None = "ValueError", handler: str = "h", **more: Any) -> Attempt:
    """An attempt that ended so long ago, of a job of its own."""
    at = datetime.now(UTC) - ago
    number = Attempt.objects.count()
    row = job(number, finished_at=at, exception=exception, handler=handler, state="retrying")
    error = f"{exception}: number {number}" if exception else ""
    values = {"rc": 1, "outcome": "retrying", "finished_at": at, "error": error, **more}
    return Attempt.objects.create(job=row, exception=exception, handler=handler, **values)


def seen(period: str) -> list[tuple[str, str, int]]:
    return [(group.exception, group.handler, group.count) for group in failures(period).groups]


def test_they_are_grouped_and_the_most_frequent_come_first() -> None:
    minute = timedelta(minutes=1)
    first = failed(30 * minute)
    failed(20 * minute, handler="other")
    last = failed(10 * minute)
    failed(5 * minute, "KeyError")
    failed(minute, None)

    assert seen("hour") == [("ValueError", "h", 2), ("KeyError", "h", 1), ("ValueError", "other", 1)]
    group = failures("hour").groups[0]
    assert (group.first_at, group.last_at) == (first.finished_at, last.finished_at)
    assert (group.example, group.job_id) == (last.error, last.job_id)


def test_each_period_has_its_own() -> None:
    for hours in (0.5, 20, 150, 700, 800):
        failed(timedelta(hours=hours))
    counts = {period: failures(period).counted for period in ("hour", "day", "week", "month", "aeon")}
    assert counts == {"hour": 1, "day": 2, "week": 3, "month": 4, "aeon": 2}


def test_every_failed_attempt_counts_also_of_a_job_that_succeeded_since() -> None:
    attempt = failed(timedelta(minutes=2))
    attempt.job.state, attempt.job.exception = "done", None
    attempt.job.save()
    assert seen("hour") == [("ValueError", "h", 1)]


def test_counting_ends_at_the_newest(monkeypatch: pytest.MonkeyPatch, boss: Client) -> None:
    monkeypatch.setattr(failures_page, "COUNTED_MAX", 10)
    monkeypatch.setattr(failures_page, "GROUPS_MAX", 2)
    for number in range(30):
        failed(timedelta(minutes=30 - number), f"Error{number % 3}")

    found = failures("hour")

    assert (found.counted, found.is_all, found.has_more_groups) == (10, False, True)
    assert [group.count for group in found.groups] == [4, 3]
    html = text_of(boss, PAGE + "?period=hour")
    assert "These are the newest 10, since" in html
    assert "Only the 2 most frequent exceptions are shown." in html


def test_it_reads_one_index_and_no_text_but_the_examples(
    boss: Client, django_assert_max_num_queries: Any
) -> None:
    for number in range(40):
        failed(timedelta(minutes=number), f"Error{number % 4}")
    plan = failures_page._grouped(datetime.now(UTC) - timedelta(hours=1)).explain()
    assert "USING COVERING INDEX queueing_attempt_failures" in plan

    with django_assert_max_num_queries(10) as queries:
        text_of(boss, PAGE + "?period=hour")

    texts = [query["sql"] for query in queries if '"error"' in query["sql"] or "traceback" in query["sql"]]
    assert len(texts) == 1
    assert "SUBSTR" in texts[0]


def test_a_row_leads_to_the_jobs_that_fail_so_now_and_to_an_example(boss: Client) -> None:
    attempt = failed(timedelta(minutes=2), "Value Error & co", "h")
    failed(timedelta(minutes=1), "KeyError", "h")

    html = text_of(boss, PAGE + "?period=hour")

    [link] = [link for link in re.findall(r'href="(/admin/queueing/job/\?[^"]+)"', html) if "Value" in link]
    assert listed(text_of(boss, link.replace("&amp;", "&"))) == [attempt.job.message_id]
    assert f'href="{LIST}{attempt.job_id}/change/"' in html
    assert f'href="{PAGE}"' in text_of(boss, LIST)


def test_hostile_names_and_errors_are_text(boss: Client) -> None:
    evil = "<script>alert(1)</script>{{ 7|add:7 }}\u202e\x1b"
    failed(timedelta(minutes=1), evil, evil)
    html = text_of(boss, PAGE)
    assert "<script>alert" not in html
    assert "\u202e" not in html
    assert r"&lt;script&gt;alert(1)&lt;/script&gt;{{ 7|add:7 }}\u202e\u001b" in html
    link = re.search(r'href="(/admin/queueing/job/\?exception=[^"]+)"', html)
    assert link
    assert len(listed(text_of(boss, link[1].replace("&amp;", "&")))) == 1


def test_nothing_failed(boss: Client) -> None:
    assert "No attempt failed in this period." in text_of(boss, PAGE)


def test_the_rights_to_see_it(staff: Callable[..., Client]) -> None:
    assert Client().get(PAGE)["Location"].startswith("/admin/login/")
    assert staff("view_job").get(PAGE).status_code == 200


def test_without_the_right_there_is_nothing(staff: Callable[..., Client]) -> None:
    assert staff("view_queue", "rerun_job").get(PAGE).status_code == 403
