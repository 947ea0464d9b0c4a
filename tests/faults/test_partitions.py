"""Several partitions: one worker serves the queues of all, and a partition that is away stops no other."""

import json
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from django.test import override_settings

import queueing
from queueing.client import QueueClient
from queueing.client.default import use_client
from tests.support.diary import Diary
from tests.support.invariants import Invariants
from tests.support.ledger import Ledger
from tests.support.redis_server import RedisServer
from tests.support.waiting import HANG_SECONDS, eventually
from tests.support.worker_process import WorkerProcess

#: A queue on each partition.
QUEUES = ("brisk", "slow", "sending")
PLACES = {"slow": "eu", "sending": "us"}


@pytest.fixture(autouse=True)
def _invariants_of_one_server_do_not_hold(invariants: Invariants) -> None:
    invariants.do_not_hold("the messages are in several servers, and these tests count them")


class System:
    """Three partitions, and a worker of a queue on each."""

    def __init__(self, make: Callable[..., RedisServer], worker: Callable[..., WorkerProcess]) -> None:
        names = ("default", "eu", "us")
        options = {"appendonly": True, "appendfsync": "no"}
        self.servers = {name: make(**options) for name in names}
        self.partitions = {name: {"URL": self.servers[name].url} for name in names[1:]}
        self._make_worker = worker

    @property
    def settings(self) -> dict[str, object]:
        url = self.servers["default"].url
        return {
            "URL": url,
            "TIMEOUT": HANG_SECONDS,
            "QUEUES": ["ledger", *QUEUES],
            "PARTITIONS": self.partitions,
            "PLACES": PLACES,
        }

    def worker(self, *options: str) -> WorkerProcess:
        env = {"TEST_PARTITIONS": json.dumps(self.partitions), "TEST_PLACES": json.dumps(PLACES)}
        url = self.servers["default"].url
        made = self._make_worker(*QUEUES, "ledger", "--name", "w", *options, redis_url=url, env=env)
        made.start()
        return made

    def send(self, queue: str, count: int, body: str = "0.01") -> list[str]:
        return [queueing.send_message(queue, body) for _ in range(count)]


@pytest.fixture
def system(own_redis: Callable[..., RedisServer], worker: Callable[..., WorkerProcess]) -> Iterator[System]:
    made = System(own_redis, worker)
    with override_settings(QUEUEING=made.settings):
        use_client(None)
        queueing.create_queues()
        yield made
    use_client(None)


def test_one_worker_serves_the_queues_of_all_partitions_and_sends_between_them(
    system: System, ledger: Ledger, diary: Diary
):
    process = system.worker()
    ids = [id for queue in QUEUES for id in system.send(queue, 20)]
    eventually(lambda: set(ids) <= diary.ids("done"), of=process)
    assert not [id for id, count in ledger.runs().items() if count > 1]
    # The handler of "sending", on one partition, has sent to "ledger", on another.
    eventually(lambda: len(diary.ids("done")) == len(ids) + 20, of=process)
    assert queueing.get_client().at(["ledger"]).get_queue_attributes("ledger").totalsent == 20
    assert len(process.logged("worker w@(default|eu|us): ")) == 3
    process.stop()
    assert "Traceback" not in process.output


def test_a_partition_that_is_killed_stops_no_other_and_loses_nothing(
    system: System, ledger: Ledger, diary: Diary
):
    process = system.worker()
    on_eu = system.send("slow", 30, "0.1")
    eventually(lambda: ledger.count("end") > 2, of=process)
    system.servers["eu"].kill()
    others = [*system.send("brisk", 30), *system.send("sending", 10)]
    eventually(lambda: set(others) <= diary.ids("done"), of=process)
    system.servers["eu"].start()
    eventually(lambda: set(on_eu) <= diary.ids("done"), of=process)
    more = system.send("slow", 5)
    eventually(lambda: set(more) <= diary.ids("done"), of=process)
    ledger.assert_all_ended([*on_eu, *others, *more], faults=1)
    assert "is restarted" not in process.output


