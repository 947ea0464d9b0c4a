"""The recorder writes the outbox into the database, also after errors on the way."""

from time import monotonic

import pytest
from django.db import OperationalError

from queueing.broker import outbox
from queueing.broker.outcomes import FORMAT
from queueing.conf import Config
from queueing.history import ownership, writer
from queueing.models import Attempt, Identity, Job
from queueing.worker.recorder import GIVE_WAY_SECONDS, POLL_SECONDS, YIELD_SECONDS, Recorder
from tests.support.threads import logged_here
from tests.unit.conftest import ended

pytestmark = pytest.mark.django_db


@pytest.fixture
def settled(any_client, hand):
    """Three messages whose outcomes wait in the outbox."""
    any_client.send_messages("work", ["a", "b", "c"])
    child = hand()
    for delivery in child.claim().deliveries:
        child.settle(ended(delivery, "done", attempts=1))
    return any_client


@pytest.fixture
def recorder(settled) -> Recorder:
    return Recorder(settled, Config(), name="one")


def waiting(client) -> int:
    return len(outbox.newest(client.session, count=100))


def test_outcomes_are_written_and_leave_the_outbox(recorder, settled):
    assert recorder.step(monotonic()) == 0.0
    assert recorder.step(monotonic()) == POLL_SECONDS
    assert (Job.objects.count(), Attempt.objects.count(), waiting(settled)) == (3, 3, 0)


def test_while_the_database_is_away_they_wait_and_nothing_is_lost(recorder, settled, monkeypatch):
    def away(outcomes):
        raise OperationalError("away")

    write = writer.write
    monkeypatch.setattr(writer, "write", away)
    pauses = [recorder.step(monotonic()) for _ in range(8)]
    assert pauses == sorted(pauses)
    assert pauses[-1] <= 15
    assert waiting(settled) == 3
    monkeypatch.setattr(writer, "write", write)
    recorder.step(monotonic())
    assert (Job.objects.count(), waiting(settled)) == (3, 0)


def test_an_outcome_that_was_written_but_not_dropped_is_written_once(recorder, settled, monkeypatch):
    drop = outbox.drop
    monkeypatch.setattr(outbox, "drop", lambda client, entries: None)
    recorder.step(monotonic())
    monkeypatch.setattr(outbox, "drop", drop)
    recorder.step(monotonic())
    assert (Job.objects.count(), Attempt.objects.count()) == (3, 3)


def test_two_recorders_take_turns(recorder, settled):
    other = Recorder(settled, Config(), name="two")
    outbox.read(settled.session, "two", count=1)
    assert recorder.step(monotonic()) == YIELD_SECONDS
    while other.step(monotonic()) == 0.0:
        pass
    assert recorder.step(monotonic()) == POLL_SECONDS
    assert Job.objects.count() == 3


def settle_another(client, hand) -> None:
    client.send_message("work", "d")
    child = hand("b")
    for delivery in child.claim().deliveries:
        child.settle(ended(delivery, "done", attempts=1))


def test_a_running_recorder_writes_into_an_emptied_database_that_takes_the_outbox(recorder, settled, hand):
    recorder.step(monotonic())
    Identity.objects.all().delete()  # as `manage.py flush` does
    ownership.take(settled)
    settle_another(settled, hand)
    recorder.step(monotonic())
    assert not recorder.is_owner
    recorder.step(monotonic())
    assert recorder.is_owner
    assert (Job.objects.count(), waiting(settled)) == (4, 0)


def test_a_running_recorder_writes_again_once_the_backup_of_its_database_is_restored(recorder, settled, hand):
    recorder.step(monotonic())
    backup = Identity.objects.get()
    Identity.objects.all().delete()
    settle_another(settled, hand)
    later = Recorder(settled, Config(), name="one")  # started while the restore is under way
    later.step(monotonic())
    assert not later.is_owner
    backup.save(force_insert=True)
    later.step(monotonic())
    assert later.is_owner
    assert (Job.objects.count(), waiting(settled)) == (4, 0)


