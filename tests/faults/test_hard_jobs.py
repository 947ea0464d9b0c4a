"""Jobs that kill their process, hold the interpreter lock, or are frozen with their process."""

import os
import signal
from collections.abc import Callable

import pytest

from queueing.client import QueueClient
from queueing.exceptions import QueueFull
from tests.support.cutting_proxy import CuttingProxy
from tests.support.diary import Diary
from tests.support.ledger import Ledger
from tests.support.redis_server import RedisServer
from tests.support.waiting import eventually
from tests.support.worker_process import WorkerProcess

from .warm_up import until_each_works

#: Seconds. A machine that stalls for less than three of them costs no lease.
LEASE = 5
OF_LEASE = {"TEST_LEASE": str(LEASE)}
#: For a worker that is killed or frozen, so that others find its message soon.
SHORT = {"TEST_LEASE": "2"}


def test_a_message_that_kills_its_process_becomes_dead_and_no_other_message_with_it(
    client: QueueClient, worker: Callable[..., WorkerProcess], ledger: Ledger, diary: Diary
):
    client.create_queue("hard")
    poison, *others = client.send_messages("hard", ["kill", *(str(number) for number in range(40))])
    with worker("hard", "--threads", "4") as process:
        eventually(lambda: diary.ids("done") == set(others), of=process)
        eventually(lambda: diary.row(poison).get("state") == "dead", of=process)
        assert process.is_running
    assert ledger.runs()[poison] == 3
    assert diary.row(poison)["crashes"] == 3
    assert "SIGKILL" in str(diary.row(poison)["error"])
    [dead] = client.peek_messages("hard-dead")
    assert (dead.id, dead.body) == (poison, "kill")
    assert max(ledger.runs()[other] for other in others) <= 3
    assert client.queue_figures(["hard"])[0].attributes.msgs == 0


@pytest.mark.parametrize("threads", ["1", "2"])
def test_a_message_that_closes_all_descriptors_of_its_process_becomes_dead(
    client: QueueClient, worker: Callable[..., WorkerProcess], ledger: Ledger, diary: Diary, threads: str
):
    client.create_queue("hard")
    poison, *others = client.send_messages("hard", ["close", *(str(number) for number in range(10))])
    with worker("hard", "--threads", threads) as process:
        eventually(lambda: diary.row(poison).get("state") == "dead", of=process)
        eventually(lambda: diary.ids("done") == set(others), of=process)
        assert process.is_running
    assert (ledger.runs()[poison], diary.row(poison)["crashes"]) == (3, 3)
    assert "exited with code 1" in str(diary.row(poison)["error"])


def test_a_long_job_outlives_five_hard_kills_of_its_whole_worker(
    client: QueueClient, worker: Callable[..., WorkerProcess], ledger: Ledger, diary: Diary
):
    client.create_queue("slow")
    job = client.send_message("slow", "20 seconds")
    for number in range(5):
        with worker("slow", env=SHORT) as process:
            eventually(lambda count=number: ledger.runs().get(job, 0) > count, of=process)
            process.kill_group()
    with worker("slow") as process:
        eventually(lambda: diary.row(job).get("state") == "done", within_seconds=120, of=process)
    assert (diary.row(job)["crashes"], ledger.count("end")) == (5, 1)


def test_a_handler_that_holds_the_interpreter_lock_past_its_lease_runs_once(
    client: QueueClient, worker: Callable[..., WorkerProcess], ledger: Ledger, diary: Diary
):
    client.create_queue("hard")
    holder = client.send_message("hard", f"lock {3 * LEASE}")
    with worker("hard", env=OF_LEASE) as first, worker("hard", env=OF_LEASE) as second:
        eventually(lambda: diary.row(holder).get("state") == "done", of=first)
        assert first.is_running
        assert second.is_running
    ledger.assert_each_ran_once([holder])
    assert diary.row(holder)["crashes"] == 0


