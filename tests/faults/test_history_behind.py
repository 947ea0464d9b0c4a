"""Jobs that run faster than their recording: the worker waits for the recorder, and no outcome is lost.

A recorder that is killed while it records leaves each attempt one row.
"""

from collections.abc import Callable

from queueing.broker import outbox
from queueing.client import QueueClient
from tests.support.diary import Diary
from tests.support.ledger import Ledger
from tests.support.postgres_server import PostgresServer
from tests.support.waiting import eventually
from tests.support.worker_process import WorkerProcess, migrate

from .test_kills_of_parts import keeper_of

COUNT = 40_000
#: Room for the outcomes of a fifth of the jobs.
OUTBOX_BYTES = 300_000


def test_a_drain_that_is_faster_than_the_recorder_loses_no_outcome(
    client: QueueClient, worker: Callable[..., WorkerProcess], ledger: Ledger, diary: Diary
):
    client.create_queue("ledger")
    client.send_message("ledger", "first")
    with worker("ledger", env={"TEST_OUTBOX_MAX": str(OUTBOX_BYTES)}) as process:
        # The worker does not wait for a recorder that has not recorded anything yet.
        eventually(lambda: diary.states() == {"done": 1}, of=process)
        for _ in range(COUNT // 5000):
            client.send_messages("ledger", ["tiny"] * 5000)
        eventually(lambda: diary.states() == {"done": 1 + COUNT}, of=process)
    assert ledger.count("end") == 1 + COUNT
    assert outbox.stats(client.session).lost == 0


def test_each_attempt_of_retried_messages_has_one_row_after_kills_of_recorder_and_database(
    client: QueueClient, worker: Callable[..., WorkerProcess], ledger: Ledger
):
    count, tries = 400, 3
    client.create_queue("raising")
    with PostgresServer() as postgres:
        migrate(postgres.url)

        def rows(of: str = "TRUE") -> int:
            [(found,)] = postgres.query(f"SELECT count(*) FROM queueing_attempt WHERE {of}")
            return int(str(found))

        with worker("raising", env={"DATABASE_URL": postgres.url}) as process:
            client.send_messages("raising", ["again"] * count)
            for reached in (1, count, 2 * count):
                eventually(lambda reached=reached: rows() >= reached, of=process)
                keeper_of(process, ledger).kill()
                postgres.kill()
                postgres.restart()
            eventually(lambda: rows("outcome = 'dead'") == count, of=process)
            eventually(lambda: outbox.stats(client.session).entries == 0, of=process)
        ends = "outcome IN ('retrying', 'dead')"
        assert rows(ends) == tries * count
        each = f"SELECT count(*) FROM queueing_attempt WHERE {ends} GROUP BY job_id"
        assert set(postgres.query(each)) == {(tries,)}
        newest = (
            "SELECT state, count(*) FROM queueing_job AS job WHERE rc = "
            "(SELECT max(rc) FROM queueing_attempt WHERE job_id = job.id) GROUP BY state"
        )
        assert postgres.query(newest) == [("dead", count)]
    assert outbox.stats(client.session).lost == 0
