"""Tests that need PostgreSQL. ``test_postgresql.py`` runs them."""

import threading

import pytest
from django.core.management import call_command
from django.db import OperationalError, connection, connections

from queueing.broker.outcomes import Outcome, State
from queueing.history import writer
from queueing.models import Attempt, Job
from queueing.worker.two_writers import LARGE, TwoWriters
from tests.support.waiting import eventually

pytestmark = pytest.mark.django_db(transaction=True)

NOW_MS = 1_795_452_922_000.0


@pytest.fixture
def writers():
    writers = TwoWriters()
    yield writers
    writers.rest()
    eventually(lambda: sessions() == 1)


def sessions() -> int:
    """The connections to this database, with the one that asks."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()")
        return cursor.fetchone()[0]


def outcomes(count: int, rc: int = 1, event: State = State.DONE) -> list[Outcome]:
    return [
        Outcome(
            "q", f"hofnoo4h3u{number:022d}", rc, event, "w", finished_ms=NOW_MS + rc, started_ms=NOW_MS + rc
        )
        for number in range(count)
    ]


def test_a_large_batch_is_written_once_with_two_connections(writers):
    for _ in range(2):
        writers.write(outcomes(LARGE))
    assert sessions() == 2
    assert (Job.objects.count(), Attempt.objects.count()) == (LARGE, LARGE)


def test_a_small_batch_needs_one_connection(writers):
    writers.write(outcomes(LARGE - 1))
    assert (sessions(), Job.objects.count()) == (1, LARGE - 1)


def test_the_outcomes_of_a_message_are_written_in_their_order(writers):
    count = LARGE // 4
    first = outcomes(count, 1, State.RETRYING)
    writers.write([*first, *outcomes(count, 2, State.RETRYING), *outcomes(2 * count, 3)])
    assert set(Job.objects.values_list("state", "rc")) == {("done", 3)}
    assert Attempt.objects.count() == 4 * count


@pytest.mark.parametrize("fails_in_caller", [True, False])
def test_a_batch_of_which_one_part_failed_is_written_again(writers, monkeypatch, fails_in_caller):
    write, caller = writer.write, threading.current_thread()

    def broken(part):
        if (threading.current_thread() is caller) == fails_in_caller:
            raise OperationalError("away")
        write(part)

    monkeypatch.setattr(writer, "write", broken)
    with pytest.raises(OperationalError):
        writers.write(outcomes(LARGE))
    assert 0 < Job.objects.count() < LARGE
    monkeypatch.setattr(writer, "write", write)
    writers.write(outcomes(LARGE))
    assert (Job.objects.count(), Attempt.objects.count()) == (LARGE, LARGE)


def indexed() -> list[tuple[list[str], bool]]:
    """The indexed columns of attempts, and whether the index is unique."""
    with connection.cursor() as cursor:
        found = connection.introspection.get_constraints(cursor, Attempt._meta.db_table)
    assert [of["columns"] for of in found.values() if of["foreign_key"]] == [["job_id"]]
    return sorted((of["columns"], of["unique"]) for of in found.values() if of["index"])


def test_the_index_of_jobs_of_attempts_can_be_made_again_and_dropped():
    few = indexed()
    assert (["job_id"], False) not in few
    call_command("migrate", "queueing", "0005", verbosity=0)
    assert sorted([*few, (["job_id"], False)]) == indexed()
    call_command("migrate", "queueing", verbosity=0)
    assert indexed() == few


def test_the_second_connection_is_closed_at_rest_and_opened_again(writers):
    writers.write(outcomes(LARGE))
    writers.rest()
    eventually(lambda: sessions() == 1)
    writers.write(outcomes(LARGE, 2))
    assert (sessions(), Job.objects.filter(rc=2).count()) == (2, LARGE)
    connections.close_all()
