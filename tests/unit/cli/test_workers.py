"""The verbs for workers and what they record: workers, quiet-worker, resume-worker, take-note."""

import json

import pytest
from django.core.management import CommandError

from queueing.broker import outbox
from queueing.client import QueueClient
from queueing.monitoring.workers import beat as beat_once

from .conftest import HOSTILE, printable

RUNNING = {"id": "i" * 32, "queue": "mail", "started_ms": 0}
RECORD = {
    **{"host": "h", "pid": 7, "version": "1.2", "token": "t", "uptime_ms": 125_000, "queues": ["mail"]},
    **{"processes": 2, "threads": 4, "memory_bytes": 64_000_000, "round_trip_ms": 0.42, "quiet": False},
    "children": [{"name": "w.0-a", "pid": 8, "memory_bytes": 1, "running": [RUNNING]}],
}


def beat(client: QueueClient, name: str = "w", **more) -> bool:
    return beat_once(client.session, name, json.dumps(RECORD | more), "t").is_quiet


def test_workers_are_listed_with_what_they_run(queues, mail):
    beat(mail)
    header, row, running = queues("workers").out.splitlines()
    assert header.split()[:4] == ["worker", "state", "host", "pid"]
    for word in ("w", "busy", "h", "7", "1.2", "2m05s", "1 of 8", "64.0MB", "0.4ms", "mail"):
        assert f" {word} " in f" {row} "
    assert running.split()[:3] == ["w.0-a", "i" * 32, "mail"]


def test_workers_for_programs_have_units_in_their_names(queues, mail):
    beat(mail)
    [worker] = queues("workers", "--json").json
    assert (worker["name"], worker["state"], worker["busy"], worker["capacity"]) == ("w", "busy", 1, 8)
    assert worker["children"][0]["running"] == [RUNNING]
    assert {"age_seconds", "memory_bytes", "round_trip_ms", "started_ms", "is_quiet"} <= set(worker)


def test_no_worker_at_all_is_said_with_what_to_do(queues, mail):
    assert "queues work" in queues("workers").out
    assert queues("workers", "--json").json == []


def test_a_worker_is_quieted_and_resumed(queues, mail):
    beat(mail)
    assert "w claims nothing" in queues("quiet-worker", "w").out
    assert "will be quiet" in queues("workers").out
    assert beat(mail, quiet=True)
    assert "quiet" in queues("workers").out.splitlines()[1].split()
    assert "w claims again" in queues("resume-worker", "w").out
    assert not beat(mail)


@pytest.mark.parametrize("verb", ["quiet-worker", "resume-worker"])
def test_a_worker_that_is_not_there_is_said_with_what_to_do(queues, mail, verb):
    with pytest.raises(CommandError, match="no worker named nobody.*queues workers"):
        queues(verb, "nobody")


def test_a_name_of_a_worker_cannot_control_the_terminal(queues, mail):
    name = HOSTILE.encode("utf-8", "surrogateescape")
    record = json.dumps(RECORD | {"host": HOSTILE, "queues": [HOSTILE]})
    mail.redis.hset("rsmq::workers", name, b"%d %b" % (mail.now_ms(), record.encode()))
    shown = queues("workers").out
    assert printable(shown)
    assert r"\x1b[31m" in shown
    assert queues("workers", "--json").out.isascii()
    assert printable(queues("quiet-worker", HOSTILE).out)


def test_lost_outcomes_are_warned_of_until_note_is_taken(queues, shared_client):
    shared_client.redis.hset(shared_client.keys.outbox_stats(), "lost", 12)
    assert queues("take-note").out == "Took note of 12 lost outcomes.\n"
    assert outbox.stats(shared_client.session).unseen == 0
    assert queues("take-note").out == "Took note of 0 lost outcomes.\n"


def test_warnings_are_printed_below_the_workers(queues, shared_client):
    shared_client.redis.hset(shared_client.keys.outbox_stats(), "lost", 1)
    assert "Warning: 1 outcome is missing" in queues("workers").err
    beat(shared_client)
    assert "Warning: 1 outcome is missing" in queues("workers").err
    assert queues("workers", "--json").err == ""