def test_a_frozen_worker_loses_its_message_and_settles_nothing_after_it_continues(
    client: QueueClient, worker: Callable[..., WorkerProcess], ledger: Ledger, diary: Diary
):
    client.create_queue("slow")
    message_id = client.send_message("slow", "1 frozen")
    with worker("slow", env=SHORT) as frozen:
        eventually(lambda: message_id in ledger.ids("start"), of=frozen)
        frozen.signal_group(signal.SIGSTOP)
        with worker("slow") as other:
            eventually(lambda: ledger.count("start") == 2, of=other)
            frozen.signal_group(signal.SIGCONT)
            eventually(lambda: any("lease lost" in line for line in frozen.lines))
            eventually(lambda: diary.row(message_id).get("state") == "done", of=other)
            assert diary.outcomes(message_id) == [(1, "abandoned"), (2, "done")]
    assert client.queue_figures(["slow"])[0].attributes.msgs == 0


def test_the_keeper_does_not_extend_the_lease_of_a_frozen_child(
    client: QueueClient, worker: Callable[..., WorkerProcess], ledger: Ledger, diary: Diary
):
    client.create_queue("slow")
    message_id = client.send_message("slow", "1 frozen")
    with worker("slow", env=SHORT) as frozen:
        eventually(lambda: message_id in ledger.ids("start"), of=frozen)
        pid = ledger.entries("start")[0].pid
        os.kill(pid, signal.SIGSTOP)
        with worker("slow") as other:
            eventually(lambda: diary.row(message_id).get("state") == "done", of=other)
        os.kill(pid, signal.SIGCONT)
    assert ledger.runs()[message_id] == 2


def test_one_long_job_delays_none_of_a_thousand_tiny_ones(
    client: QueueClient, worker: Callable[..., WorkerProcess], ledger: Ledger, figure: Callable[[str], None]
):
    client.create_queue("slow")
    with worker("slow") as one, worker("slow") as two:
        ready = [client.send_message("slow", "0 warm up") for _ in range(20)]
        eventually(lambda: ledger.count("end") == len(ready), of=one)
        # In the middle, when a worker has learned that its messages are tiny and claims many per call.
        bodies = ["0 tiny"] * 500 + ["8 long"] + ["0 tiny"] * 500
        ids = client.send_messages("slow", bodies)
        eventually(lambda: ledger.count("end") == len(ready) + 1000, of=two)
        tiny = [e.at_ms for e in ledger.entries("end") if e.message_id in set(ids)]
        figure(f"1,000 tiny jobs around a long one, two workers: {(max(tiny) - min(tiny)) / 1000:.2f} s")
        assert ids[500] not in ledger.ids("end"), "the long one is still running"
    assert ledger.runs()[ids[500]] == 1


def test_a_worker_drains_a_full_redis(
    own_redis: Callable[..., object],
    worker: Callable[..., WorkerProcess],
    ledger: Ledger,
    diary: Diary,
):
    server = own_redis()
    client = QueueClient(server.connect())
    client.create_queue("ledger")
    ids = client.send_messages("ledger", ["x" * 1000] * 2000)
    client.redis.config_set("maxmemory", client.redis.info("memory")["used_memory"] - 100_000)
    with pytest.raises(QueueFull):
        client.send_message("ledger", "one more")
    with worker("ledger", redis_url=server.url) as process:
        eventually(lambda: len(diary.ids("done")) == 2000, of=process)
    ledger.assert_each_ran_once(ids)
    client.send_message("ledger", "there is room again")
    client.redis.close()


def test_no_job_runs_twice_when_redis_is_away_for_longer_than_the_lease(
    redis_server: RedisServer,
    client: QueueClient,
    worker: Callable[..., WorkerProcess],
    ledger: Ledger,
    diary: Diary,
):
    client.create_queue("slow")
    with (
        CuttingProxy(redis_server.port) as proxy,
        worker("slow", redis_url=proxy.url, env=OF_LEASE) as one,
        worker("slow", redis_url=proxy.url, env=OF_LEASE) as two,
    ):
        warm_ups = until_each_works(client, ledger, "slow", one, two)
        message_id = client.send_message("slow", f"{LEASE} away")
        eventually(lambda: message_id in ledger.ids("start"), of=one)
        proxy.refuse = True
        eventually(lambda: message_id in ledger.ids("end"), of=one)
        due_ms = client.peek_message("slow", message_id).due_ms
        eventually(lambda: client.redis.time()[0] * 1000 > due_ms + 500, what="the lease's end")
        proxy.refuse = False
        eventually(lambda: diary.row(message_id).get("state") == "done", of=two)
    ledger.assert_each_ran_once([*warm_ups, message_id])
    assert diary.outcomes(message_id) == [(1, "done")]
