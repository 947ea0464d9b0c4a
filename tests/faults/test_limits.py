"""Limits over two workers, while ``kill -9`` hits children, keepers and a whole worker."""

import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import psutil
import pytest

from queueing.client import QueueClient
from queueing.messages import Draft
from queueing.policies import limits
from queueing.policies.limits import Limit
from tests.support.diary import Diary
from tests.support.invariants import Invariants
from tests.support.ledger import Ledger
from tests.support.threads import Threads
from tests.support.waiting import eventually
from tests.support.worker_process import WorkerProcess

KEYS = [f"key{number}" for number in range(8)]
TWO = Limit(concurrency=2)
KILLS = 6


def drafts(count: int, seconds: float) -> list[Draft]:
    return [
        Draft(body=f"{seconds} {key} {number}", headers=limits.headers(TWO, "keyed", key))
        for number in range(count)
        for key in KEYS
    ]


def key_of(body: str) -> str:
    return body.split()[1]


class Watch:
    """Samples how many messages of each key are held under a valid lease."""

    def __init__(self, client: QueueClient, queue: str, key_of: Callable[[str], str]) -> None:
        self.client, self.queue, self.key_of = client, queue, key_of
        self.most: Counter[str] = Counter()
        self.samples = 0
        self._is_over = False

    def run(self) -> None:
        while not self._is_over:
            messages = self.client.peek_messages(self.queue, count=1000)
            held = [self.key_of(one.body) for one in messages if one.state == "running"]
            for key, count in Counter(held).items():
                self.most[key] = max(self.most[key], count)
            self.samples += 1
            time.sleep(0.01)

    @contextmanager
    def watching(self) -> Iterator[None]:
        with Threads(1) as threads:
            sampling = threads.submit(self.run)
            try:
                yield
            finally:
                self._is_over = True
            sampling.result()


def most_at_a_time(ledger: Ledger, key_of: Callable[[str], str]) -> Counter[str]:
    """How many runs of each key overlapped. A run without an end was killed, and overlaps nothing."""
    ended = {(entry.message_id, entry.rc) for entry in ledger.entries("end")}
    now: Counter[str] = Counter()
    most: Counter[str] = Counter()
    for entry in ledger.entries():
        if (entry.message_id, entry.rc) in ended:
            key = key_of(entry.body.strip("'\""))
            now[key] += 1 if entry.event == "start" else -1
            most[key] = max(most[key], now[key])
    return most


def kill_one(process: WorkerProcess) -> None:
    """``kill -9`` any process of a worker but its supervisor."""
    members = [member for member in process.members() if member.pid != process.pid]
    with suppress(IndexError, psutil.NoSuchProcess):
        random.choice(members).send_signal(signal.SIGKILL)


@pytest.mark.parametrize("queue", ["keyed", "narrow"])
def test_kills_neither_exceed_a_limit_nor_lose_a_slot(
    client: QueueClient,
    worker: Callable[..., WorkerProcess],
    ledger: Ledger,
    diary: Diary,
    invariants: Invariants,
    queue: str,
):
    client.create_queue(queue)
    of_key = key_of if queue == "keyed" else lambda body: "the queue"
    count = 25 if queue == "keyed" else 12
    messages = drafts(count, 0.02)
    ids = client.send_messages(queue, messages if queue == "keyed" else [draft.body for draft in messages])
    watch = Watch(client, queue, of_key)
    options = (queue, "--threads", "4", "--processes", "2")
    with watch.watching(), worker(*options) as lasting:
        with worker(*options) as dying:
            for kill in range(KILLS):
                eventually(lambda kill=kill: ledger.count() >= 10 * (kill + 1), of=lasting)
                kill_one(random.choice((lasting, dying)))
                time.sleep(random.uniform(0, 0.2))
            dying.kill_group()
        eventually(
            lambda: diary.ids("done") >= set(ids),
            within_seconds=120, every_seconds=0.2, what=lambda: str(diary.states()), of=lasting,
        )  # fmt: skip
    assert max(watch.most.values()) == 2, watch.most
    assert watch.samples > 10
    assert max(most_at_a_time(ledger, of_key).values()) == 2
    invariants.check(drained=[queue], diary=diary)
    keys = client.keys
    assert client.redis.exists(keys.slots(), keys.rates(), keys.line(queue)) == 0


def test_the_slot_of_a_killed_worker_is_free_within_its_lease(
    client: QueueClient, worker: Callable[..., WorkerProcess], ledger: Ledger, diary: Diary
):
    client.create_queue("keyed")
    one = limits.headers(Limit(concurrency=1), "keyed", "x")
    bodies = ["60 x 1", "0 x 2", "0 x 3"]
    with worker("keyed") as dying:
        first, *others = client.send_messages("keyed", [Draft(body=body, headers=one) for body in bodies])
        eventually(lambda: ledger.ids() == [first], of=dying)
        with worker("keyed", "--threads", "2") as lasting:
            eventually(lambda: client.redis.zcard(client.keys.line("keyed")) == 2, of=lasting)
            dying.kill_group()
            killed_ms = time.time() * 1000
            # The message of the killed worker is the oldest, and comes back first.
            eventually(lambda: ledger.runs()[first] == 2, of=lasting)
            again_ms = ledger.starts_ms(first)[1]
            assert again_ms - killed_ms < 20_000
            assert client.cancel_messages("keyed", others) == ["cancelled"] * 2
            [lasting_child] = {entry.pid for entry in ledger.entries("start")[1:]}
            os.kill(lasting_child, signal.SIGKILL)


def test_a_worker_waits_for_a_slot_without_calls(
    client: QueueClient, worker: Callable[..., WorkerProcess], ledger: Ledger
):
    """One job runs, two hundred wait for it, and another worker has nothing to do."""
    client.create_queue("keyed")
    one = limits.headers(Limit(concurrency=1), "keyed", "x")
    with worker("keyed") as busy:
        messages = [Draft(body=f"60 x {number}", headers=one) for number in range(200)]
        [first, *_] = client.send_messages("keyed", messages)
        eventually(lambda: ledger.ids() == [first], of=busy)
        with worker("keyed") as idle:
            eventually(lambda: client.redis.zcard(client.keys.line("keyed")) == 199, of=idle)
            time.sleep(1)
            before = client.redis.info("commandstats")["cmdstat_evalsha"]["calls"]
            time.sleep(20)
            calls = client.redis.info("commandstats")["cmdstat_evalsha"]["calls"] - before
            assert ledger.count() == 1
            # The extensions of the lease, the heartbeats, and the polls of two workers that do nothing.
            assert calls < 120, calls
            idle.kill_group()
        busy.kill_group()


def test_two_workers_keep_the_rate_of_a_queue(
    client: QueueClient, worker: Callable[..., WorkerProcess], ledger: Ledger, diary: Diary
):
    client.create_queue("paced")
    options = ("paced", "--threads", "2")
    with worker(*options) as one, worker(*options):
        ids = client.send_messages("paced", [f"0.3 x {number}" for number in range(40)])
        eventually(lambda: diary.ids("done") >= set(ids), of=one)
    starts = sorted(entry.at_ms for entry in ledger.entries("start"))
    assert starts[-1] - starts[0] > 3500
    for start in starts:
        assert sum(start <= other < start + 1000 for other in starts) <= 13
