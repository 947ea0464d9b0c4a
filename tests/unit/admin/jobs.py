"""Rows of the history for the tests of its pages."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

from django.test import Client

from queueing.models import Job

LIST = "/admin/queueing/job/"
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def values(number: int = 0, **more: Any) -> dict[str, Any]:
    """The columns of a job that was done ``number`` seconds after noon."""
    start = NOON + timedelta(seconds=number)
    return {
        "queue": "testqueue",
        "message_id": f"id{number:030}",
        "handler": "jobs.handlers.say",
        "state": "done",
        "rc": 1,
        "attempts": 1,
        "sent_at": start,
        "started_at": start + timedelta(milliseconds=20),
        "finished_at": start + timedelta(milliseconds=420),
        "wait_ms": 20.0,
        "run_ms": 400.0,
        "worker": "host:1",
        "body": "Hello",
        "body_is_whole": True,
        **more,
    }


def job(number: int = 0, **more: Any) -> Job:
    """A row with these values."""
    return Job.objects.create(**values(number, **more))


def text_of(browser: Client, path: str) -> str:
    """The page as text."""
    response = browser.get(path)
    assert response.status_code == 200, response
    return response.content.decode()


def listed(html: str) -> list[str]:
    """The message ids of the list, in its order."""
    return re.findall(r'/change/[^"]*">(id\d+)</a>', html)
