"""The counters of real workers match their handlers' runs exactly, even after a kill."""

import os
import signal
from collections import Counter
from collections.abc import Callable

from queueing.client import QueueClient
from queueing.monitoring.series import read_points
from queueing.monitoring.store import totals
from queueing.monitoring.workers import Worker, quiet_worker, read_workers, resume_worker
from tests.support.diary import Diary
from tests.support.ledger import Ledger
from tests.support.waiting import eventually
from tests.support.worker_process import WorkerProcess


def words(client: QueueClient, queue: str) -> dict[str, int]:
    """Outcome -> its count."""
    counted = totals(client, [queue])[queue].words
    return {word: count for word, count in counted.items() if count}


def told(diary: Diary, state: str) -> dict[str, int]:
    """Outcome -> how many of them the history has, for the messages that ended in ``state``."""
    return dict(Counter(outcome for id in diary.ids(state) for _, outcome in diary.outcomes(id)))


def only(client: QueueClient) -> Worker:
    """The only worker, once its heartbeat includes its child."""
    [worker] = read_workers(client.session)
    assert worker.children
    return worker


def test_the_counters_equal_the_ledger_after_failures_and_a_killed_child(
    client: QueueClient, worker: Callable[..., WorkerProcess], ledger: Ledger, diary: Diary
):
    for queue in ("brisk", "raising"):
        client.create_queue(queue)
    client.send_messages("brisk", [str(number) for number in range(990)])
    client.send_messages("raising", [str(number) for number in range(10)])
    with worker("brisk", "raising", "--threads", "4") as process:
        eventually(lambda: ledger.count("end") >= 300, of=process)
        os.kill(ledger.entries()[-1].pid, signal.SIGKILL)
        eventually(
            lambda: diary.states() == {"done": 990, "dead": 10},
            what=lambda: f"all ended: {diary.states()}",
            of=process,
        )
    ended = words(client, "brisk")
    again = {id for id, runs in ledger.runs().items() if runs > 1} & diary.ids("done")
    assert ended["done"] == 990
    # The killed child gave back messages that had ended without a settle, like those that had not begun.
    assert len(again) <= ended.get("abandoned", 0) + ended.get("released", 0)
    assert ended.get("abandoned", 0) <= 4, "one for each thread"
    assert ended == told(diary, "done")
    # The killed child may have held some of these, too.
    raised = words(client, "raising")
    assert raised == told(diary, "dead")
    assert (raised["retrying"], raised["dead"]) == (20, 10)

    counted = totals(client, ["brisk"])["brisk"]
    assert counted.run.count == 990, "a time for each that was settled"
    assert 0.001 < counted.run.percentile(50) < 1
    [point] = read_points(client, ["brisk", "raising"], seconds=3600, points=1)
    assert (point.done, point.retried, point.dead) == (990, 20, 10)


def test_a_killed_worker_is_counted_as_abandoned_and_stays_visible(
    client: QueueClient, worker: Callable[..., WorkerProcess], ledger: Ledger
):
    client.create_queue("slow")
    id = client.send_message("slow", "300")
    with worker("slow", "--name", "first") as first:
        eventually(lambda: ledger.count("start") == 1, of=first)
        eventually(lambda: only(client).busy == 1, of=first)
        seen = only(client)
        assert (seen.name, seen.capacity, seen.queues, seen.pid) == ("first", 1, ("slow",), first.pid)
        first.kill_group()
    [running] = seen.children[0].running
    assert (running.id, running.queue) == (id, "slow")
    assert 0 < seen.last_beat_ms - running.started_ms < 20_000
    assert seen.started_ms < running.started_ms
    assert 10_000_000 < seen.memory_bytes < 1_000_000_000

    with worker("slow", "--name", "second") as second:
        eventually(lambda: ledger.count("start") == 2, of=second)
        assert words(client, "slow") == {"abandoned": 1}
        both = ["first", "second"]
        eventually(lambda: [found.name for found in read_workers(client.session)] == both, of=second)
        second.kill_group()


def test_a_quiet_worker_claims_nothing_under_full_load_until_it_is_resumed(
    client: QueueClient, worker: Callable[..., WorkerProcess], ledger: Ledger
):
    client.create_queue("brisk")
    client.send_messages("brisk", ["x"] * 20_000)
    with worker("brisk", "--name", "w") as process:
        eventually(lambda: only(client).state == "busy", of=process)
        assert quiet_worker(client.session, "w")
        eventually(lambda: only(client).is_quiet, of=process)
        eventually(lambda: client.queue_figures(["brisk"])[0].running == 0, of=process)
        before = ledger.count()
        age = only(client).last_beat_ms
        eventually(lambda: only(client).last_beat_ms > age, of=process)
        assert ledger.count() == before < 20_000
        assert resume_worker(client.session, "w")
        eventually(lambda: ledger.count() > before, of=process)
        process.stop()
    assert read_workers(client.session) == [], "one that was stopped is struck"
