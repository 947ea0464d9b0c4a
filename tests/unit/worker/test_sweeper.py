"""The worker's sweeper: one step at a time, and none of it an error."""

from queueing.client import QueueClient
from queueing.worker.sweeper import EVERY_SECONDS, STEP_SECONDS, Sweeper


def steps_of_one_sweep(sweeper: Sweeper) -> list[float]:
    now = 2 * EVERY_SECONDS
    pauses = [sweeper.step(now)]
    while pauses[-1] == STEP_SECONDS:
        now += STEP_SECONDS
        pauses.append(sweeper.step(now))
    return pauses


def test_a_sweep_goes_in_steps_through_queues_and_dead_letters(any_client):
    any_client.create_queue("work")
    any_client.set_redrive_policy("work", 1)
    any_client.send_messages("work", ["x"] * 450)
    any_client.receive_messages("work", 450, vt=0)
    any_client.redis.zadd("rsmq:work", {"0" * 32: 0})
    sweeper = Sweeper(any_client, ["work"], clock=lambda: 0.0)
    pauses = steps_of_one_sweep(sweeper)
    assert len(pauses) > 5
    assert 0.8 * EVERY_SECONDS <= pauses[-1] <= 1.2 * EVERY_SECONDS
    assert any_client.redis.zscore("rsmq:work", "0" * 32) is None
    assert any_client.get_queue_attributes("work-dead").msgs == 450


def test_redis_that_is_away_ends_the_sweep_until_the_next_one(redis_server):
    import redis

    sweeper = Sweeper(QueueClient(redis.Redis(port=1, socket_timeout=0.1)), ["work"], clock=lambda: 0.0)
    assert steps_of_one_sweep(sweeper)[-1] > STEP_SECONDS


def test_the_first_sweep_begins_after_a_pause_of_its_own(fake_client):
    fake_client.create_queue("work")
    sweepers = [Sweeper(fake_client, ["work"], clock=lambda: 100.0) for _ in range(20)]
    pauses = {sweeper.step(100.0) for sweeper in sweepers}
    assert len(pauses) > 1, "workers that start together do not sweep together"
    assert min(pauses) >= 0.8 * EVERY_SECONDS
    assert {sweeper.step(100.0 + max(pauses)) for sweeper in sweepers} == {STEP_SECONDS}
