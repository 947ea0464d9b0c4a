"""The verb ``limits``: the limit of a queue, and the keys for which messages wait."""

import json

import pytest
from django.core.management import CommandError

from queueing.broker.leases import QueueLease
from queueing.conf import Config
from queueing.policies import limits
from queueing.policies.limits import Limit


@pytest.fixture
def waiting(shared_client):
    shared_client.create_queue("work")
    for key in ("ada", "ada", "ada", "bob", "bob"):
        shared_client.send_message("work", key, headers=limits.headers(Limit(concurrency=1), "call", key))
    lease = QueueLease(shared_client.session, Config(LEASE=60), "child", "work")
    shared_client.session.call(lease.claim(10, suspects="take"))


@pytest.mark.usefixtures("waiting")
def test_it_lists_the_keys_with_running_and_waiting_messages(queues):
    shown = queues("limits", "work").out
    assert "work: no limit of the whole queue, 2 running, 0 ready." in shown
    assert [line.split() for line in shown.splitlines()[1:4]] == [
        ["key", "running", "waiting"],
        ["call", '"ada"', "1", "2"],
        ["call", '"bob"', "1", "1"],
    ]
    assert "3 messages waiting for the limit of a key." in shown
    assert "waits for a limit" in queues("peek", "work").out


@pytest.mark.usefixtures("waiting")
def test_json_has_the_limit_of_the_queue(queues, settings):
    settings.QUEUEING = {**settings.QUEUEING, "LIMITS": {"work": {"rate": "10/s", "concurrency": 3}}}
    found = json.loads(queues("limits", "work", "--json", "--count", "1").out)
    assert found == {
        "queue": "work", "rate": "10/s", "concurrency": 3, "running": 0, "waiting": 3,
        "keys": [{"key": 'call "ada"', "running": 1, "waiting": 2}],
    }  # fmt: skip
    assert "work: 3 at a time, 10/s, 2 running, 0 ready." in queues("limits", "work").out


def test_a_queue_that_does_not_exist_is_named(queues):
    with pytest.raises(CommandError, match="limits|nothing"):
        queues("limits", "nothing")