def test_an_entry_that_cannot_be_read_blocks_none_behind_it(recorder, settled):
    settled.redis.xadd("rsmq::outbox", {"count": 1, "bytes": 3, "ms": 1, "packed": "{", "refused": "[]"})
    settled.redis.xadd("rsmq::outbox", {"of": "somebody else"})
    recorder.step(monotonic())
    assert (Job.objects.count(), waiting(settled)) == (3, 0)
    assert settled.redis.xlen("rsmq::outbox") == 0


def test_an_error_nobody_thought_of_is_survived(recorder, settled, monkeypatch):
    def broken(outcomes):
        raise RuntimeError("nobody thought of it")

    write = writer.write
    monkeypatch.setattr(writer, "write", broken)
    assert recorder.step(monotonic()) > 0
    monkeypatch.setattr(writer, "write", write)
    recorder.step(monotonic())
    assert Job.objects.count() == 3


def test_at_the_end_what_is_left_is_written(recorder):
    recorder.finish(0)
    recorder._finish_by = float("inf")
    recorder.run()
    assert Job.objects.count() == 3


def test_an_outcome_of_the_last_moment_is_written(recorder, settled, hand, monkeypatch):
    """``finish`` is called while the recorder has already read an outbox that is still empty."""
    while recorder.step(monotonic()) == 0.0:
        pass
    read = outbox.read

    def read_too_early(*args, **options):
        monkeypatch.setattr(outbox, "read", read)
        found = read(*args, **options)
        settle_another(settled, hand)
        recorder.finish(0)
        recorder._finish_by += 60
        return found

    monkeypatch.setattr(outbox, "read", read_too_early)
    recorder.run()
    assert (Job.objects.count(), waiting(settled)) == (4, 0)


def test_no_payload_is_stored_where_none_is_to_be(settled, hand):
    ids = settled.send_messages("work", ["cancelled", "abandoned"])
    settled.cancel_message("work", ids[0])
    Recorder(settled, Config(STORE_BODIES=False), name="one").step(monotonic())
    assert set(Job.objects.values_list("body", "body_is_whole")) == {("", False)}


def add_newer(client, count=1) -> None:
    """Entries as a release with the next format may write them."""
    for _ in range(count):
        client.redis.xadd(
            "rsmq::outbox", {"count": 1, "bytes": 3, "ms": 1, "rows": "new", "format": FORMAT + 1}
        )


def test_entries_carry_the_number_of_their_format(settled):
    entries = settled.redis.xrange("rsmq::outbox")
    assert {list(fields.items())[-1] for _, fields in entries} == {(b"format", b"%d" % FORMAT)}


def test_the_format_before_the_numbers_is_read(recorder, settled):
    for key, fields in settled.redis.xrange("rsmq::outbox"):
        del fields[b"format"]
        settled.redis.xdel("rsmq::outbox", key)
        settled.redis.xadd("rsmq::outbox", fields)
    recorder.step(monotonic())
    assert (Job.objects.count(), settled.redis.xlen("rsmq::outbox")) == (3, 0)


def test_entries_of_a_newer_release_stay_for_its_own_recorder(recorder, settled, hand, caplog):
    add_newer(settled, 70)
    settled.send_message("work", "d")
    child = hand("d")
    for delivery in child.claim().deliveries:
        child.settle(ended(delivery, "done", attempts=1))
    recorder.finish(0)
    for _ in range(2):  # more entries than one turn reads
        while recorder.step(monotonic()) != POLL_SECONDS:
            pass
    assert (Job.objects.count(), settled.redis.xlen("rsmq::outbox")) == (4, 70)
    assert caplog.text.count("newer release") == 1


def test_a_recorder_gives_way_to_a_newer_one(recorder, settled):
    add_newer(settled)
    recorder.step(monotonic())
    assert 0 < settled.redis.pttl("rsmq::recorder") <= outbox.GIVING_WAY_MS
    recorder.wake()
    assert YIELD_SECONDS < recorder.step(monotonic()) <= GIVE_WAY_SECONDS


def test_reads_of_newer_entries_find_no_outcomes_and_log_nothing(settled, caplog):
    add_newer(settled)
    assert len(outbox.newest(settled.session, count=100)) == 3
    assert not logged_here(caplog)
