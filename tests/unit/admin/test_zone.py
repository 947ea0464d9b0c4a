"""Times in the viewer's zone: on every page of the console, whoever adds it."""

import re

import pytest
from django.apps import apps
from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest
from django.test import Client, RequestFactory
from django.utils import timezone

from queueing.client import QueueClient
from queueing.messages import Timing
from queueing.scheduling import store

from .jobs import LIST, job

ZONE = "Asia/Kathmandu"  # 5:45 ahead
SHOWN = [model for model in apps.get_app_config("queueing").get_models() if admin.site.is_registered(model)]


@pytest.fixture
def traveller(boss: Client) -> Client:
    """Somebody whose browser has told its zone."""
    boss.cookies["queueing_zone"] = ZONE
    return boss


@pytest.mark.parametrize("model", SHOWN)
def test_every_page_is_in_the_viewers_zone(model: type[Model], monkeypatch: pytest.MonkeyPatch) -> None:
    patterns = admin.site._registry[model].urls
    assert len(patterns) >= 6
    request = RequestFactory().get("/")
    request.COOKIES["queueing_zone"] = ZONE
    zones: list[str] = []

    def has_permission(request: HttpRequest) -> bool:
        zones.append(timezone.get_current_timezone_name())
        return False

    # Every page asks it first of all who is there.
    monkeypatch.setattr(admin.site, "has_permission", has_permission)
    for pattern in patterns:
        zones.clear()
        pattern.callback(request)
        assert zones == [ZONE], pattern
    assert timezone.get_current_timezone_name() != ZONE


def offsets(html: str) -> set[str]:
    return set(re.findall(r'datetime="[^"]*([+-]\d\d:\d\d)"', html))


@pytest.mark.parametrize("page", ["change/", "messages/", "messages/{id}/"])
def test_times_of_messages(traveller: Client, queue: QueueClient, page: str) -> None:
    sent = queue.send_message("testqueue", "x", delay=60)

    html = traveller.get(f"/admin/queueing/queue/testqueue/{page.format(id=sent)}").content.decode()

    assert offsets(html) == {"+05:45"}


@pytest.mark.parametrize("page", ["", "live/"])
def test_times_of_schedules(traveller: Client, queue: QueueClient, page: str) -> None:
    timing = Timing(
        "tests.nightly", expression="0 3 * * *", time_zone="UTC", queue="testqueue", missed="once"
    )
    store.name_schedules(queue.session, [timing])

    html = traveller.get(f"/admin/queueing/schedule/{page}").content.decode()

    assert offsets(html) == {"+05:45"}


@pytest.mark.usefixtures("redis_away")
def test_times_in_the_list_as_csv_which_is_sent_bit_by_bit(traveller: Client) -> None:
    job(0)

    [_titles, line] = b"".join(traveller.get(f"{LIST}export/")).decode().splitlines()  # type: ignore[arg-type]

    assert "2026-03-01T17:45:00.420000+05:45" in line
