"""Times of the console: in the zone of the server, and by one script in that of the browser."""

import re
from datetime import UTC, datetime
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.http import HttpResponse
from django.test import Client

from queueing.client import QueueClient
from queueing.templatetags.queueing_text import day, exactly, when

from .crawl import crawl, fill, text_of
from .jobs import LIST, job

ZONE = "Asia/Kathmandu"  # 5:45 ahead
#: A date and a time of day without a zone.
BARE = re.compile(r"20\d\d-\d\d-\d\d[ T]\d\d:\d\d(?!:\d\d UTC)")


@pytest.fixture
def in_kathmandu(settings: Any) -> None:
    settings.TIME_ZONE = ZONE


def test_each_page_marks_its_times_and_loads_the_script_that_shows_them(
    boss: Client, queue: QueueClient
) -> None:
    row = fill(queue, user=User.objects.get(username="boss"))
    start = "/admin/queueing/"
    pages = [
        (url, text_of(response))
        for url, response in crawl(boss, start, f"{LIST}{row.pk}/change/", within=start)
        if is_page(response)
    ]
    with_times = [(url, html) for url, html in pages if "<time" in html]
    assert len(with_times) >= 8
    assert [url for url, html in with_times if html.count("queueing/times.js") != 1] == []
    assert [(url, found) for url, html in pages if (found := BARE.findall(without_times(html)))] == []


def is_page(response: HttpResponse) -> bool:
    return response.status_code == 200 and "<html" in text_of(response)


def without_times(html: str) -> str:
    """The text of a page without its times, its charts, and the form of its time filter."""
    main = html.partition('id="content"')[2]
    return re.sub(r"<[^>]*>", "", re.sub(r"<(time|svg|figure)\b.*?</\1>", "", main, flags=re.DOTALL))


@pytest.mark.usefixtures("in_kathmandu")
def test_a_time_is_an_element_in_the_servers_zone() -> None:
    at = datetime(2001, 2, 3, 4, 5, 6, 789_000, tzinfo=UTC)
    attributes = 'title="2001-02-03 09:50:06 +0545">'
    iso = "2001-02-03T09:50:06.789000+05:45"

    assert when(at) == f'<time datetime="{iso}" data-precision="minute" {attributes}2001-02-03 09:50</time>'
    assert day(at) == f'<time datetime="{iso}" data-precision="day" {attributes}2001-02-03</time>'
    assert exactly(at) == (
        f'<time datetime="{iso}" data-precision="exact" {attributes}2001-02-03 09:50:06.789</time>'
    )


@pytest.mark.usefixtures("in_kathmandu")
@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("2001-02-03T04:05:00+00:00", "2001-02-03T09:50"),
        ("2001-02-03T04:05:06.789012Z", "2001-02-03T09:50:06.789"),
        ("2001-02-03 04:05:06", "2001-02-03T04:05:06"),
        ("2001-02-03", "2001-02-03T00:00"),
        ("nonsense", ""),
    ],
)
def test_the_time_filter_shows_the_times_of_its_address(boss: Client, written: str, shown: str) -> None:
    html = text_of(boss.get(LIST, {"since": written, "until": "2002-01-01T00:00"}))
    assert f'name="since" value="{shown}"' in html
    assert 'name="until" value="2002-01-01T00:00"' in html


@pytest.mark.usefixtures("in_kathmandu")
@pytest.mark.parametrize(
    "path", [LIST, "/admin/queueing/queue/charts/", "/admin/queueing/queue/testqueue/history/"]
)
def test_a_page_names_the_zone_of_times_that_no_script_shows(
    boss: Client, queue: QueueClient, path: str
) -> None:
    html = boss.get(path).content.decode()

    assert f"These times are in {ZONE}." in html


@pytest.mark.usefixtures("in_kathmandu", "redis_away")
def test_a_time_in_the_list_as_csv_has_its_offset(boss: Client) -> None:
    job(0)

    [_titles, line] = b"".join(boss.get(f"{LIST}export/")).decode().splitlines()  # type: ignore[arg-type]

    assert "2026-03-01T17:45:00.420000+05:45" in line
