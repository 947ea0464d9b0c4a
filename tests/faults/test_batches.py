"""``kill -9`` under batches of batches: each sends exactly one callback, and no count is wrong."""

import os
import random
import signal
from collections import Counter
from collections.abc import Callable

import pytest

from queueing.client import QueueClient, sent_batches
from queueing.client.default import use_client
from queueing.composition import Batch, batch, chain, get_batch, step
from tests.support.invariants import Invariants
from tests.support.ledger import Ledger
from tests.support.waiting import eventually
from tests.support.worker_process import WorkerProcess

INNER, MEMBERS, KILLS = 4, 80, 12
QUEUES = ("brisk", "raising", "ledger")


@pytest.fixture
def here(client: QueueClient):
    """The client of this process, with the queues of these tests."""
    for queue in QUEUES:
        client.create_queue(queue)
    use_client(client)
    yield client
    use_client(None)


def nested() -> Batch:
    """Batches of messages and chains in one batch. One of them has members that fail."""
    inner = [
        batch(
            [
                step("raising", "x") if number < 3 and place == 0
                else chain(step("brisk", "first"), step("brisk", "last")) if number % 4 == 0
                else step("brisk", "x")
                for number in range(MEMBERS)
            ],
            on_success=step("ledger", f"success of {place}"),
            on_failure=step("ledger", f"failure of {place}"),
        )
        for place in range(INNER)
    ]  # fmt: skip
    return batch(
        inner, on_success=step("ledger", "success of all"), on_failure=step("ledger", "failure of all")
    )


def callbacks(ledger: Ledger) -> Counter[str]:
    """The different messages with callbacks that have run to their end, by batch."""
    ended = {entry.message_id: entry.body for entry in ledger.entries("end") if " of " in entry.body}
    return Counter(body.split(" of ")[1].strip("'\"") for body in ended.values())


def kill_a_child(process: WorkerProcess, ledger: Ledger, chance: random.Random) -> None:
    """Kill a child that has written to the ledger, at any moment of its work."""
    pids = {entry.pid for entry in ledger.entries()[-50:]} & {child.pid for child in process.members()}
    if pids:
        os.kill(chance.choice(sorted(pids)), signal.SIGKILL)


def test_each_of_nested_batches_sends_one_callback_while_children_are_killed_again_and_again(
    here: QueueClient, worker: Callable[..., WorkerProcess], ledger: Ledger, invariants: Invariants
):
    chance = random.Random(16)
    id = nested().enqueue()
    with worker(*QUEUES, "--processes", "2", "--threads", "3") as process:
        for number in range(1, KILLS + 1):
            wanted = number * 25
            eventually(lambda n=wanted: ledger.count("end") >= n, of=process, every_seconds=0.01)
            kill_a_child(process, ledger, chance)
        eventually(lambda: get_batch(id).waiting == 0, of=process, within_seconds=200)
        eventually(lambda: callbacks(ledger).total() == INNER + 1, of=process, within_seconds=60)
        eventually(lambda: here.get_queue_attributes("ledger").msgs == 0, of=process)
    assert set(callbacks(ledger).values()) == {1}
    assert here.get_queue_attributes("ledger").totalsent == INNER + 1
    whole = get_batch(id)
    assert (whole.done + whole.failed, whole.cancelled, whole.callback) == (INNER, 0, "on_failure")
    assert here.redis.hlen(here.keys.follow_ups()) == 0
    invariants.check(faults=KILLS)


def test_a_kill_of_the_whole_worker_loses_no_callback(
    here: QueueClient, worker: Callable[..., WorkerProcess], ledger: Ledger
):
    id = batch(
        [step("brisk", "x") for _ in range(300)], on_success=step("ledger", "success of all")
    ).enqueue()
    for wanted in (40, 100, 160):
        with worker(*QUEUES, "--threads", "4") as process:
            eventually(lambda n=wanted: ledger.count("end") >= n, of=process, every_seconds=0.01)
            process.kill_group()
    with worker(*QUEUES, "--threads", "4") as process:
        eventually(lambda: callbacks(ledger)["all"] == 1, of=process, within_seconds=120)
        eventually(lambda: here.get_queue_attributes("ledger").msgs == 0, of=process)
    assert here.get_queue_attributes("ledger").totalsent == 1
    assert (get_batch(id).state, get_batch(id).done) == ("done", 300)


def test_the_keeper_sends_what_a_killed_child_has_left(
    here: QueueClient, worker: Callable[..., WorkerProcess], ledger: Ledger, monkeypatch: pytest.MonkeyPatch
):
    # The sender dies after the seal, before it sends the callback.
    monkeypatch.setattr(sent_batches.follow_ups, "send_soon", lambda client, texts: None)
    batch([], on_success=step("ledger", "success of all")).enqueue()
    assert here.get_queue_attributes("ledger").totalsent == 0
    with worker("ledger") as process:
        eventually(lambda: callbacks(ledger)["all"] == 1, of=process)


def test_a_batch_whose_sender_died_is_cancelled_and_reports_its_failure(
    here: QueueClient, worker: Callable[..., WorkerProcess], ledger: Ledger, monkeypatch: pytest.MonkeyPatch
):
    def die(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(sent_batches.batches, "seal_batch", die)
    members = [step("brisk", "x") for _ in range(3)]
    with pytest.raises(KeyboardInterrupt):
        batch(members, on_failure=step("ledger", "failure of all")).enqueue()
    [id] = [name.decode() for name in here.redis.zrange(here.keys.opening_batches(), 0, -1)]
    here.redis.zincrby(here.keys.opening_batches(), -60_000, id)
    with worker("ledger") as process:
        eventually(lambda: callbacks(ledger)["all"] == 1, of=process)
    assert get_batch(id).state == "cancelled"
    with worker("brisk", "--burst") as process:
        assert process.wait() == 0
    assert get_batch(id).cancelled == 3
    assert here.get_queue_attributes("ledger").totalsent == 1