def test_a_worker_starts_while_a_partition_is_away_and_finds_it_later(system: System, diary: Diary):
    on_eu = system.send("slow", 3)
    system.servers["eu"].kill()
    process = system.worker()
    others = system.send("brisk", 5)
    eventually(lambda: set(others) <= diary.ids("done"), of=process)
    system.servers["eu"].start()
    eventually(lambda: set(on_eu) <= diary.ids("done"), of=process)


def test_a_killed_worker_of_one_partition_is_replaced(system: System, ledger: Ledger, diary: Diary):
    process = system.worker()
    ids = [id for queue in QUEUES for id in system.send(queue, 3, "0.5")]
    eventually(lambda: ledger.count("start") > 2, of=process)
    for member in psutil.Process(process.pid).children():
        member.kill()
    eventually(lambda: len(process.logged("was killed by SIGKILL, it is restarted")) == 3, of=process)
    eventually(lambda: set(ids) <= diary.ids("done"), of=process)
    ledger.assert_all_ended([*ids, *(set(ledger.ids()) - set(ids))], faults=1)


def test_no_process_outlives_a_killed_fleet_and_running_jobs_finish(system: System, ledger: Ledger):
    process = system.worker()
    [id] = system.send("slow", 1, "2")
    eventually(lambda: ledger.ids("start") == [id], of=process)
    os.kill(process.pid, signal.SIGKILL)
    eventually(lambda: not process.members(), what=process.tail)
    assert ledger.ids("end") == [id]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_signal_lets_the_jobs_of_all_partitions_finish(system: System, ledger: Ledger, number: int):
    process = system.worker()
    [id] = system.send("slow", 1, "2")
    system.send("brisk", 1)
    eventually(lambda: id in ledger.ids("start"), of=process)
    process.signal_group(number)
    assert process.wait() == 0
    assert id in ledger.ids("end")
    assert len(process.logged("worker w@(default|eu|us): stopped")) == 3


def test_a_second_interrupt_gives_back_what_runs_on_all_partitions(system: System, ledger: Ledger):
    process = system.worker()
    [id] = system.send("slow", 1, "60")
    eventually(lambda: id in ledger.ids("start"), of=process)
    os.kill(process.pid, signal.SIGINT)
    eventually(lambda: process.logged("stopping, running jobs get"), of=process)
    os.kill(process.pid, signal.SIGQUIT)
    assert process.wait() == 0
    assert not ledger.ids("end")
    assert queueing.get_client().peek_message("slow", id).state == "ready"


def test_a_burst_ends_when_nothing_is_due_on_any_partition(system: System, ledger: Ledger, diary: Diary):
    ids = [id for queue in QUEUES for id in system.send(queue, 10)]
    process = system.worker("--burst")
    assert process.wait() == 0
    assert set(ids) <= diary.ids("done")


def test_the_health_file_is_that_of_all_partitions(system: System, tmp_path: Path):
    file = tmp_path / "health"
    process = system.worker("--health-file", str(file))
    eventually(file.exists, of=process)
    assert {path.name for path in tmp_path.glob("health.*")} == {"health.default", "health.eu", "health.us"}
    process.stop()
    assert not list(tmp_path.glob("health*"))


def test_a_worker_of_one_partition_is_a_plain_worker(system: System, diary: Diary):
    process = system._make_worker(
        "slow",
        redis_url=system.servers["default"].url,
        env={"TEST_PARTITIONS": json.dumps(system.partitions), "TEST_PLACES": json.dumps(PLACES)},
    )
    process.start()
    ids = system.send("slow", 3)
    eventually(lambda: set(ids) <= diary.ids("done"), of=process)
    assert not process.logged("worker .*@eu")
    plain = QueueClient(system.servers["eu"].connect())
    assert plain.get_queue_attributes("slow").totalrecv == 3
