"""The verbs for scheduled work: schedules, run-schedule, pause-schedule, resume-schedule."""

import json
from time import monotonic

import pytest
from django.core.management import CommandError

from queueing import handlers, periodic
from queueing.messages import Draft, Timing
from queueing.scheduling import store
from queueing.worker.scheduler import Scheduler

from .conftest import HOSTILE, printable


def write_report(message):
    """The body of the schedules of these tests."""


@pytest.fixture
def nightly(mail, monkeypatch):
    """A schedule that a worker has named, and the client."""
    monkeypatch.setattr(periodic, "_registered", [])
    monkeypatch.setattr(handlers, "_handlers", {})
    nightly = periodic.periodic("0 3 * * *", time_zone="Europe/Berlin", name="nightly", body="all of it")
    nightly(handlers.handler("mail")(write_report))
    Scheduler(mail, periodic.schedules()).step(monotonic())
    return mail


def test_schedules_are_shown_with_their_ticks(queues, nightly):
    heading, line = queues("schedules").out.splitlines()
    assert heading.split("  ")[0] == "schedule"
    assert line.split()[:9] == ["nightly", "0", "3", "*", "*", "*", "Europe/Berlin", "mail", "once"]
    assert line.endswith("no")


def test_programs_get_every_field(queues, nightly):
    [found] = queues("schedules", "--json").json
    [state] = store.schedules(nightly.session)
    assert (found["name"], found["expression"], found["time_zone"]) == (
        "nightly",
        "0 3 * * *",
        "Europe/Berlin",
    )
    assert (found["next_ms"], found["last_tick_ms"], found["last_id"]) == (state.next_ms, 0, "")
    assert (found["paused"], found["late_seconds"]) == (False, 0.0)


def test_without_a_schedule_the_output_names_their_source(queues, shared_client):
    assert (
        queues("schedules").out
        == "There is no schedule: a worker registers those of its queues when it starts.\n"
    )
    assert queues("schedules", "--json").json == []


TICKING = Timing("ticking", "every 1 s", "", "mail", "once")


def long_ago(client, ms):
    """Up to where ``TICKING`` is settled, so long ago."""
    store.name_schedules(client.session, [TICKING])
    key = client.keys.schedules()
    state = json.loads(client.redis.hget(key, "ticking"))
    settled_ms = int(state["settled"]) - ms
    client.redis.hset(key, "ticking", json.dumps(state | {"settled": str(settled_ms)}))
    return settled_ms


def test_a_late_schedule_is_marked(queues, mail):
    long_ago(mail, 100_000)
    assert "(late by 1m" in queues("schedules").out


def test_a_schedule_is_sent_now(queues, nightly):
    id = queues("run-schedule", "nightly").out.strip()
    message = nightly.peek_message("mail", id)
    assert message.body == "all of it"
    assert store.schedules(nightly.session)[0].last_id == ""


def test_a_schedule_without_code_is_not_sent(queues, nightly):
    with pytest.raises(CommandError, match="no schedule named weekly. It has: nightly"):
        queues("run-schedule", "weekly")


def test_a_schedule_is_paused_and_resumed(queues, nightly):
    assert queues("pause-schedule", "nightly").out == "Paused the schedule nightly.\n"
    assert store.schedules(nightly.session)[0].paused
    assert queues("schedules").out.rstrip().endswith("yes")
    assert queues("resume-schedule", "nightly").out == "Resumed the schedule nightly.\n"
    assert not store.schedules(nightly.session)[0].paused


@pytest.mark.parametrize("verb", ["pause-schedule", "resume-schedule"])
def test_a_schedule_without_a_worker_cannot_be_paused(queues, shared_client, verb):
    with pytest.raises(
        CommandError, match='No worker has registered a schedule x: "manage.py queues schedules"'
    ):
        queues(verb, "x")


def test_a_hostile_schedule_is_inert(queues, mail):
    hostile = HOSTILE.replace("\udcff", "")
    timing = Timing(hostile, hostile, hostile, hostile, hostile)
    store.name_schedules(mail.session, [timing])
    assert printable(queues("schedules").out)
    assert queues("schedules", "--json").json[0]["name"] == hostile
    with pytest.raises(CommandError) as refused:
        queues("run-schedule", hostile)
    assert str(refused.value).isprintable()


def test_a_message_that_was_ticked_is_the_last_one(queues, mail):
    settled_ms = long_ago(mail, 100_000)
    ticked = store.tick(mail.session, TICKING, settled_ms, settled_ms + 1000, [Draft(body="x")])
    [found] = queues("schedules", "--json").json
    assert (found["last_id"], found["last_tick_ms"]) == (ticked.id, settled_ms + 1000)


def test_warnings_are_printed_below(queues, mail):
    mail.redis.hset(mail.keys.outbox_stats(), "lost", 1)
    assert "Warning: 1 outcome is missing" in queues("schedules").err
    long_ago(mail, 0)
    assert "Warning: 1 outcome is missing" in queues("schedules").err
    assert queues("schedules", "--json").err == ""
