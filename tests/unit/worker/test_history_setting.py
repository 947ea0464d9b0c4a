"""``HISTORY`` decides which outcomes become rows. Counts, signals and results of tasks ignore it."""

import json
from itertools import count
from time import monotonic

import pytest

from queueing.broker import outbox
from queueing.broker.outcomes import Outcome, State
from queueing.broker.recorded import is_recorded
from queueing.conf import Config
from queueing.models import Attempt, Job
from queueing.signals import job_finished
from queueing.worker.recorder import POLL_SECONDS, Recorder
from tests.unit.conftest import ended

pytestmark = pytest.mark.django_db

TASK = '{"django_task": 1, "task": "shop.tasks.resize", "args": [], "kwargs": {}}'


@pytest.fixture
def settle(any_client, hand):
    """``settle(config, "done", "dead")`` sends a message for each word, and settles it with the word."""

    numbers = count()

    def settle(config, *words, body="x"):
        any_client.send_messages("work", [body] * len(words))
        child = hand(f"child{next(numbers)}", config)
        deliveries = child.claim().deliveries
        assert len(deliveries) == len(words)
        pairs = zip(deliveries, words, strict=True)
        assert child.settle(*(ended(one, word, attempts=1) for one, word in pairs)) == {}
        return [one.message.id for one in deliveries]

    return settle


def entries(client) -> list[list[str]]:
    """The states in each entry of the outbox."""
    found = client.redis.xrange("rsmq::outbox")
    return [
        [str(one.event) for one in outbox.read_entry(key, flat(fields)).outcomes] for key, fields in found
    ]


def flat(fields):
    return [part for pair in fields.items() for part in pair]


def record(client, config) -> None:
    recorder = Recorder(client, config, name="r")
    while recorder.step(monotonic()) != POLL_SECONDS:
        pass


@pytest.mark.parametrize(
    ("word", "written"),
    [("all", [["done", "retrying", "dead"]]), ("failed", [["retrying", "dead"]]), ("none", [])],
)
def test_a_settle_writes_only_the_kept_outcomes_to_the_outbox(any_client, settle, word, written):
    settle(Config(HISTORY=word), "done", "retrying", "dead")
    assert entries(any_client) == written
    counts = any_client.redis.xrange("rsmq::outbox")
    assert [int(fields[b"count"]) for _, fields in counts] == [len(one) for one in written]


@pytest.mark.parametrize("word", ["all", "failed", "none"])
def test_messages_end_and_are_counted_with_every_history(any_client, settle, word):
    settle(Config(HISTORY=word), "done", "retrying", "dead")
    assert any_client.get_queue_attributes("work").msgs == 1
    minute = any_client.redis.hget(any_client.keys.metrics("work"), "now").partition(b" ")[2]
    counts = json.loads(minute)
    assert [counts[word] for word in ("done", "retrying", "dead")] == [1, 1, 1]


def test_a_message_that_has_failed_gets_its_end_recorded(any_client, settle, hand):
    config = Config(HISTORY="failed")
    [id] = settle(config, "retrying")
    any_client.change_message_visibility("work", id, 0)
    child = hand("b", config)
    [again] = child.claim().deliveries
    child.settle(ended(again, "done", attempts=2))
    settle(config, "done")
    record(any_client, config)
    assert list(Job.objects.values_list("message_id", "state", "rc")) == [(id, "done", 2)]
    assert Attempt.objects.count() == 2


def test_outcomes_of_tasks_are_recorded_with_every_history(any_client, settle):
    config = Config(HISTORY="none")
    settle(config, "done", body=TASK)
    settle(config, "done")
    record(any_client, config)
    assert list(Job.objects.values_list("body", flat=True)) == [TASK]


def test_outcomes_of_scripts_and_of_other_workers_leave_no_rows_but_their_signals(any_client, settle, hand):
    told = []

    def listener(outcome, **_):
        told.append(str(outcome.event))

    settle(Config(), "done")
    [id] = any_client.send_messages("work", ["x"])
    any_client.cancel_message("work", id)
    job_finished.connect(listener)
    try:
        record(any_client, Config(HISTORY="none"))
    finally:
        job_finished.disconnect(listener)
    assert (Job.objects.count(), entries(any_client)) == (0, [])
    assert told == ["cancelled"]


def test_a_queue_has_its_own_word_and_a_star_names_the_others():
    config = Config(HISTORY={"mail": "none", "mail-low": "failed", "*": "failed"})
    assert [config.history_of(name) for name in ("mail", "mail-low", "other")] == ["none", "failed", "failed"]
    config = Config(HISTORY={"mail": "none"})
    assert [config.history_of(name) for name in ("mail", "mail-low", "other")] == ["none", "none", "all"]


@pytest.mark.parametrize(
    ("event", "rc", "kept"),
    [("done", 1, False), ("done", 2, True), ("released", 1, True), ("cancelled", 1, True), ("dead", 1, True)],
)
def test_the_history_of_failures_leaves_out_first_deliveries_that_are_done(event, rc, kept):
    outcome = Outcome("work", "x" * 32, rc, State(event), "w", body="x")
    assert is_recorded(Config(HISTORY="failed"), outcome) is kept
    assert not is_recorded(Config(HISTORY="none"), outcome)
