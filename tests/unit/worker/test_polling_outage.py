"""An outage of Redis as a consumer sees it, on a clock of the test."""

import logging

import pytest

from queueing.worker.polling import CONTACT, COURTESY_SECONDS, MAX_PAUSE_SECONDS, RedisOutage
from tests.support.clock import Clock

LEASE = 10.0


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def outage(clock: Clock) -> RedisOutage:
    return RedisOutage(LEASE, logs=True, clock=clock.monotonic)


def test_calls_back_off_and_the_outage_is_logged_once(outage: RedisOutage, clock: Clock, caplog):
    caplog.set_level(logging.INFO)
    outage.accepted()
    pauses = [outage.continues(OSError("away")) for _ in range(12)]
    assert pauses[0] <= 0.1
    assert MAX_PAUSE_SECONDS / 2 <= pauses[-1] <= MAX_PAUSE_SECONDS
    clock.sleep(3)
    outage.ends()
    assert not outage.is_on
    assert [record.message for record in caplog.records] == [
        "away; waiting for it", "Redis is back after 3.0 s",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("seconds", "courtesy"), [(LEASE / 2 - 0.1, 0.0), (LEASE / 2 + 0.1, COURTESY_SECONDS)]
)
def test_after_a_long_outage_other_workers_extend_their_leases_first(
    outage: RedisOutage, clock: Clock, seconds: float, courtesy: float
):
    outage.accepted()
    outage.continues(OSError("away"))
    clock.sleep(seconds)
    outage.ends()
    assert outage.courtesy_seconds == courtesy
    clock.sleep(courtesy)
    assert outage.courtesy_seconds == 0


def test_an_idle_child_proves_within_half_a_lease_that_redis_takes_its_writes(
    outage: RedisOutage, clock: Clock
):
    assert outage.is_contact_due, "a child that starts counts as one that has waited"
    outage.accepted()
    assert not outage.is_contact_due
    clock.sleep(CONTACT * LEASE)
    assert outage.is_contact_due
