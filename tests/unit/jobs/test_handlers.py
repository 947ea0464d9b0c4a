"""The job function of the page's queue."""

import logging

import pytest

from jobs import handlers
from queueing.handlers import handler_of
from queueing.messages import Message
from tests.support.threads import logged_here


def test_it_logs_the_text_on_one_line(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    worked: list[float] = []
    monkeypatch.setattr(handlers.time, "sleep", worked.append)

    with caplog.at_level(logging.INFO, "jobs.handlers"):
        handlers.say(Message("a" * 32, "Hello\nWARNING forged", 1, 0, 0.0))

    [record] = logged_here(caplog)
    assert "Hello" in record.getMessage()
    assert "\n" not in record.getMessage()
    assert worked == [0.4]


def test_it_is_the_handler_of_the_queue() -> None:
    assert handler_of("testqueue").function is handlers.say
