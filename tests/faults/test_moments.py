"""``kill -9`` of a child at rare moments: the proxy holds them."""

import os
import signal
import zlib
from collections.abc import Callable, Iterator

import pytest

from queueing.broker.scripts import load
from queueing.client import QueueClient
from tests.support.cutting_proxy import CuttingProxy, DeafOnce, MuteOnce
from tests.support.diary import Diary
from tests.support.ledger import Ledger
from tests.support.redis_server import RedisServer
from tests.support.waiting import eventually
from tests.support.worker_process import WorkerProcess


def is_call_of(script: str, words: list[bytes], mention: str) -> bool:
    is_that = len(words) > 1 and words[1] == load(script).digest
    return is_that and any(mention.encode() in unpacked(word) for word in words)


def unpacked(word: bytes) -> bytes:
    """The text of a script's argument. Outcomes are sent compressed."""
    try:
        return zlib.decompress(word)
    except zlib.error:
        return word


@pytest.fixture
def proxy(redis_server: RedisServer) -> Iterator[CuttingProxy]:
    with CuttingProxy(redis_server.port) as running:
        yield running


@pytest.fixture
def started(
    client: QueueClient, proxy: CuttingProxy, worker: Callable[..., WorkerProcess], ledger: Ledger
) -> Iterator[WorkerProcess]:
    """A worker behind the proxy that has run one message of the queue ``ledger``, so its child is known."""
    client.create_queue("ledger")
    with worker("ledger", redis_url=proxy.url) as process:
        client.send_message("ledger", "warm up")
        eventually(lambda: ledger.count("end") == 1, of=process)
        eventually(lambda: client.get_queue_attributes("ledger").msgs == 0, of=process)
        yield process


def kill_child(ledger: Ledger) -> None:
    os.kill(ledger.entries()[0].pid, signal.SIGKILL)


def test_a_kill_right_after_the_claim_counts_no_crash_because_nothing_has_begun(
    client: QueueClient, proxy: CuttingProxy, started: WorkerProcess, ledger: Ledger, diary: Diary
):
    moment = MuteOnce(lambda words, reply: b"precious" in reply)
    proxy.rule = moment
    message_id = client.send_message("ledger", "precious")
    assert moment.struck.wait(60)
    assert client.queue_figures(["ledger"])[0].running == 1, "Redis has given it out"
    kill_child(ledger)
    eventually(lambda: diary.row(message_id).get("state") == "done", of=started)
    assert ledger.runs()[message_id] == 1
    assert diary.outcomes(message_id) == [(1, "released"), (2, "done")]
    assert diary.row(message_id)["crashes"] == 0


def test_a_kill_between_the_effect_and_the_settle_makes_the_message_run_once_more(
    client: QueueClient, proxy: CuttingProxy, started: WorkerProcess, ledger: Ledger, diary: Diary
):
    moment = DeafOnce(lambda words: is_call_of("settle", words, "precious"))
    proxy.deaf = moment
    message_id = client.send_message("ledger", "precious")
    assert moment.struck.wait(60)
    assert message_id in ledger.ids("end")
    kill_child(ledger)
    eventually(lambda: diary.row(message_id).get("state") == "done", of=started)
    assert ledger.runs()[message_id] == 2


def test_a_kill_during_the_settle_of_a_batch_makes_no_settled_message_run_again(
    client: QueueClient, proxy: CuttingProxy, started: WorkerProcess, ledger: Ledger, diary: Diary
):
    moment = MuteOnce(lambda words, reply: is_call_of("settle", words, "precious"))
    proxy.rule = moment
    ids = client.send_messages("ledger", [f"precious {number}" for number in range(300)])
    assert moment.struck.wait(60)
    before = len(ids) + 1 - client.get_queue_attributes("ledger").msgs
    assert before > 1, "Redis has settled some, and the child does not know"
    kill_child(ledger)
    eventually(lambda: set(ids) <= diary.ids("done"), of=started)
    # Jobs that finished later and could not be settled may run again. Settled ones may not.
    settled = {id for id in ids if diary.outcomes(id) == [(1, "done")]}
    assert len(settled) >= before - 1
    assert {ledger.runs()[id] for id in settled} == {1}
